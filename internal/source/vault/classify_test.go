package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// Some answers no test server gives, and some errors no network here makes.
func TestWhatAStatusIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer answer
		want   *Outcome
		says   string
	}{
		{"a good one without a body", answer{status: 204}, nil, ""},
		{"a refusal", answer{status: 400}, &outcomeBadRequest, ""},
		{"a refusal of the method", answer{status: 405}, &outcomeBadRequest, ""},
		{"one that switches protocols", answer{status: 101}, &outcomeBadRequest, "status 101"},
		{"one above all that are known", answer{status: 600}, &outcomeServerError, "status 600"},
		{"a namespace that does not exist", answer{status: 404, json: true, content: content{Errors: []string{"namespace not found"}}}, &outcomeNoMount, "the Vault namespace does not exist"},
		{"a standby whose words are others", answer{status: 500, json: true, content: content{Errors: []string{"node not active"}}}, &outcomeNoActive, ""},
		{"a standby that finds no other", answer{status: 500, json: true, content: content{Errors: []string{"active cluster node not found"}}}, &outcomeNoActive, ""},
		{"no wait at all", answer{status: 429, header: http.Header{"Retry-After": {"0"}}}, &outcomeRateLimited, ""},
		{"a wait of a second", answer{status: 429, header: http.Header{"Retry-After": {"1"}}}, &outcomeRateLimitedFor, ""},
		{"a redirect to nowhere", answer{status: 300}, &outcomeRedirect, "redirected"},
		{"a redirect to what is no address", answer{status: 300, header: http.Header{"Location": {"http://[::1"}}}, &outcomeRedirect, "redirected"},
		{"a redirect within the host", answer{status: 300, header: http.Header{"Location": {"/v1/a"}}}, &outcomeRedirect, "redirected"},
		{"a redirect to another host", answer{status: 300, header: http.Header{"Location": {"https://b.example/v1/a"}}}, &outcomeRedirect, "redirected to https://b.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := classify("x", &test.answer, nil)
			if (f == nil) != (test.want == nil) || f != nil && (f.Outcome != *test.want || f.detail != test.says) {
				t.Errorf("got %+v", f)
			}
			if f != nil && f.Outcome == outcomeRateLimited && f.wait != lastProbe {
				t.Errorf("a wait of %s", f.wait)
			}
		})
	}
}

func TestWhatAnErrorIs(t *testing.T) {
	of := func(err error) error { return &url.Error{Op: "Get", URL: "https://vault.example/v1/a", Err: err} }
	for _, test := range []struct {
		name string
		err  error
		want Outcome
	}{
		{"the server refuses the handshake", of(tls.AlertError(40)), outcomeTLS},
		{"the server speaks something else", of(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), outcomeTLS},
		{"so, told by nobody's client", tls.AlertError(40), outcomeTLS},
		{"the server cannot be dialled", of(&net.OpError{Op: "dial", Err: errors.New("refused")}), outcomeUnreachable},
		{"the connection is reset", of(&net.OpError{Op: "read", Err: errors.New("reset")}), outcomeBroken},
		{"the caller gave up", of(context.Canceled), outcomeSlow},
		{"the time is over", of(context.DeadlineExceeded), outcomeSlow},
		{"a time of the transport is over", of(os.ErrDeadlineExceeded), outcomeSlow},
		{"a handshake that takes long", of(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), outcomeSlow},
		{"something that nobody knows", errors.New("strange"), outcomeBroken},
		{"so, told by the client", of(errors.New("strange")), outcomeBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := classify("x", nil, fmt.Errorf("asking: %w", test.err))
			if f == nil || f.Outcome != test.want || !errors.Is(f, test.err) {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestAFaultOfACertificateIsToldWithoutTheRequest(t *testing.T) {
	secure := newScripted(t)
	rig := newRig(t, strings.Replace(secure.URL, "http://", "https://", 1))
	failure := rig.mustFail(atKV2, v1alpha1.ReasonTLSFailed)
	if !strings.Contains(failure.Message, "the server speaks plain HTTP there") {
		t.Errorf("%s", failure.Message)
	}
	if detail := tlsDetail(fmt.Errorf("asking: %w", &url.Error{Op: "Get", URL: "https://vault.example/v1/secret/a", Err: errors.New("expired")})); detail != "expired" {
		t.Errorf("it says %q", detail)
	}
	if detail := tlsDetail(errors.New("expired")); detail != "expired" {
		t.Errorf("it says %q", detail)
	}
}

func TestWhichFailuresAreThoseOfTheWholeConnection(t *testing.T) {
	for _, test := range []struct {
		outcome Outcome
		want    bool
	}{
		{outcomeSealed, true}, {outcomeRateLimited, true}, {outcomeLoginFailed, true}, {outcomeDeadToken, true}, {outcomeConnectionRefused, true},
		{outcomeDenied, false}, {outcomeOwnLimit, false}, {outcomeNoConnection, false}, {outcomeServerError, false},
	} {
		if got := test.outcome.at("x").wholeConnection(); got != test.want {
			t.Errorf("%s: %t", test.outcome.When, got)
		}
	}
}
