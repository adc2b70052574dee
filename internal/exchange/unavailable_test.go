package exchange_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
)

var (
	keys      = payload.Fields{"access_key": "AKIAEXAMPLE", "secret_key": "secret-of-the-test"}
	principal = payload.Fields{"client_id": "408bf248-dd4e-4be5-919a-7f6207a307ab", "client_secret": "secret-of-the-test", "tenant_id": "company.io"}
)

func answering(status int, body string, headers ...string) transport {
	return func(*http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func TestWhatIsNoLogin(t *testing.T) {
	wrong := base64.StdEncoding.EncodeToString([]byte("AWS"))
	for _, test := range []struct {
		name   string
		answer transport
		says   string
	}{
		{"a failure", answering(500, `{"message":"secret-of-the-cloud"}`), "status 500"},
		{"a page", answering(200, "<html>secret-of-the-cloud</html>"), "holds no"},
		{"a redirect", answering(307, "", "Location", "https://evil.example/"), "redirected"},
		{"an answer that never ends", answering(200, `{"x":"`+strings.Repeat("secret-of-the-cloud", 10_000)), "too large"},
		{"an empty object", answering(200, `{}`), "holds no"},
		{"no connection", func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp: secret-of-the-cloud") }, "no connection"},
		{"no answer in time", func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, "in time"},
		{"a limit", answering(429, "", "Retry-After", "7"), "status 429"},
		{"a proxy's page that forbids", answering(403, "<html>secret-of-the-cloud</html>"), "status 403"},
		{"a proxy's page that finds nothing", answering(404, "secret-of-the-cloud"), "status 404"},
		{"a page of a megabyte", answering(200, "<html>"+strings.Repeat("x", 1<<20)), "too large"},
	} {
		for cloud, ask := range map[string]func(*exchange.Exchanger) error{
			"AWS": func(e *exchange.Exchanger) error {
				_, err := e.Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys)
				return err
			},
			"Azure": func(e *exchange.Exchanger) error {
				_, err := e.Exchange(t.Context(), toACR, []v1alpha1.Registry{azure}, payload.Fields{"access_token": "secret-of-the-test"})
				return err
			},
			"Entra": func(e *exchange.Exchanger) error {
				_, err := e.Exchange(t.Context(), toACR, []v1alpha1.Registry{azure}, principal)
				return err
			},
		} {
			t.Run(cloud+": "+test.name, func(t *testing.T) {
				err := ask(exchange.New(test.answer, time.Now))
				if !errors.Is(err, exchange.ErrUnavailable) || cloud != "Entra" && !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret-of") {
					t.Errorf("%v, want %q", err, test.says)
				}
			})
		}
	}
	for name, body := range map[string]string{
		"no colon":               `{"authorizationData":[{"authorizationToken":"` + wrong + `","expiresAt":2208988800}]}`,
		"no base64":              `{"authorizationData":[{"authorizationToken":"%","expiresAt":2208988800}]}`,
		"no end":                 `{"authorizationData":[{"authorizationToken":"QVdTOnB3"}]}`,
		"a wrong end":            `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":1e300}]}`,
		"an empty list":          `{"authorizationData":[]}`,
		"an end that has passed": `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":1}]}`,
	} {
		_, err := exchange.New(answering(200, body), time.Now).Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys)
		if !errors.Is(err, exchange.ErrUnavailable) {
			t.Errorf("ECR, %s: %v", name, err)
		}
	}
	_, err := exchange.New(answering(400, `{"__type":"ThrottlingException"}`), time.Now).Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys)
	if !errors.Is(err, exchange.ErrUnavailable) {
		t.Errorf("a limit of AWS: %v", err)
	}
	_, err = exchange.New(answering(400, `{"__type":"a code with <html>"}`), time.Now).Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys)
	if !errors.Is(err, exchange.ErrRefused) || strings.Contains(err.Error(), "html") {
		t.Errorf("a code that is none: %v", err)
	}
}

