package box

import (
	"bytes"
	"crypto/hmac"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// awsWindow is how far the time of a signature may be from now.
const awsWindow = 15 * time.Minute

var awsAuthorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([a-z-]+)/aws4_request, *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$`)

// signer finds who signed a request (Signature Version 4) for a service. The fault is AWS's code for it.
func (a *AWSCloud) signer(r *http.Request, body []byte, region, service string, now time.Time) (key awsKey, fault string) {
	match := awsAuthorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if match == nil {
		return awsKey{}, "MissingAuthenticationToken"
	}
	access, day, place, of, headers, signature := match[1], match[2], match[3], match[4], match[5], match[6]
	if key, fault = a.keyOf(access, r.Header.Get("X-Amz-Security-Token"), now); fault != "" {
		return awsKey{}, fault
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || at.Format("20060102") != day || now.Sub(at).Abs() > awsWindow || place != region || of != service {
		return awsKey{}, "SignatureDoesNotMatch"
	}
	again, err := key.sign(r, body, strings.Split(headers, ";"), region, service, at)
	if err != nil {
		return awsKey{}, "InternalFailure"
	}
	want := awsAuthorization.FindStringSubmatch(again)
	if want == nil || want[5] != headers || !hmac.Equal([]byte(want[6]), []byte(signature)) {
		return awsKey{}, "SignatureDoesNotMatch"
	}
	return key, ""
}

// keyOf is the key of an access key's name, if it is valid with this session's token.
func (a *AWSCloud) keyOf(access, session string, now time.Time) (key awsKey, fault string) {
	a.mu.Lock()
	key, found := a.keys[access]
	a.mu.Unlock()
	if !found || a.refuses() || session != key.session {
		return awsKey{}, "InvalidClientTokenId"
	}
	if !key.ends.IsZero() && !now.Before(key.ends) {
		return awsKey{}, "ExpiredToken"
	}
	return key, ""
}

// sign signs the same request again, with the headers that were signed the first time, and returns the header
// Authorization. Host is always signed, and the signer adds the date and the session's token. The path is cleaned as
// AWS does, since Vault sends two slashes.
func (k awsKey) sign(r *http.Request, body []byte, headers []string, region, service string, at time.Time) (string, error) {
	place := url.URL{Scheme: "https", Host: r.Host, Path: path.Clean(r.URL.Path), RawQuery: r.URL.RawQuery}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, place.String(), nil)
	if err != nil {
		return "", err
	}
	for _, name := range headers {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token":
		case "content-length":
			again.Header.Set(name, strconv.Itoa(len(body)))
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	signer := v4.NewSigner(credentials.NewStaticCredentials(k.access, k.secret, k.session))
	if _, err := signer.Sign(again, bytes.NewReader(body), service, region, at); err != nil {
		return "", err
	}
	return again.Header.Get("Authorization"), nil
}
