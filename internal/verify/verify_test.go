package verify_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/verify"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// status always answers the same.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// text answers 200 with a body.
func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
}

func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

// openRegistry has an open /v2/, and manifests behind the given registry.
func openRegistry(inner http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			w.WriteHeader(http.StatusOK)
			return
		}
		inner(w, r)
	}
}

// notBasicAtRoot is a registry of the kind that looks at a credential for /v2/ even though it asks for none.
func notBasicAtRoot(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/" && r.Header.Get("Authorization") == "" {
		w.WriteHeader(http.StatusOK)
		return
	}
	basicRegistry(w, r)
}

// harborToken ignores a wrong password as soon as a scope is asked for.
func harborToken(w http.ResponseWriter, r *http.Request) {
	if !loggedIn(r) && r.URL.Query().Get("scope") != "" {
		fmt.Fprint(w, `{"token":"anonymous"}`)
		return
	}
	honestToken(w, r)
}

// checkSafe fails if a result shows what it must not.
func checkSafe(t *testing.T, result verify.Result) {
	t.Helper()
	shown := fmt.Sprintf("%+v", result)
	encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	for _, secret := range []string{password, "wrong-password", encoded, "LEAKED", "good", "e30."} {
		if strings.Contains(shown, secret) {
			t.Errorf("the result shows %q: %s", secret, shown)
		}
	}
	if result.Message == "" || strings.Contains(result.Message, "%!") {
		t.Errorf("message %q", result.Message)
	}
	if result.Outcome != result.Reason.Outcome() {
		t.Errorf("outcome %s for reason %s", result.Outcome, result.Reason)
	}
}

