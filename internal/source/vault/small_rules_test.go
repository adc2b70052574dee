package vault

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/foreign"
)

// A server says how long it is to be left alone, and decides no more than two minutes.
func TestForHowLongAServerIsLeftAlone(t *testing.T) {
	for says, want := range map[string]time.Duration{
		"7": 7 * time.Second, "120": longestPause, "121": longestPause, "9223372036854775807": longestPause, "99999999999999999999": lastProbe, "-1": lastProbe, "soon": lastProbe, "": lastProbe,
	} {
		if f := classifyRateLimit("x", &answer{header: http.Header{"Retry-After": {says}}}); f.wait != want {
			t.Errorf("%q: %s, want %s", says, f.wait, want)
		}
	}
}

// The name of a lease is kept in the record and shown where it cannot be given back.
func TestWhatCanNameALease(t *testing.T) {
	for name, want := range map[string]bool{
		"": true, "robots/creds/a/1": true, strings.Repeat("x", longestLeaseName): true, strings.Repeat("x", longestLeaseName+1): false, "a\x1b[2J": false, "a\nb": false,
	} {
		if got := isLeaseName(name); got != want {
			t.Errorf("one of %d bytes: %t", len(name), got)
		}
	}
}

func TestWhichFailuresOfALoginAreARefusal(t *testing.T) {
	says := func(status int, errors ...string) *answer {
		return &answer{status: status, content: content{Errors: errors}}
	}
	for _, test := range []struct {
		name    string
		failure Outcome
		answer  *answer
		want    Outcome
	}{
		{"the first status of a refusal", outcomeBadRequest, says(400), outcomeLoginRefused},
		{"the last one", outcomeBadRequest, says(499), outcomeLoginRefused},
		{"a node that is behind", outcomeBehind, says(412), outcomeLoginFailed},
		{"a failure", outcomeServerError, says(500), outcomeLoginFailed},
		{"a refusal that is told as a failure", outcomeServerError, says(500, "1 error occurred", "invalid secret id"), outcomeLoginRefused},
		{"what is no refusal", outcomeBadRequest, says(399), outcomeLoginFailed},
		{"no answer", outcomeSlow, nil, outcomeLoginFailed},
		{"a failed login", outcomeLoginFailed, says(400), outcomeLoginFailed},
		{"a sealed server", outcomeSealed, says(503), outcomeSealed},
		{"a server that wants fewer requests", outcomeRateLimited, says(429), outcomeRateLimited},
	} {
		if got := asLoginFailure(test.failure.at("x"), test.answer); got.Outcome != test.want {
			t.Errorf("%s: %s", test.name, got.When)
		}
	}
}

func TestWhatEachRefusalOfALoginMeans(t *testing.T) {
	for says, means := range map[string]string{
		"could not be found": "no such role", "invalid subject (sub) claim": "bound_subject", "could not load configuration": "its config was not written",
		"invalid role ID": "does not know the role ID", "invalid role or secret ID": "the role ID or the secret ID is wrong",
	} {
		if got := whyRefused(&answer{content: content{Errors: []string{"1 error occurred:\n\t* " + says}}}); !strings.Contains(got, means) {
			t.Errorf("%s: %q", says, got)
		}
	}
}

func TestWhichRefusalsSayThatThereIsNoSuchRole(t *testing.T) {
	for text, want := range map[string]bool{
		`Role "a" not found`: true, "unknown role: a": true, "role 'a' does not exist": true, "no such role: a": true, "role a not recognised": true,
		"path not found": false, "the role is disabled": false, "": false,
	} {
		if got := saysNoRole([]string{"1 error occurred", text}); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	for _, test := range []struct {
		name  string
		a     *answer
		first Outcome
		want  Outcome
	}{
		{"nothing is there", nil, outcomeNeverWritten, outcomeNoRole},
		{"a refusal that says so", &answer{status: 400, content: content{Errors: []string{"unknown role: a"}}}, outcomeBadRequest, outcomeNoRole},
		{"one with another status", &answer{status: 405, content: content{Errors: []string{"unknown role: a"}}}, outcomeBadRequest, outcomeBadRequest},
		{"one that says something else", &answer{status: 400, content: content{Errors: []string{"no"}}}, outcomeBadRequest, outcomeBadRequest},
		{"one without an answer", nil, outcomeBadRequest, outcomeBadRequest},
		{"another failure that says so", &answer{status: 400, content: content{Errors: []string{"unknown role: a"}}}, outcomeDenied, outcomeDenied},
	} {
		if got := aboutRole(test.a, test.first.at("x")); got.Outcome != test.want {
			t.Errorf("%s: %s", test.name, got.When)
		}
	}
	if aboutRole(nil, nil) != nil {
		t.Error("of what went well something is said")
	}
}

// What leaves this package is shown in a status: it quotes certificates, places and versions, which others wrote.
func TestWhatIsToldOfAFailure(t *testing.T) {
	cause := errors.New("cause")
	f := outcomeRateLimitedFor.at("a\x1b[2J").because(cause).saying(strings.Repeat("x", 5000))
	f.wait, f.wasted = 7*time.Second, true
	got := f.exported()
	if len(got.Message) > foreign.MessageLength || strings.Contains(got.Message, "\x1b") || got.Reason != f.Reason || got.RetryAfter != 7*time.Second || !got.Wasted || got.Stalled || !errors.Is(got, cause) {
		t.Errorf("%+v", got)
	}
	if stalled := outcomeDenied.at("x").exported(); !stalled.Stalled || stalled.Wasted {
		t.Errorf("%+v", stalled)
	}
	for want, f := range map[string]*failure{
		"x: " + outcomeSealed.Message: outcomeSealed.at("x"), "x: why; " + outcomeSealed.Message: outcomeSealed.at("x").saying("why"), "x: do that": outcomeSealed.at("x").advising("do that"),
	} {
		if got := f.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Who names a CA means that no other authority vouches for the server.
func TestBesideACAOfTheSpecNoAuthorityOfTheSystemIsTrusted(t *testing.T) {
	bundle := []byte(anotherCA(t))
	alone := x509.NewCertPool()
	if config, err := tlsConfig(bundle, "", nil); err != nil || !alone.AppendCertsFromPEM(bundle) || !config.RootCAs.Equal(alone) {
		t.Errorf("others are trusted, too: %v", err)
	}
	if config, err := tlsConfig(nil, "", nil); err != nil || config.RootCAs != nil {
		t.Errorf("without one those of the system are not meant: %v", err)
	}
}