func TestWhileACloudFailsOneAtATimeAsks(t *testing.T) {
	now, sent := time.Now(), 0
	fails := true
	e := exchange.New(transport(func(r *http.Request) (*http.Response, error) {
		sent++
		if fails {
			return answering(503, "")(r)
		}
		return answering(200, `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":2208988800}]}`)(r)
	}), func() time.Time { return now })
	ask := func(registry v1alpha1.Registry) *exchange.Error {
		_, err := e.Exchange(t.Context(), toECR, []v1alpha1.Registry{registry}, keys)
		var says *exchange.Error
		if errors.As(err, &says) {
			return says
		}
		return nil
	}
	if err := ask(irish); err == nil || err.RetryAfter <= 0 {
		t.Fatalf("%+v", err)
	}
	for range 100 {
		if err := ask(irish); err == nil || !errors.Is(err, exchange.ErrUnavailable) || err.RetryAfter <= 0 {
			t.Fatalf("%+v", err)
		}
	}
	if sent != 1 {
		t.Errorf("%d requests were sent", sent)
	}
	ask(ohio) // another region is another matter
	if sent != 2 {
		t.Errorf("%d requests were sent", sent)
	}
	var waits []time.Duration
	for range 8 {
		now = now.Add(2 * time.Minute)
		waits = append(waits, ask(irish).RetryAfter)
	}
	if last := waits[7]; last != time.Minute || waits[0] >= last {
		t.Errorf("the waits are %v", waits)
	}
	fails, now = false, now.Add(time.Minute)
	if err := ask(irish); err != nil {
		t.Errorf("it answers again: %v", err)
	}
	before := sent
	if ask(irish); sent != before+1 {
		t.Error("the gate is still shut")
	}
}

// soon is when a login of these tests ends by the answer.
func soon(now time.Time, after time.Duration) string {
	return fmt.Sprintf(`{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":%d,"proxyEndpoint":"https://444455556666.dkr.ecr.us-east-2.amazonaws.com"},{"authorizationToken":"QVdTOm90aGVy","expiresAt":1}]}`, now.Add(after).Unix())
}

func TestOddAnswersOfClouds(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	token := func(claims string) string {
		part := base64.RawURLEncoding.EncodeToString
		return part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(claims)) + ".c2lnbmF0dXJl"
	}
	refresh := func(token string) string { return `{"refresh_token":"` + token + `"}` }
	access := payload.Fields{"access_token": "secret-of-the-test"}
	for _, test := range []struct {
		name       string
		how        *v1alpha1.VaultExchange
		registries []v1alpha1.Registry
		fields     payload.Fields
		body       string
		ends       time.Duration // after now, 0 where there is no login
	}{
		{"ECR names another registry, and gives two logins", toECR, []v1alpha1.Registry{irish}, keys, soon(now, 12*time.Hour), 12 * time.Hour},
		{"ECR gives less than twelve hours", toECR, []v1alpha1.Registry{irish}, keys, soon(now, 11*time.Hour+38*time.Minute), 11*time.Hour + 38*time.Minute},
		{"ECR's clock is minutes ahead", toECR, []v1alpha1.Registry{irish}, keys, soon(now, 12*time.Hour+10*time.Minute), 12 * time.Hour},
		{"ECR says an end in a hundred years", toECR, []v1alpha1.Registry{irish}, keys, soon(now, 876000*time.Hour), 12 * time.Hour},
		{"ECR says an end that has passed", toECR, []v1alpha1.Registry{irish}, keys, soon(now, -time.Minute), 0},
		{"a refresh token without an end", toACR, []v1alpha1.Registry{azure}, access, refresh(token(`{"jti":"x"}`)), 3 * time.Hour},
		{"a refresh token that is no JWT", toACR, []v1alpha1.Registry{azure}, access, refresh("opaque"), 3 * time.Hour},
		{"a refresh token that has ended", toACR, []v1alpha1.Registry{azure}, access, refresh(token(fmt.Sprintf(`{"exp":%d}`, now.Add(-time.Minute).Unix()))), 0},
		{"a refresh token for a day", toACR, []v1alpha1.Registry{azure}, access, refresh(token(fmt.Sprintf(`{"exp":%d}`, now.Add(24*time.Hour).Unix()))), 3 * time.Hour},
		{"two accounts, one with a path: one login for both", toECR, []v1alpha1.Registry{irish, another, "*.dkr.ecr.eu-west-1.amazonaws.com"}, keys, soon(now, 12*time.Hour), 12 * time.Hour},
		{"hosts of the same region in other forms", toECR, []v1alpha1.Registry{
			"111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "111122223333.dkr-ecr.eu-west-1.on.aws", "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
		}, keys, soon(now, 12*time.Hour), 12 * time.Hour},
		{"a host with a port", toECR, []v1alpha1.Registry{irish + ":443"}, keys, soon(now, 12*time.Hour), 0},
		{"a registry of Azure with a port", toACR, []v1alpha1.Registry{azure + ":443"}, access, refresh("opaque"), 0},
		{"upper case", toECR, []v1alpha1.Registry{"111122223333.DKR.ECR.eu-west-1.amazonaws.com"}, keys, soon(now, 12*time.Hour), 12 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields, err := exchange.New(answering(200, test.body), func() time.Time { return now }).Exchange(t.Context(), test.how, test.registries, test.fields)
			if test.ends == 0 {
				if err == nil || strings.Contains(err.Error(), "secret-of") {
					t.Fatalf("there is a login all the same: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, end := logins(t, fields)
			if len(got) != len(test.registries) || !end.Equal(now.Add(test.ends)) {
				t.Errorf("%d logins, which end after %s, want %d and %s", len(got), end.Sub(now), len(test.registries), test.ends)
			}
			for host, login := range got {
				if test.how == toECR && login != "AWS:pw" {
					t.Errorf("for %s it is %s", host, login)
				}
			}
		})
	}
}

// Whatever is neither a login nor a refusal shuts the gate, also where only the body shows it.
func TestWhatIsNoLoginShutsTheGate(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer transport
		sent   int
	}{
		{"a limit of AWS, which is a 400", answering(400, `{"__type":"ThrottlingException"}`), 1},
		{"another limit of AWS", answering(400, `{"__type":"com.amazon.coral.service#RequestLimitExceeded"}`), 1},
		{"a page", answering(200, "<html>"), 1},
		{"a proxy's page that forbids", answering(403, "<html>"), 1},
		{"a login that has ended", answering(200, soon(time.Now(), -time.Hour)), 1},
		{"a refusal, which is an answer", answering(400, `{"__type":"AccessDeniedException"}`), 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := 0
			e := exchange.New(transport(func(r *http.Request) (*http.Response, error) {
				sent++
				return test.answer(r)
			}), time.Now)
			for range 10 {
				if _, err := e.Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys); err == nil {
					t.Fatal("there is a login")
				}
			}
			if sent != test.sent {
				t.Errorf("%d requests were sent, want %d", sent, test.sent)
			}
		})
	}
}

func TestHowLongACloudIsLeftAlone(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 2 * time.Second, "7": 7 * time.Second, "86400": 2 * time.Minute, "4294967296": 2 * time.Second, "-5": 2 * time.Second, "soon": 2 * time.Second,
		"Wed, 04 Mar 2026 05:06:37 GMT": 30 * time.Second, "Thu, 05 Mar 2026 05:06:07 GMT": 2 * time.Minute, "Tue, 03 Mar 2026 05:06:07 GMT": 2 * time.Second,
	} {
		for _, status := range []int{429, 503} {
			_, err := exchange.New(answering(status, "", "Retry-After", value), func() time.Time { return now }).Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, keys)
			var says *exchange.Error
			if !errors.As(err, &says) || says.RetryAfter != want {
				t.Errorf("Retry-After %q with %d: %+v, want %s", value, status, says, want)
			}
		}
	}
}