func TestLogin(t *testing.T) {
	tests := []struct {
		name     string
		handler  http.HandlerFunc
		password string
		outcome  verify.Outcome
		reason   verify.Reason
		step     verify.Step
		status   int
	}{
		{"basic: the right password", basicRegistry, password, verify.Valid, verify.LoginAccepted, verify.StepBasic, 200},
		{"basic: a wrong password", basicRegistry, "wrong-password", verify.Rejected, verify.LoginFailed, verify.StepBasic, 401},
		{"token: the right password", tokenRegistry(honestToken), password, verify.Valid, verify.LoginAccepted, verify.StepToken, 200},
		{"token: where Basic is offered first, and not taken", basicBesideBearer, password, verify.Valid, verify.LoginAccepted, verify.StepToken, 200},
		{"token: a wrong password", tokenRegistry(honestToken), "wrong-password", verify.Rejected, verify.LoginFailed, verify.StepToken, 401},
		{"token: a wrong password that is ignored for scopes", tokenRegistry(harborToken), "wrong-password", verify.Rejected, verify.LoginFailed, verify.StepToken, 401},
		{"token: named access_token", tokenRegistry(text(`{"access_token":"good"}`)), password, verify.Valid, verify.LoginAccepted, verify.StepToken, 200},
		{"token: 403 by the registry, as GitLab and GitHub say it", tokenRegistry(func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 403, "DENIED")
		}), password, verify.Rejected, verify.LoginFailed, verify.StepToken, 403},
		{"token: 403 by something on the way", tokenRegistry(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, "<html>LEAKED")
		}), password, verify.Unknown, verify.RegistryError, verify.StepToken, 403},
		{"token: for nobody in particular", tokenRegistry(text(fmt.Sprintf(`{"token":%q}`, jwt(`{"sub":""}`)))), "wrong-password", verify.Unknown, verify.LoginUnproven, verify.StepToken, 200},
		{"token: for nobody in particular, named access_token", tokenRegistry(text(fmt.Sprintf(`{"access_token":%q}`, jwt(`{"sub":""}`)))), "wrong-password", verify.Unknown, verify.LoginUnproven, verify.StepToken, 200},
		{"token: garbage", tokenRegistry(text(`LEAKED {`)), password, verify.Unknown, verify.RegistryError, verify.StepToken, 200},
		{"token: JSON without a token", tokenRegistry(text(`{"LEAKED":"x"}`)), password, verify.Unknown, verify.RegistryError, verify.StepToken, 200},
		{"token: 404", tokenRegistry(status(404)), password, verify.Unknown, verify.RegistryError, verify.StepToken, 404},
		{"token: 429", tokenRegistry(status(429)), password, verify.Unknown, verify.RateLimited, verify.StepToken, 429},
		{"token: 500", tokenRegistry(status(500)), password, verify.Unknown, verify.RegistryError, verify.StepToken, 500},
		{"basic: 403 by the registry, as ECR says it of an expired token", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				refuse(w, 403, "DENIED")
				return
			}
			basicRegistry(w, r)
		}, password, verify.Rejected, verify.LoginFailed, verify.StepBasic, 403},
		{"no login asked for", status(200), password, verify.Unknown, verify.LoginUnproven, verify.StepPing, 200},
		{"401 that does not say how", status(401), password, verify.Unknown, verify.RegistryError, verify.StepPing, 401},
		{"an unknown way to log in", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Negotiate LEAKED")
			w.WriteHeader(401)
		}, password, verify.Unknown, verify.RegistryError, verify.StepPing, 401},
		{"garbage for a way to log in", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="LEAKED`)
			w.WriteHeader(401)
		}, password, verify.Unknown, verify.TokenRealmRefused, verify.StepToken, 0},
		{"a realm with a user in it", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				honestToken(w, r)
				return
			}
			challenge(w, r, "https://LEAKED:LEAKED@"+r.Host+"/token")
		}, password, verify.Unknown, verify.TokenRealmRefused, verify.StepToken, 0},
		{"403 before any login", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "DENIED") }, password, verify.Unknown, verify.RegistryError, verify.StepPing, 403},
		{"no registry at all", status(404), password, verify.Unknown, verify.RegistryError, verify.StepPing, 404},
		{"429", status(429), password, verify.Unknown, verify.RateLimited, verify.StepPing, 429},
		{"500", status(500), password, verify.Unknown, verify.RegistryError, verify.StepPing, 500},
		{"503", status(503), password, verify.Unknown, verify.RegistryError, verify.StepPing, 503},
		{"a redirect to nowhere", status(302), password, verify.Unknown, verify.RedirectRefused, verify.StepPing, 302},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serveTLS(t, tt.handler)
			got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, tt.password))
			checkSafe(t, got)
			want := verify.Result{Registry: s.host, Outcome: tt.outcome, Reason: tt.reason, Step: tt.step, StatusCode: tt.status, Message: got.Message}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Login (-want +got):\n%s", diff)
			}
		})
	}
}

