package exchange_test

import (
	"context"
	"encoding/base64"
	"errors"
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
		"no colon":      `{"authorizationData":[{"authorizationToken":"` + wrong + `","expiresAt":1893456000}]}`,
		"no base64":     `{"authorizationData":[{"authorizationToken":"%","expiresAt":1893456000}]}`,
		"no end":        `{"authorizationData":[{"authorizationToken":"QVdTOnB3"}]}`,
		"a wrong end":   `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":1e300}]}`,
		"an empty list": `{"authorizationData":[]}`,
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
		return answering(200, `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":1893456000}]}`)(r)
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
