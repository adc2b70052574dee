package verify_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/verify"
)

// manyRepositories serves repositories below one host that have a token endpoint each, /token/REPOSITORY. What one gives the other does not
// take. At /v2/ it names that of the first.
func manyRepositories(first string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if repository, asked := strings.CutPrefix(r.URL.Path, "/token/"); asked {
			if !loggedIn(r) {
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
				return
			}
			fmt.Fprintf(w, `{"token":"of-%s"}`, repository)
			return
		}
		repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if repository == "" {
			repository = first
		}
		if r.Header.Get("Authorization") != "Bearer of-"+repository {
			challenge(w, r, "https://"+r.Host+"/token/"+repository)
			return
		}
		serveManifests(w, r)
	}
}

func TestAnImageIsAskedForAsItWantsToBe(t *testing.T) {
	basic := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			basicRegistry(w, r)
			return
		}
		tokenRegistry(honestToken)(w, r)
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			challenge(w, r, "http://"+r.Host+"/token")
			return
		}
		tokenRegistry(honestToken)(w, r)
	}
	const denied = "HEAD /v2/team/app/manifests/1 Bearer" // twice: the library beneath takes the token for one that has ended
	for _, test := range []struct {
		name     string
		handler  http.HandlerFunc
		password string
		want     verify.Reason
		asked    []string
	}{
		{"the endpoint of /v2/ is that of the image", manyRepositories("team"), password, verify.PullAllowed, []string{
			"GET /v2/", "GET /token/team Basic", "GET /token/team Basic", "HEAD /v2/team/app/manifests/1 Bearer"}},
		{"the endpoint of /v2/ is that of another repository", manyRepositories("other"), password, verify.PullAllowed, []string{
			"GET /v2/", "GET /token/other Basic", "GET /token/other Basic", denied, "GET /token/other Basic", denied,
			"HEAD /v2/team/app/manifests/1", "GET /token/team Basic", "HEAD /v2/team/app/manifests/1 Bearer"}},
		{"a token for nobody, which is asked for once more as everybody", publicRegistry, password, verify.LoginUnproven, []string{
			"GET /v2/", "GET /token Basic", "GET /token Basic", "HEAD /v2/team/app/manifests/1 Bearer", "GET /token", "HEAD /v2/team/app/manifests/1 Bearer"}},
		{"a wrong password is shown once", manyRepositories("other"), "wrong", verify.LoginFailed, []string{"GET /v2/", "GET /token/other Basic"}},
		{"the image wants Basic where /v2/ wants a token", basic, password, verify.PullAllowed, []string{
			"GET /v2/", "GET /token Basic", "GET /token Basic", denied, "GET /token Basic", denied,
			"HEAD /v2/team/app/manifests/1", "HEAD /v2/team/app/manifests/1 Basic"}},
		{"the image names an endpoint that is not to be asked", elsewhere, password, verify.TokenRealmRefused, []string{
			"GET /v2/", "GET /token Basic", "GET /token Basic", denied, "GET /token Basic", denied, "HEAD /v2/team/app/manifests/1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serveTLS(t, test.handler)
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, test.password), s.host+"/team/app:1")
			if len(got) != 1 || got[0].Reason != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
			for _, result := range got {
				checkSafe(t, result)
			}
			if diff := cmp.Diff(test.asked, s.asked()); diff != "" {
				t.Errorf("it was asked (-want +got):\n%s", diff)
			}
		})
	}
}

// Where an image wants what was tried already, nothing is shown again.
func TestADeniedImageIsNotAskedForTwiceInTheSameWay(t *testing.T) {
	realms := 0
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		asked   []string
	}{
		{"by a token", tokenRegistry(honestToken), []string{
			"GET /v2/", "GET /token Basic", "GET /token Basic", "HEAD /v2/other/app/manifests/1 Bearer", "HEAD /v2/other/app/manifests/1"}},
		{"by Basic, with another text for people", func(w http.ResponseWriter, r *http.Request) {
			if loggedIn(r) {
				serveManifests(w, r)
				return
			}
			realms++
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Basic realm="%d"`, realms))
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		}, []string{"GET /v2/", "GET /v2/ Basic", "HEAD /v2/other/app/manifests/1 Basic", "HEAD /v2/other/app/manifests/1"}},
		{"but by a token for another service", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" && strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="other"`, r.Host))
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
				return
			}
			tokenRegistry(honestToken)(w, r)
		}, []string{"GET /v2/", "GET /token Basic", "GET /token Basic", "HEAD /v2/other/app/manifests/1 Bearer",
			"HEAD /v2/other/app/manifests/1", "GET /token Basic", "HEAD /v2/other/app/manifests/1 Bearer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serveTLS(t, test.handler)
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/other/app:1")
			if len(got) != 1 || got[0].Reason != verify.PullDenied {
				t.Errorf("%+v, want that the image is denied", got)
			}
			if diff := cmp.Diff(test.asked, s.asked()); diff != "" {
				t.Errorf("it was asked (-want +got):\n%s", diff)
			}
		})
	}
}

// forNobody is a token that says that it was given to nobody in particular.
const forNobody = "a.eyJzdWIiOiIifQ.b"

// Where the login proved nothing, a pull does so only if nobody else could: asked at the image's own endpoint, and answered.
func TestAPullProvesALoginOnlyWhereOthersAreSurelyDenied(t *testing.T) {
	ownEndpoint := func(public bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token/first":
				fmt.Fprintf(w, `{"token":%q}`, forNobody)
			case r.URL.Path == "/token/team" && !loggedIn(r) && !public:
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
			case r.URL.Path == "/token/team":
				fmt.Fprint(w, `{"token":"of-team"}`)
			case r.URL.Path == "/v2/":
				challenge(w, r, "https://"+r.Host+"/token/first")
			case r.Header.Get("Authorization") != "Bearer of-team":
				challenge(w, r, "https://"+r.Host+"/token/team")
			default:
				serveManifests(w, r)
			}
		}
	}
	others := func(status int) http.HandlerFunc { // get no token, or one with which the image is answered so
		return tokenRegistry(func(w http.ResponseWriter, r *http.Request) {
			if !loggedIn(r) {
				refuse(w, status, "UNAUTHORIZED")
				return
			}
			if r.URL.Query().Get("scope") == "" {
				fmt.Fprintf(w, `{"token":%q}`, forNobody)
				return
			}
			fmt.Fprint(w, `{"token":"good"}`)
		})
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    verify.Reason
	}{
		{"others are denied", others(http.StatusUnauthorized), verify.PullAllowed},
		{"what others get is not known", others(http.StatusInternalServerError), verify.LoginUnproven},
		{"others are to come later", others(http.StatusTooManyRequests), verify.LoginUnproven},
		{"others are denied at the image's own endpoint", ownEndpoint(false), verify.PullAllowed},
		{"others may pull, asked at the image's own endpoint", ownEndpoint(true), verify.LoginUnproven},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serveTLS(t, test.handler)
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")
			if len(got) != 1 || got[0].Reason != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

func TestTheEndpointOfOneImageIsShownTheCredentialForNoOther(t *testing.T) {
	s := serveTLS(t, manyRepositories("third"))
	got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1", s.host+"/third/app:1", s.host+"/third/app:2")
	if len(got) != 3 || got[0].Reason != verify.PullAllowed || got[1].Reason != verify.ImageNotFound || got[2].Reason != verify.ImageNotFound {
		t.Errorf("%+v", got)
	}
	shown := 0
	for _, request := range s.asked() {
		if request == "GET /token/team Basic" {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("it was shown %d times: %q", shown, s.asked())
	}
}
