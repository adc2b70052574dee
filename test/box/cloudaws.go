package box

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

const (
	awsAccount         = "111122223333"
	awsRole            = "regcred"
	awsPodIdentityHost = "169.254.170.23"
)

// AWSCloud is AWS's Security Token Service, EKS's agent for Pod Identity, and what gives logins at Amazon ECR.
type AWSCloud struct {
	UserARN     string // of the access key in Env
	RoleARN     string // of WebIdentityEnv and PodIdentityEnv, as a role in Vault binds it
	Region      string
	STSEndpoint string // of the region, for Vault's config/client

	ecr    ecrCloud
	logins *cloudLogins

	refusal
	user      awsKey
	tokenFile string // says who the pod is, for both of EKS's ways
	token     string

	mu   sync.Mutex
	keys map[string]awsKey // by access key
	iam  iamCloud
}

// An awsKey is what a caller signs with, and who that is.
type awsKey struct {
	access, secret, session string
	arn, userID             string
	user                    string    // name in IAM, of keys that were made there
	made, ends              time.Time // ends is zero for never
	noPull                  bool      // has no right to log in at Amazon ECR
}

func newAWSCloud(folder string) (*AWSCloud, error) {
	a := &AWSCloud{
		UserARN: "arn:aws:iam::" + awsAccount + ":user/regcred", RoleARN: "arn:aws:iam::" + awsAccount + ":role/" + awsRole,
		Region: "eu-west-1", STSEndpoint: "https://sts.eu-west-1.amazonaws.com",
		tokenFile: filepath.Join(folder, "aws-token"), token: randomWord(40), keys: map[string]awsKey{},
	}
	a.user = awsKey{access: "AKIA" + randomWord(16), secret: randomWord(40), arn: a.UserARN, userID: "AIDA" + randomWord(16)}
	a.keys[a.user.access] = a.user
	a.iam.users = map[string]*iamUser{}
	if err := os.WriteFile(a.tokenFile, []byte(a.token), 0o600); err != nil {
		return nil, fmt.Errorf("writing a pod's token for AWS: %w", err)
	}
	return a, nil
}

// Env gives a process an access key.
func (a *AWSCloud) Env() []string {
	return append(a.noIdentity(), "AWS_ACCESS_KEY_ID="+a.user.access, "AWS_SECRET_ACCESS_KEY="+a.user.secret)
}

// WebIdentityEnv gives a process what EKS gives a pod with a role for its ServiceAccount (IRSA).
func (a *AWSCloud) WebIdentityEnv() []string {
	return append(a.noIdentity(), "AWS_ROLE_ARN="+a.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+a.tokenFile,
		"AWS_REGION="+a.Region, "AWS_DEFAULT_REGION="+a.Region, "AWS_STS_REGIONAL_ENDPOINTS=regional")
}

// PodIdentityEnv gives a process what EKS gives a pod by Pod Identity.
func (a *AWSCloud) PodIdentityEnv() []string {
	return append(a.noIdentity(), "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://"+awsPodIdentityHost+"/v1/credentials",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+a.tokenFile, "AWS_REGION="+a.Region)
}

// noIdentity keeps what the person who runs the test uses in AWS out of it.
func (a *AWSCloud) noIdentity() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_SHARED_CREDENTIALS_FILE=",
		"AWS_ROLE_ARN=", "AWS_ROLE_SESSION_NAME=", "AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_CA_BUNDLE=",
	}
}

var stsHost = regexp.MustCompile(`^sts(?:\.([a-z0-9-]+))?\.amazonaws\.com$`)

func (a *AWSCloud) handler(host string) http.Handler {
	if host == awsPodIdentityHost {
		return http.HandlerFunc(a.servePodIdentity)
	}
	if handler := a.ecrHandler(host); handler != nil {
		return handler
	}
	if host == iamHost {
		return http.HandlerFunc(a.serveIAM)
	}
	match := stsHost.FindStringSubmatch(host)
	if match == nil {
		return nil
	}
	region := match[1]
	if region == "" {
		region = "us-east-1"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serveSTS(w, r, region) })
}

func (a *AWSCloud) serveSTS(w http.ResponseWriter, r *http.Request, region string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		refuseSTS(w, http.StatusBadRequest, "MalformedInput")
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		refuseSTS(w, http.StatusBadRequest, "MalformedInput")
		return
	}
	switch form.Get("Action") {
	case "GetCallerIdentity":
		a.callerIdentity(w, r, body, region)
	case "AssumeRoleWithWebIdentity":
		a.assumeRole(w, form)
	case "AssumeRole":
		a.assumeRoleSigned(w, r, body, form, region)
	default:
		refuseSTS(w, http.StatusBadRequest, "InvalidAction")
	}
}

func (a *AWSCloud) callerIdentity(w http.ResponseWriter, r *http.Request, body []byte, region string) {
	key, fault := a.signer(r, body, region, "sts", time.Now())
	if fault != "" {
		refuseSTS(w, http.StatusForbidden, fault)
		return
	}
	type result struct{ Arn, UserId, Account string } //nolint:revive // AWS's name
	writeXML(w, http.StatusOK, struct {
		XMLName                 xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
		GetCallerIdentityResult result
	}{GetCallerIdentityResult: result{Arn: key.arn, UserId: key.userID, Account: awsAccount}})
}

// assumeRole is not signed: the token says who asks.
func (a *AWSCloud) assumeRole(w http.ResponseWriter, form url.Values) {
	switch {
	case form.Get("WebIdentityToken") != a.token:
		refuseSTS(w, http.StatusBadRequest, "InvalidIdentityToken")
		return
	case a.refuses() || form.Get("RoleArn") != a.RoleARN:
		refuseSTS(w, http.StatusForbidden, "AccessDenied")
		return
	}
	key := a.newSession(form.Get("RoleSessionName"))
	type result struct{ Credentials stsCredentials }
	writeXML(w, http.StatusOK, struct {
		XMLName                         xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleWithWebIdentityResponse"`
		AssumeRoleWithWebIdentityResult result
	}{AssumeRoleWithWebIdentityResult: result{stsCredentials{key.access, key.secret, key.session, inAnHour()}}})
}

func (a *AWSCloud) servePodIdentity(w http.ResponseWriter, r *http.Request) {
	if a.refuses() || r.URL.Path != "/v1/credentials" || r.Header.Get("Authorization") != a.token {
		writeJSON(w, http.StatusBadRequest, map[string]string{"code": "AccessDeniedException", "message": CloudWords})
		return
	}
	key := a.newSession("eks-pod")
	writeJSON(w, http.StatusOK, map[string]string{
		"AccessKeyId": key.access, "SecretAccessKey": key.secret, "Token": key.session, "Expiration": inAnHour(), "AccountId": awsAccount,
	})
}

// newSession makes a key of the role that expires.
func (a *AWSCloud) newSession(name string) awsKey {
	key := awsKey{
		access: "ASIA" + randomWord(16), secret: randomWord(40), session: randomWord(100),
		arn: "arn:aws:sts::" + awsAccount + ":assumed-role/" + awsRole + "/" + name, userID: "AROA" + randomWord(16) + ":" + name,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[key.access] = key
	return key
}

type stsCredentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string } //nolint:revive // AWS's name

func refuseSTS(w http.ResponseWriter, status int, code string) {
	type fault struct{ Type, Code, Message string }
	writeXML(w, status, struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   fault
	}{Error: fault{"Sender", code, CloudWords}})
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(answer) // the caller may be gone
}

func inAnHour() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }
