package exchange

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/payload"
)

// scripted is a cloud that answers by host, and keeps what it was asked.
type scripted struct {
	answers map[string]string
	status  map[string]int
	asked   []string
	header  http.Header
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked, s.header = append(s.asked, r.URL.Host+r.URL.Path), r.Header
	status := s.status[r.URL.Host]
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(s.answers[r.URL.Host])), Request: r}, nil
}

// loginUntil is an answer of ECR with a password, which ends at a time.
func loginUntil(password string, end time.Time) string {
	return fmt.Sprintf(`{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, base64.StdEncoding.EncodeToString([]byte("AWS:"+password)), end.Unix())
}

func TestTheLoginThatEndsFirstSaysWhenAllAreMadeAgain(t *testing.T) {
	const irish, ohio = "api.ecr.eu-west-1.amazonaws.com", "api.ecr.us-east-2.amazonaws.com"
	hosts := []v1alpha1.Registry{"111122223333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.us-east-2.amazonaws.com"}
	soon, later := noon.Add(time.Hour), noon.Add(2*time.Hour)
	ending := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"payload":"x","datakey":"y","expiration":%d}`, soon.Unix()))
	for name, answers := range map[string]map[string]string{
		"of the first region":     {irish: loginUntil("a", soon), ohio: loginUntil("b", later)},
		"of the second region":    {irish: loginUntil("a", later), ohio: loginUntil("b", soon)},
		"by what a password says": {irish: loginUntil("a", later), ohio: loginUntil(ending, later)},
	} {
		for range 16 { // a map has no order
			fields, err := New(&scripted{answers: answers}, at(noon)).Exchange(t.Context(), &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}, hosts, ofAWS)
			if err != nil || fields["expires_at"] != soon.Format(time.RFC3339) {
				t.Fatalf("%s: %v, %v", name, fields["expires_at"], err)
			}
		}
	}
}

func TestOfTwoThingsThatASourceGaveOneCounts(t *testing.T) {
	const login, registry = "login.microsoftonline.com", "company.azurecr.io"
	azure := func() *scripted {
		return &scripted{answers: map[string]string{login: `{"access_token":"made","token_type":"Bearer"}`, registry: `{"refresh_token":"made"}`}}
	}
	for name, test := range map[string]struct {
		tenant string
		fields payload.Fields
		asked  []string
	}{
		"the tenant of the spec before that beside the principal": {"spec.io", payload.Fields{"client_id": "a", "client_secret": "b", "tenant_id": "stored.io"},
			[]string{login + "/spec.io/oauth2/v2.0/token", registry + "/oauth2/exchange"}},
		"an access token before a principal": {"spec.io", payload.Fields{"access_token": "c", "client_id": "a", "client_secret": "b"}, []string{registry + "/oauth2/exchange"}},
	} {
		cloud := azure()
		if _, err := New(cloud, at(noon)).acr(t.Context(), test.tenant, []string{registry}, test.fields); err != nil || !slices.Equal(cloud.asked, test.asked) {
			t.Errorf("%s: asked were %q, %v", name, cloud.asked, err)
		}
	}
	cloud := &scripted{answers: map[string]string{"api.ecr.eu-west-1.amazonaws.com": loginUntil("a", noon.Add(time.Hour))}}
	fields := payload.Fields{"access_key": "x", "secret_key": "y", "security_token": "of-the-engine", "session_token": "other"}
	if _, err := New(cloud, at(noon)).ecr(t.Context(), []string{string(ecrHost)}, fields); err != nil || cloud.header.Get("X-Amz-Security-Token") != "of-the-engine" {
		t.Errorf("it sends the token %q, %v", cloud.header.Get("X-Amz-Security-Token"), err)
	}
}

// A kubelet compares the hosts of images and entries letter by letter.
func TestALoginIsForTheHostAsTheSpecWritesIt(t *testing.T) {
	hosts := []string{"Company.azurecr.io", "others.azurecr.io"}
	cloud := &scripted{answers: map[string]string{"company.azurecr.io": `{"refresh_token":"of-company"}`, "others.azurecr.io": `{"refresh_token":"of-others"}`}}
	got, err := New(cloud, at(noon)).acr(t.Context(), "", hosts, payload.Fields{"access_token": "c"})
	if err != nil || len(got.logins) != 2 || got.logins[hosts[0]].Password != "of-company" || got.logins[hosts[1]].Password != "of-others" {
		t.Errorf("%v, %v", got.logins, err)
	}
}

