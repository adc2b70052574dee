package exchange

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
	"regcred.dev/regcred/internal/payload"
)

// saying answers each request the same, and notes whether its answers were closed.
type saying struct {
	status int
	header http.Header
	body   string
	open   int
}

func (s *saying) RoundTrip(*http.Request) (*http.Response, error) {
	s.open++
	return &http.Response{StatusCode: s.status, Header: s.header, Body: &counted{strings.NewReader(s.body), s}}, nil
}

type counted struct {
	io.Reader
	of *saying
}

func (c *counted) Close() error { c.of.open--; return nil }

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

var (
	ofPrincipal = payload.Fields{"client_id": "a", "client_secret": "b", "tenant_id": "company.io"}
	ofAWS       = payload.Fields{"access_key": "x", "secret_key": "y"}
	ecrHost     = v1alpha1.Registry("111122223333.dkr.ecr.eu-west-1.amazonaws.com")
)

func TestWhatEntraAnswersInTroubleIsNoRefusal(t *testing.T) {
	for _, test := range []struct {
		name   string
		cloud  saying
		reason error
		says   string
		wait   time.Duration // the least
	}{
		{"it limits, and says for how long", saying{status: 429, header: http.Header{"Retry-After": {"70"}}, body: `{"error":"invalid_client"}`}, ErrUnavailable, "status 429", 70 * time.Second},
		{"it fails, and says for how long", saying{status: 503, header: http.Header{"Retry-After": {"70"}}, body: `{"error":"invalid_client"}`}, ErrUnavailable, "status 503", 70 * time.Second},
		{"it answers with a page", saying{status: 200, body: "<html>"}, ErrUnavailable, "the answer holds no token", 0},
		{"it says that all is well, and that nothing is", saying{status: 200, body: `{"error":"invalid_client"}`}, ErrUnavailable, "the answer holds no token", 0},
		{"it says that it cannot now", saying{status: 400, body: `{"error":"temporarily_unavailable"}`}, ErrUnavailable, "temporarily_unavailable", 0},
		{"it says that it fails", saying{status: 400, body: `{"error":"server_error"}`}, ErrUnavailable, "server_error", 0},
		{"it refuses", saying{status: 401, body: `{"error":"invalid_client"}`}, ErrRefused, "invalid_client", 0},
		{"it leads elsewhere", saying{status: 300, body: ""}, ErrUnavailable, "redirected, which is not followed", 0},
		{"it refuses, with what is no number", saying{status: 401, body: `{"error":"invalid_client","error_codes":["hidden"]}`}, ErrRefused, "invalid_client", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(&test.cloud, at(noon)).acr(t.Context(), "", []string{"company.azurecr.io"}, ofPrincipal)
			if !errors.Is(err, test.reason) || err.Message != "login.microsoftonline.com: "+test.says || err.RetryAfter < test.wait {
				t.Errorf("%+v", err)
			}
		})
	}
}

func TestEntraIsNamedWhereItIsNotReached(t *testing.T) {
	if _, err := New(&away{}, at(noon)).acr(t.Context(), "", []string{"company.azurecr.io"}, ofPrincipal); err == nil || err.Message != "login.microsoftonline.com: no connection" {
		t.Errorf("%+v", err)
	}
}

func TestARefreshTokenBesideWhatIsNoAnswerOfAzureIsNone(t *testing.T) {
	e := New(&away{}, at(noon))
	for body, want := range map[string]string{`{"refresh_token":"made"}`: "made", `{"refresh_token":"made","errors":5}`: "", `{"refresh_token":5}`: "", `{}`: ""} {
		if token, err := e.readRefreshToken("company.azurecr.io", answer{status: http.StatusOK, body: []byte(body)}); token != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", body, token, err)
		}
	}
}

func TestAnAnswerIsClosedWhateverIsInIt(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		cloud := &saying{status: status, body: `{}`}
		_, _ = New(cloud, at(noon)).Exchange(t.Context(), &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}, []v1alpha1.Registry{ecrHost}, ofAWS)
		if cloud.open != 0 {
			t.Errorf("after %d there are %d open", status, cloud.open)
		}
	}
}

// Whoever reads the end takes it for one of any zone. In a message it is one of the clouds' own.
func TestTheEndOfALoginIsTold(t *testing.T) {
	cloud := &saying{status: 200, body: `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":99999999999}]}`}
	elsewhere := noon.In(time.FixedZone("elsewhere", 3600))
	fields, err := New(cloud, at(elsewhere)).Exchange(t.Context(), &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}, []v1alpha1.Registry{ecrHost}, ofAWS)
	if err != nil || fields["expires_at"] != "2026-03-02T00:00:00Z" {
		t.Errorf("it ends at %v, %v", fields["expires_at"], err)
	}
}

func TestATokenThatIsBase64InPartIsNone(t *testing.T) {
	broken := base64.StdEncoding.EncodeToString([]byte("AWS:secret-of-a-few-letters")) + "%"
	for name, body := range map[string]string{
		"base64 in part":    `{"authorizationData":{"authorizationToken":"` + broken + `","expiresAt":1772366400}}`,
		"an endless number": `{"authorizationData":{"authorizationToken":"QVdTOnB3","expiresAt":1e400}}`,
		"a list of numbers": `{"authorizationData":[1]}`,
	} {
		if got, err := readToken("cloud.example", []byte(body)); err == nil || got.login != (login{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheLongestTextIsSent(t *testing.T) {
	for length, fits := range map[int]bool{longestSent: true, longestSent + 1: false} {
		given := inputs{fields: payload.Fields{"a": " " + strings.Repeat("x", length) + "\n"}}
		if text := given.text("a"); len(text) != length || (given.fault == nil) != fits {
			t.Errorf("%d bytes: %v", length, given.fault)
		}
	}
}

func TestWhoGivesUpIsToldThatNoAnswerCameInTime(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if got := unreachable("cloud.example", cause); got.Message != "cloud.example: no answer in time" {
			t.Errorf("%v: %q", cause, got.Message)
		}
	}
	if NewTransport().Proxy == nil {
		t.Error("the clouds are not reached through a proxy")
	}
}

func TestWhatNoCloudGivesIsToldOfTheFirstField(t *testing.T) {
	given := inputs{fields: payload.Fields{"a": "b c", "d": "e f", "printable": "!a~z"}}
	if text := given.text("printable"); text != "!a~z" || given.fault != nil {
		t.Errorf("%q, %v", text, given.fault)
	}
	given.text("a")
	first := given.fault
	if given.text("d"); first == nil || given.fault != first {
		t.Errorf("%v after %v", given.fault, first)
	}
}