// Registries differ in how they refuse, and in how they hide: an image that is denied to everybody else, or not there for them, is private, and
// pulling it proves the credential.
func TestPull(t *testing.T) {
	tests := []struct {
		name     string
		handler  http.HandlerFunc
		password string
		image    string // below the registry
		outcome  verify.Outcome
		reason   verify.Reason
		step     verify.Step
		status   int
	}{
		{"basic: an image of ours", basicRegistry, password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"basic: an image of ours by digest", basicRegistry, password, "team/app@" + digest, verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"basic: by tag and digest the digest counts", basicRegistry, password, "team/app:7@" + digest, verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"basic: an image of others", basicRegistry, password, "other/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 403},
		{"basic: no such image", basicRegistry, password, "team/app:2", verify.Unknown, verify.ImageNotFound, verify.StepHead, 404},
		{"basic: a wrong password is no denied image", basicRegistry, "wrong-password", "team/app:1", verify.Rejected, verify.LoginFailed, verify.StepBasic, 401},
		{"token: an image of ours", tokenRegistry(honestToken), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"token: named access_token", tokenRegistry(text(`{"access_token":"good"}`)), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"token: named both ways", tokenRegistry(text(`{"access_token":"good","token":"old"}`)), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"token: an image of others", tokenRegistry(honestToken), password, "other/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 403},
		{"token: no such image", tokenRegistry(honestToken), password, "team/app:2", verify.Unknown, verify.ImageNotFound, verify.StepHead, 404},
		{"token: a wrong password is no denied image", tokenRegistry(honestToken), "wrong-password", "team/app:1", verify.Rejected, verify.LoginFailed, verify.StepToken, 401},
		{"token: a wrong password that is ignored for scopes is no denied image", tokenRegistry(harborToken), "wrong-password", "team/app:1", verify.Rejected, verify.LoginFailed, verify.StepToken, 401},
		{"token: 200 for a scope that is then denied", tokenRegistry(text(`{"token":"powerless"}`)), password, "team/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 401},
		{"token: the scope is denied", tokenRegistry(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("scope") == "repository:team/app:pull" {
				refuse(w, 403, "DENIED")
				return
			}
			honestToken(w, r)
		}), password, "team/app:1", verify.Rejected, verify.PullDenied, verify.StepToken, 403},
		{"token: 429 for the scope", tokenRegistry(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("scope") {
				w.WriteHeader(429)
				return
			}
			honestToken(w, r)
		}), password, "team/app:1", verify.Unknown, verify.RateLimited, verify.StepToken, 429},
		{"token: one that cannot be sent", tokenRegistry(text(`{"token":"LEAKED\n"}`)), password, "team/app:1", verify.Unknown, verify.Unreachable, verify.StepHead, 0},
		{"the image is not served for now", openRegistryFor(basicRegistry, 503), password, "team/app:1", verify.Unknown, verify.RegistryError, verify.StepHead, 503},
		{"too many images asked for", openRegistryFor(basicRegistry, 429), password, "team/app:1", verify.Unknown, verify.RateLimited, verify.StepHead, 429},
		{"an image that is denied to everybody", openRegistryFor(basicRegistry, 403), password, "team/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 403},
		{"a manifest without digest", openRegistryFor(basicRegistry, 200), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"an open /v2/, and basic for the manifest", openRegistry(basicRegistry), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"an open /v2/, and basic for the manifest, with a wrong password", openRegistry(basicRegistry), "wrong-password", "team/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 401},
		{"an open /v2/ that looks at a wrong password all the same", notBasicAtRoot, "wrong-password", "team/app:1", verify.Rejected, verify.LoginFailed, verify.StepBasic, 401},
		{"an open /v2/, and tokens for the manifest", openRegistry(tokenRegistry(honestToken)), password, "team/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"an open /v2/, and tokens for the manifest, with a wrong password", openRegistry(tokenRegistry(honestToken)), "wrong-password", "team/app:1", verify.Rejected, verify.LoginFailed, verify.StepToken, 401},
		{"an open /v2/ and an image for everybody", openRegistry(serveManifests), "wrong-password", "team/app:1", verify.Unknown, verify.LoginUnproven, verify.StepHead, 200},
		{"an open /v2/ and no such image", openRegistry(serveManifests), password, "team/app:2", verify.Unknown, verify.ImageNotFound, verify.StepHead, 404},
		{"a token for nobody, and an image for everybody", publicRegistry, "wrong-password", "team/app:1", verify.Unknown, verify.LoginUnproven, verify.StepHead, 200},
		{"a token for nobody, and an image that is not for everybody", publicRegistry, password, "private/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"a token for nobody, and an image that is hidden from everybody else", publicRegistry, password, "hidden/app:1", verify.Valid, verify.PullAllowed, verify.StepHead, 200},
		{"a token for nobody, and an image of others", publicRegistry, "wrong-password", "private/app:1", verify.Rejected, verify.PullDenied, verify.StepHead, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serveTLS(t, tt.handler)
			image := s.host + "/" + tt.image
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, tt.password), image)
			if len(got) != 1 {
				t.Fatalf("%d results for one image", len(got))
			}
			checkSafe(t, got[0])
			want := verify.Result{
				Registry: s.host, Image: image, Outcome: tt.outcome, Reason: tt.reason, Step: tt.step, StatusCode: tt.status,
				Digest: got[0].Digest, Message: got[0].Message, BeforeImage: strings.HasSuffix(tt.name, "is no denied image"),
			}
			if diff := cmp.Diff(want, got[0]); diff != "" {
				t.Errorf("Pull (-want +got):\n%s\nasked: %q", diff, s.asked())
			}
			if told := got[0].Digest; told != "" && told != digest {
				t.Errorf("the digest %q is nobody's", told)
			}
			for _, request := range s.asked() {
				if strings.HasPrefix(request, "GET ") && strings.Contains(request, "/manifests/") {
					t.Errorf("a manifest was asked for with GET, which counts against rate limits: %q", s.asked())
				}
			}
		})
	}
}

// openRegistryFor answers a status for each manifest, after the login.
func openRegistryFor(inner http.HandlerFunc, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(code)
			return
		}
		inner(w, r)
	}
}

