package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"regcred.dev/regcred/internal/cloudregistry"
	"regcred.dev/regcred/internal/payload"
)

// What GetAuthorizationToken is called in the two APIs, by their names for signatures
// (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html).
const (
	ecrTarget, ecrService       = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "ecr"
	publicTarget, publicService = "SpencerFrontendService.GetAuthorizationToken", "ecr-public"
)

// ecrLife is how long Amazon gives logins for at most, by the same page.
const ecrLife = 12 * time.Hour

// ecrLogin is a login of a region, and its end.
type ecrLogin struct {
	login
	end time.Time
}

// ecr asks each region once: a login there is for all of its registries that the keys may read.
func (e *Exchanger) ecr(ctx context.Context, hosts []string, fields payload.Fields) (made, *Error) {
	keys, err := keysOf(fields)
	if err != nil {
		return made{}, err
	}
	regions := map[string]cloudregistry.ECR{}
	of := map[string]string{}
	for _, host := range hosts {
		at, is := cloudregistry.ParseECR(host)
		if !is {
			return made{}, fault(ErrRegistry, "registry %s is not written as Amazon ECR writes its hosts, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com", host)
		}
		regions[at.Endpoint], of[host] = at, at.Endpoint
	}
	if len(regions) > mostPlaces {
		return made{}, fault(ErrRegistry, "the registries are in %d regions, and %d is the most: make several RegistryCredentials", len(regions), mostPlaces)
	}
	var all made
	for endpoint, at := range regions {
		got, err := e.authorizationToken(ctx, at, keys)
		if err != nil {
			return made{}, err
		}
		for host, asked := range of {
			if asked == endpoint {
				all.add(host, got.login, got.end)
			}
		}
	}
	return all, nil
}

// keysOf are the keys of AWS that a source gave.
func keysOf(fields payload.Fields) (aws.Credentials, *Error) {
	given := inputs{fields: fields}
	keys := aws.Credentials{
		AccessKeyID: given.text("access_key"), SecretAccessKey: given.text("secret_key"), SessionToken: given.text("security_token", "session_token"),
	}
	switch {
	case given.fault != nil:
		return aws.Credentials{}, given.fault
	case keys.AccessKeyID == "" || keys.SecretAccessKey == "":
		return aws.Credentials{}, fault(ErrInput, "it has no access_key and secret_key as text, which are exchanged for a login at Amazon ECR")
	}
	return keys, nil
}

// authorizationToken asks one region for a login.
func (e *Exchanger) authorizationToken(ctx context.Context, at cloudregistry.ECR, keys aws.Credentials) (ecrLogin, *Error) {
	request, err := e.ecrRequest(ctx, at, keys)
	if err != nil {
		return ecrLogin{}, err
	}
	return throughGate(ctx, e, askerOf(at.Endpoint, keys.AccessKeyID), func() (ecrLogin, *Error) {
		got, err := e.send(request)
		if err != nil {
			return ecrLogin{}, err
		}
		if got.status != http.StatusOK {
			return ecrLogin{}, refusedByAWS(at.Endpoint, got)
		}
		made, err := readToken(at.Endpoint, got.body)
		if err == nil {
			made.end, err = e.endOf(at.Endpoint, made.end, ecrLife)
		}
		return made, err
	})
}

// ecrRequest is signed with the keys.
func (e *Exchanger) ecrRequest(ctx context.Context, at cloudregistry.ECR, keys aws.Credentials) (*http.Request, *Error) {
	target, service := ecrTarget, ecrService
	if at.Public {
		target, service = publicTarget, publicService
	}
	body := []byte("{}")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+at.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, unreachable(at.Endpoint, err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, keys, request, hex.EncodeToString(sum[:]), service, at.Region, e.now()); err != nil {
		return nil, fault(ErrInput, "a request to Amazon ECR cannot be signed with access_key and secret_key")
	}
	return request, nil
}

// awsLimits are the codes of limits, as the SDKs know them (aws/retry/standard.go of aws-sdk-go-v2), but for those that begin with Throttl.
var awsLimits = []string{
	"TooManyRequestsException", "LimitExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded",
	"SlowDown", "PriorRequestNotComplete", "EC2ThrottledException", "ProvisionedThroughputExceededException",
}

// refusedByAWS tells a limit, which AWS answers with 400, too, from a refusal.
func refusedByAWS(host string, a answer) *Error {
	var says struct {
		Type string `json:"__type"`
	}
	_ = decode(a.body, &says) // without a code the status says all
	code := says.Type[strings.LastIndexByte(says.Type, '#')+1:]
	if strings.HasPrefix(code, "Throttl") || slices.Contains(awsLimits, code) {
		err := fault(ErrUnavailable, "%s: AWS asks for fewer requests", host)
		err.ofLogin = true
		return err
	}
	return refused(host, a.status, code).hinting(awsHints[code])
}

// awsHints are what the codes of refusals mean in practice (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html).
var awsHints = map[string]string{
	"AccessDeniedException":       "the keys have no right to ecr:GetAuthorizationToken, or a policy above them forbids it",
	"UnrecognizedClientException": "AWS does not know the access key there: it is new or deleted, or the account has not enabled the region",
	"InvalidSignatureException":   "secret_key does not belong to access_key, or the operator's clock is wrong",
	"ExpiredTokenException":       "the session of the keys has ended",
}

// readToken reads the answer: a list with one member from ECR, the member itself from the public gallery. The registry that it names is
// of no interest: the login is for all that the keys may read in the region, and it is delivered for those of the spec alone.
func readToken(host string, body []byte) (ecrLogin, *Error) {
	type data struct {
		Token string      `json:"authorizationToken"`
		End   json.Number `json:"expiresAt"`
	}
	var wrapped struct {
		Data json.RawMessage `json:"authorizationData"`
	}
	_ = decode(body, &wrapped) // what is no JSON holds no login
	var one data
	var list []data
	if _ = decode(wrapped.Data, &list); len(list) > 0 {
		one = list[0]
	} else {
		_ = decode(wrapped.Data, &one)
	}
	plain, err := base64.StdEncoding.DecodeString(one.Token)
	username, password, _ := strings.Cut(string(plain), ":")
	seconds, _ := one.End.Float64() // zero where it is none, and endless where it is too large
	if err != nil || username == "" || password == "" || seconds <= 0 || seconds > 1e11 {
		return ecrLogin{}, fault(ErrUnavailable, "%s: the answer holds no login", host)
	}
	end := payload.Earliest(time.Unix(int64(seconds), 0), payload.EndOfPassword(password))
	return ecrLogin{login{username, password}, end}, nil
}