// TestWhatNoCloudGivesIsNotSent: a key with a line break at its end is what "echo KEY | base64" stores, and one with a line break within
// cannot be sent. That is no fault of the cloud, which others ask on.
func TestWhatNoCloudGivesIsNotSent(t *testing.T) {
	for _, test := range []struct {
		name   string
		how    *v1alpha1.VaultExchange
		at     v1alpha1.Registry
		fields payload.Fields
		says   string // empty: it is sent
	}{
		{"keys with a line break at their ends", toECR, irish, payload.Fields{"access_key": "AKIAEXAMPLE\n", "secret_key": " secret-of-the-test\r\n"}, ""},
		{"a principal with a line break at its end", toACR, azure, payload.Fields{"client_id": "id\n", "client_secret": "secret-of-the-test\n", "tenant_id": "company.io\n"}, ""},
		{"an access key of two lines", toECR, irish, payload.Fields{"access_key": "AKIA\nEXAMPLE", "secret_key": "secret-of-the-test"}, "access_key holds"},
		{"a secret key of two lines", toECR, irish, payload.Fields{"access_key": "AKIAEXAMPLE", "secret_key": "secret\tof-the-test"}, "secret_key holds"},
		{"a session token of two lines", toECR, irish, payload.Fields{"access_key": "AKIAEXAMPLE", "secret_key": "secret-of-the-test", "session_token": "a\nb"}, "session_token holds"},
		{"a secret of typographer's dashes", toACR, azure, payload.Fields{"client_id": "id", "client_secret": "a–b", "tenant_id": "company.io"}, "client_secret holds"},
		{"an access token of two lines", toACR, azure, payload.Fields{"access_token": "a\nb"}, "access_token holds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := 0
			e := exchange.New(transport(func(r *http.Request) (*http.Response, error) {
				sent++
				return answering(400, `{"error":"invalid_client","__type":"UnrecognizedClientException"}`)(r)
			}), time.Now)
			_, err := e.Exchange(t.Context(), test.how, []v1alpha1.Registry{test.at}, test.fields)
			switch {
			case test.says == "" && (sent != 1 || !errors.Is(err, exchange.ErrRefused)):
				t.Errorf("%d requests, %v", sent, err)
			case test.says != "" && (sent != 0 || !errors.Is(err, exchange.ErrInput) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "of-the-test")):
				t.Errorf("%d requests, %v", sent, err)
			}
		})
	}
}

func TestARefusalSaysWhatItsCodeMeans(t *testing.T) {
	for _, test := range []struct {
		name, answer, says string
		how                *v1alpha1.VaultExchange
	}{
		{"the tenant is not there", `{"error":"invalid_request","error_codes":[90002],"error_description":"AADSTS90002: Tenant 'secret-of-the-cloud' not found."}`, "AADSTS90002, there is no such tenant", toACR},
		{"the secret is wrong", `{"error":"invalid_client","error_codes":[7000215]}`, "invalid_client (AADSTS7000215, the client secret is wrong", toACR},
		{"a number that is not known here", `{"error":"access_denied","error_codes":[53003]}`, "access_denied (AADSTS53003)", toACR},
		{"no number", `{"error":"invalid_client"}`, "invalid_client", toACR},
		{"numbers that are none", `{"error":"invalid_client","error_codes":["secret-of-the-cloud"]}`, "invalid_client", toACR},
		{"no right", `{"__type":"AccessDeniedException","message":"secret-of-the-cloud"}`, "AccessDeniedException (the keys have no right to ecr:GetAuthorizationToken", toECR},
		{"a clock that is wrong", `{"__type":"InvalidSignatureException"}`, "the operator's clock is wrong", toECR},
		{"a code that is not known here", `{"__type":"com.amazon#ServerException"}`, "ServerException", toECR},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, fields := azure, principal
			if test.how == toECR {
				at, fields = irish, keys
			}
			_, err := exchange.New(answering(400, test.answer), time.Now).Exchange(t.Context(), test.how, []v1alpha1.Registry{at}, fields)
			if !errors.Is(err, exchange.ErrRefused) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret-of-the-cloud") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEntraThatIsNotWellRefusesNothing(t *testing.T) {
	for _, code := range []string{"temporarily_unavailable", "server_error"} {
		_, err := exchange.New(answering(400, `{"error":"`+code+`"}`), time.Now).Exchange(t.Context(), toACR, []v1alpha1.Registry{azure}, principal)
		if !errors.Is(err, exchange.ErrUnavailable) || errors.Is(err, exchange.ErrRefused) || !strings.HasSuffix(err.Error(), ": "+code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