// publicRegistry gives tokens without a subject to everybody. team/app is shown for each of them, and private/app
// only for the one that the right password gets. For all others hidden/app is not there.
func publicRegistry(w http.ResponseWriter, r *http.Request) {
	nobody, somebody := jwt(`{"sub":""}`), jwt(`{"sub":"","access":["private"]}`)
	authorization := r.Header.Get("Authorization")
	switch {
	case r.URL.Path == "/token" && loggedIn(r):
		fmt.Fprintf(w, `{"token":%q}`, somebody)
	case r.URL.Path == "/token":
		fmt.Fprintf(w, `{"token":%q}`, nobody)
	case !strings.HasPrefix(authorization, "Bearer "),
		strings.Contains(r.URL.Path, "private") && authorization != "Bearer "+somebody:
		challenge(w, r, "https://"+r.Host+"/token")
	case strings.Contains(r.URL.Path, "hidden") && authorization != "Bearer "+somebody:
		w.WriteHeader(http.StatusNotFound)
	default:
		manifest(w)
	}
}

func TestPullLearnsTheDigestOfTheIndex(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && !strings.Contains(r.Header.Get("Accept"), "application/vnd.oci.image.index.v1+json") {
			t.Errorf("Accept: %q", r.Header.Get("Accept"))
		}
		basicRegistry(w, r)
	})
	got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")
	if got[0].Digest != digest {
		t.Errorf("digest %q, want %q", got[0].Digest, digest)
	}
}

func TestAWrongCredentialIsShownOnceHoweverManyImages(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"basic": basicRegistry, "token": tokenRegistry(honestToken)} {
		t.Run(name, func(t *testing.T) {
			s := serveTLS(t, handler)
			images := []string{s.host + "/team/app:1", s.host + "/team/app:2", s.host + "/other/app:1"}
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, "wrong-password"), images...)
			for i, result := range got {
				if result.Reason != verify.LoginFailed || result.Image != images[i] {
					t.Errorf("result %d: %s for %s", i, result.Reason, result.Image)
				}
			}
			if len(got) != len(images) || s.authenticated() != 1 {
				t.Errorf("%d results, %d logins: %q", len(got), s.authenticated(), s.asked())
			}
		})
	}
}

func TestOneBadImageDoesNotHideTheOthers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"basic": basicRegistry, "token": tokenRegistry(honestToken), "open /v2/": openRegistry(serveManifests),
	} {
		t.Run(name, func(t *testing.T) {
			s := serveTLS(t, handler)
			got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password),
				s.host+"/team/app:2", s.host+"/Not An Image", "elsewhere.example.com/team/app:1", s.host+"/team/app:1")
			reasons := make([]verify.Reason, 0, len(got))
			for _, result := range got {
				checkSafe(t, result)
				reasons = append(reasons, result.Reason)
			}
			want := []verify.Reason{verify.ImageNotFound, verify.NotTestable, verify.NotTestable, verify.PullAllowed}
			if name == "open /v2/" {
				want[3] = verify.LoginUnproven
			}
			if diff := cmp.Diff(want, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// A registry with an open /v2/ where only one of two images asks for a login, and for the other none is looked at.
func TestAnOpenRegistryProvesNothingWithAnImageForEverybody(t *testing.T) {
	s := serveTLS(t, openRegistry(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/public/") {
			manifest(w)
			return
		}
		basicRegistry(w, r)
	}))
	got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, "wrong-password"), s.host+"/team/app:1", s.host+"/public/app:1")
	if got[0].Reason != verify.PullDenied || got[1].Reason != verify.LoginUnproven {
		t.Errorf("%+v", got)
	}
}