// What Entra has to say is about a principal, whichever registry it is asked for and whatever secret is shown.
func TestWhileEntraTurnsAPrincipalAwayItIsNotAskedForAnotherRegistry(t *testing.T) {
	const login = "login.microsoftonline.com"
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		cloud := &scripted{status: map[string]int{login: status}}
		e := New(cloud, at(noon))
		for i, host := range []string{"company.azurecr.io", "others.azurecr.io"} {
			_, err := e.acr(t.Context(), "company.io", []string{host}, payload.Fields{"client_id": "a", "client_secret": fmt.Sprint("secret", i)})
			if !errors.Is(err, ErrUnavailable) || !strings.HasPrefix(err.Message, login+": ") || len(cloud.asked) != 1 {
				t.Errorf("status %d, %s: %v after %q", status, host, err, cloud.asked)
			}
		}
	}
}

// An outage is everybody's at that host, and nobody's at another one of the region.
func TestAnOutageOfAHostShutsItForAllLoginsAndNoOtherHost(t *testing.T) {
	const private, public = "api.ecr.us-east-1.amazonaws.com", "api.ecr-public.us-east-1.amazonaws.com"
	cloud := &scripted{status: map[string]int{private: http.StatusServiceUnavailable}, answers: map[string]string{public: loginUntil("a", noon.Add(time.Hour))}}
	e := New(cloud, at(noon))
	for _, key := range []string{"x", "other"} {
		_, err := e.ecr(t.Context(), []string{"111122223333.dkr.ecr.us-east-1.amazonaws.com"}, payload.Fields{"access_key": key, "secret_key": "y"})
		if !errors.Is(err, ErrUnavailable) || len(cloud.asked) != 1 {
			t.Errorf("%s: %v after %q", key, err, cloud.asked)
		}
	}
	if _, err := e.ecr(t.Context(), []string{"public.ecr.aws"}, ofAWS); err != nil {
		t.Errorf("the public gallery: %v", err)
	}
}

// failing is a transport that fails with a text.
type failing string

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New(string(f)) }

func TestNoErrorOfEntraHoldsWhatWasAnsweredHoweverDeep(t *testing.T) {
	_, err := New(failing(`malformed HTTP response "secret-of-the-cloud"`), at(noon)).acr(t.Context(), "company.io", []string{"company.azurecr.io"}, ofPrincipal)
	if err == nil || strings.Contains(fmt.Sprintf("%v %#v %v", err, err, err.Err), "secret-of-the-cloud") {
		t.Errorf("%v: %v", err, err.Err)
	}
}

func TestWhatIsKnownOfAGateAfterARequest(t *testing.T) {
	who := askerOf("cloud.example", "a")
	limited := func() *Error { e := fault(ErrUnavailable, "status 429"); e.ofLogin = true; return e }
	away := func() *Error { return fault(ErrUnavailable, "status 503") }
	for name, result := range map[string]*Error{"a login": nil, "a refusal": fault(ErrRefused, "AccessDenied")} {
		for before, failure := range map[string]*Error{"of the login": limited(), "of the host": away()} {
			g := gates{m: map[asker]shut{}}
			g.leave(who, noon, failure)
			if g.leave(who, noon.Add(firstPause), result); len(g.m) != 0 {
				t.Errorf("after %s a failure %s is still known: %v", name, before, g.m)
			}
		}
	}
	for name, failure := range map[string]func() *Error{"of the login": limited, "of the host": away} {
		g := gates{m: map[asker]shut{}}
		g.leave(who, noon, failure())
		g.giveUp(who, noon)
		again := failure()
		if g.leave(who, noon, again); again.RetryAfter != 2*firstPause {
			t.Errorf("whoever gives up has the pauses %s begin again: %s", name, again.RetryAfter)
		}
	}
}

func TestALoginThatCameOpensTheGateThoughNobodyWaitsForIt(t *testing.T) {
	e := New(&away{}, at(noon))
	who := askerOf("cloud.example", "a")
	ctx, cancel := context.WithCancel(t.Context())
	e.gates.leave(who, noon.Add(-time.Hour), fault(ErrUnavailable, "status 503"))
	got, err := throughGate(ctx, e, who, func() (string, *Error) { cancel(); return "made", nil })
	if got != "made" || err != nil || len(e.gates.m) != 0 {
		t.Errorf("%q, %v, and it is known that %v", got, err, e.gates.m)
	}
}