func TestAKeyWithAWildcardIsTestedAtTheRegistriesOfItsImages(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	resolve(t, map[string]string{"a.example.com": "127.0.0.1", "b.example.com": "127.0.0.1"})
	key := "*.example.com:" + s.port
	a, b := "a.example.com:"+s.port, "b.example.com:"+s.port
	credential := newCredential(t, user, password)

	got := s.trusting().Pull(t.Context(), key, credential, a+"/team/app:1", b+"/other/app:1")
	if got[0].Registry != a || got[0].Reason != verify.PullAllowed || got[1].Registry != b || got[1].Reason != verify.PullDenied {
		t.Errorf("%+v", got)
	}
	if login := s.trusting().Login(t.Context(), key, credential); login.Reason != verify.NotTestable {
		t.Errorf("a login at no registry in particular: %+v", login)
	}
}

func TestNothingIsAskedWhereNothingCanBeTested(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	credential := newCredential(t, user, password)
	results := map[string]verify.Result{
		"a key without host":           s.trusting().Login(t.Context(), "", credential),
		"a host that is no host":       s.trusting().Login(t.Context(), "bad host:x", credential),
		"no credential":                s.trusting().Login(t.Context(), s.host, dockerconfig.Credential{}),
		"no credential for an image":   s.trusting().Pull(t.Context(), s.host, dockerconfig.Credential{}, s.host+"/team/app:1")[0],
		"an image of another registry": s.trusting().Pull(t.Context(), "quay.io", credential, s.host+"/team/app:1")[0],
		"an image outside the path":    s.trusting().Pull(t.Context(), s.host+"/shop", credential, s.host+"/team/app:1")[0],
		"a credential for Docker Hub, which kubelets show to localhost too": s.trusting().
			Pull(t.Context(), "https://index.docker.io/v1/", credential, "localhost/team/app:1")[0],
	}
	for name, result := range results {
		t.Run(name, func(t *testing.T) {
			checkSafe(t, result)
			if result.Outcome != verify.Unknown || result.Reason != verify.NotTestable || result.Step != verify.StepNone {
				t.Errorf("%+v", result)
			}
		})
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("the registry was asked: %q", asked)
	}
}

// Docker Hub's registry is at another name than its images and its key say.
func TestDockerHubIsAskedAtItsIndex(t *testing.T) {
	resolve(t, map[string]string{"index.docker.io": "127.0.0.1"})
	credential := newCredential(t, user, password)
	for _, key := range []string{"https://index.docker.io/v1/", "docker.io"} {
		strict := verify.New(verify.Options{})
		for _, got := range append(strict.Pull(t.Context(), key, credential, "nginx"), strict.Login(t.Context(), key, credential)) {
			// Only index.docker.io resolves, and what it resolves to is then refused.
			if got.Registry != "docker.io" || got.Reason != verify.AddressRefused {
				t.Errorf("%s: %+v", key, got)
			}
		}
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
	if got.Reason != verify.RateLimited || got.RetryAfter != 90*time.Second {
		t.Errorf("%+v", got)
	}
}

func TestUserAgent(t *testing.T) {
	agents := make(chan string, 10)
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		agents <- r.UserAgent()
		basicRegistry(w, r)
	})
	s.trusting(func(o *verify.Options) { o.UserAgent = "regcred/1.2" }).Login(t.Context(), s.host, newCredential(t, user, password))
	close(agents)
	asked := 0
	for agent := range agents {
		if asked++; agent != "regcred/1.2" {
			t.Errorf("User-Agent %q", agent)
		}
	}
	if asked != 2 { // how to log in, and the login
		t.Errorf("%d requests", asked)
	}
}
