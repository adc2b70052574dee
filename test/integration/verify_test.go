package integration

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/proxy/proxytest"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/box"
)

// verifyRig is a real registry with the user robot, who may pull team/.
type verifyRig struct {
	*box.Registry
	options verify.Options
	digest  string // of the index team/app:1
}

func newVerifyRig(t *testing.T) *verifyRig {
	t.Helper()
	rig := &verifyRig{Registry: box.RegistryForTest(t, box.RegistryOptions{TLS: true})}
	bundle, err := os.ReadFile(rig.CAFile)
	rig.must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatalf("%s holds no certificate", rig.CAFile)
	}
	rig.options = verify.Options{AllowLoopback: true, RootCAs: func(string) *x509.CertPool { return roots }}
	rig.setPassword(t, "right")

	index, err := random.Index(64, 1, 2)
	rig.must(t, err)
	image, err := random.Image(64, 1)
	rig.must(t, err)
	rig.must(t, rig.Push(t.Context(), "team/app:1", index))
	rig.must(t, rig.Push(t.Context(), "other/app:1", image))
	hash, err := index.Digest()
	rig.must(t, err)
	rig.digest = hash.String()
	return rig
}

func (rig *verifyRig) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (rig *verifyRig) setPassword(t *testing.T, password string) {
	t.Helper()
	rig.must(t, rig.SetUser(t.Context(), box.User{Name: "robot", Password: password, Pull: []string{"team/"}}))
}

// hosts are the two ways to log in to the same images.
func (rig *verifyRig) hosts() map[string]string {
	return map[string]string{"basic": rig.Basic, "token": rig.Token}
}

func (rig *verifyRig) login(t *testing.T, host, password string) verify.Result {
	t.Helper()
	return verify.New(rig.options).Login(t.Context(), host, rig.credential(t, password))
}

func (rig *verifyRig) pull(t *testing.T, host, password string, images ...string) []verify.Result {
	t.Helper()
	references := make([]string, 0, len(images))
	for _, image := range images {
		references = append(references, host+"/"+image)
	}
	return verify.New(rig.options).Pull(t.Context(), host, rig.credential(t, password), references...)
}

func (rig *verifyRig) credential(t *testing.T, password string) dockerconfig.Credential {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", password)
	rig.must(t, err)
	return credential
}

func TestVerifyAtARegistry(t *testing.T) {
	rig := newVerifyRig(t)
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			for password, want := range map[string]verify.Reason{"right": verify.LoginAccepted, "wrong": verify.LoginFailed} {
				if got := rig.login(t, host, password); got.Reason != want {
					t.Errorf("login with the %s password: %+v", password, got)
				}
			}
			for image, want := range map[string]verify.Reason{
				"team/app:1": verify.PullAllowed, "team/app@" + rig.digest: verify.PullAllowed,
				"other/app:1": verify.PullDenied, "team/app:2": verify.ImageNotFound,
			} {
				got := rig.pull(t, host, "right", image)[0]
				if got.Reason != want {
					t.Errorf("pull of %s: %+v", image, got)
				}
				if want == verify.PullAllowed && got.Digest != rig.digest {
					t.Errorf("pull of %s learns the digest %q, want %q", image, got.Digest, rig.digest)
				}
			}
		})
	}
}

func TestVerifyAsksForManifestsWithHeadAlone(t *testing.T) {
	rig := newVerifyRig(t)
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			rig.must(t, rig.ClearRequests(t.Context()))
			rig.pull(t, host, "right", "team/app:1", "other/app:1")
			seen, err := rig.Requests(t.Context(), 0)
			rig.must(t, err)
			heads := 0
			for _, request := range seen.Requests {
				if !strings.Contains(request.Path, "/manifests/") {
					continue
				}
				heads++
				if request.Method != http.MethodHead {
					t.Errorf("%s %s", request.Method, request.Path)
				}
			}
			if heads == 0 {
				t.Error("no manifest was asked for")
			}
		})
	}
}

func TestVerifyShowsAWrongPasswordOnce(t *testing.T) {
	rig := newVerifyRig(t)
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			rig.must(t, rig.ClearRequests(t.Context()))
			for _, got := range rig.pull(t, host, "wrong", "team/app:1", "team/app:2", "other/app:1") {
				if got.Reason != verify.LoginFailed || got.StatusCode != http.StatusUnauthorized {
					t.Errorf("%+v", got)
				}
			}
			seen, err := rig.Requests(t.Context(), 0)
			rig.must(t, err)
			if answers := seen.Counters["robot"]; len(answers) != 1 || answers[http.StatusUnauthorized] != 1 {
				t.Errorf("answers to robot by status: %v, want a single 401", answers)
			}
		})
	}
}

func TestVerifyNoticesAChangedPassword(t *testing.T) {
	rig := newVerifyRig(t)
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			for _, password := range []string{"right", "rotated", "right"} {
				rig.setPassword(t, password)
				got := rig.pull(t, host, "right", "team/app:1")[0]
				if want := password == "right"; (got.Reason == verify.PullAllowed) != want || (got.Reason == verify.LoginFailed) == want {
					t.Errorf("while the registry has the password %q: %+v", password, got)
				}
			}
		})
	}
}

func TestVerifyAtEveryKindOfTokenServer(t *testing.T) {
	rig := newVerifyRig(t)
	for _, tt := range []struct {
		mode box.TokenMode
		step verify.Step
	}{
		{box.TokenLimited, verify.StepHead}, {box.TokenRefusing, verify.StepToken}, {box.TokenLying, verify.StepHead},
	} {
		t.Run(string(tt.mode), func(t *testing.T) {
			rig.must(t, rig.SetTokenMode(t.Context(), tt.mode))
			got := rig.pull(t, rig.Token, "right", "other/app:1", "team/app:1")
			if got[0].Reason != verify.PullDenied || got[0].Step != tt.step {
				t.Errorf("an image of others: %+v", got[0])
			}
			if got[1].Reason != verify.PullAllowed {
				t.Errorf("an image of ours: %+v", got[1])
			}
		})
	}
}

func TestVerifyAtABrokenRegistry(t *testing.T) {
	rig := newVerifyRig(t)
	forbidden := `{"errors":[{"code":"DENIED","message":"access forbidden"}]}`
	tests := []struct {
		name   string
		fault  box.Fault
		reason verify.Reason
		status int
	}{
		{"429", box.Fault{Status: 429, RetryAfter: "90"}, verify.RateLimited, 429},
		{"503", box.Fault{Status: 503}, verify.RegistryError, 503},
		{"429 for the manifest", box.Fault{Method: http.MethodHead, Status: 429, RetryAfter: "90"}, verify.RateLimited, 429},
		{"500 for the manifest", box.Fault{Method: http.MethodHead, Status: 500}, verify.RegistryError, 500},
		{"503 for whoever is logged in", box.Fault{Authenticated: true, Status: 503}, verify.RegistryError, 503},
		{"no answer", box.Fault{Hang: true}, verify.Timeout, 0},
		{"no answer for the manifest", box.Fault{Method: http.MethodHead, Hang: true}, verify.Timeout, 0},
		{"no HTTP", box.Fault{Garbage: true}, verify.Unreachable, 0},
		{"a redirect to another host", box.Fault{Method: http.MethodHead, RedirectTo: "https://elsewhere.example.com/"}, verify.RedirectRefused, 307},
		{"1 GB for an answer", box.Fault{Status: 404, BodyBytes: 1 << 30}, verify.RegistryError, 404},
		{"1 GB for a token", box.Fault{Registry: "token", Path: "/token", Status: 200, BodyBytes: 1 << 30}, verify.RegistryError, 200},
		{"garbage for a token", box.Fault{Registry: "token", Path: "/token", Status: 200, Body: "{"}, verify.RegistryError, 200},
		{"403 for a token", box.Fault{Registry: "token", Path: "/token", Status: 403, Body: forbidden}, verify.LoginFailed, 403},
		{"403 for a token by something on the way", box.Fault{Registry: "token", Path: "/token", Status: 403, Body: "<html>"}, verify.RegistryError, 403},
	}
	for _, tt := range tests {
		for name, host := range rig.hosts() {
			if tt.fault.Registry != "" && tt.fault.Registry != name {
				continue
			}
			t.Run(fmt.Sprintf("%s, %s", tt.name, name), func(t *testing.T) {
				rig.must(t, rig.SetFaults(t.Context(), tt.fault))
				if tt.fault.Hang {
					rig.options.Timeout = 2 * time.Second
				}
				before := allocated()
				got := rig.pull(t, host, "right", "team/app:1")[0]
				if used := allocated() - before; used > 16<<20 {
					t.Errorf("%d bytes of memory", used)
				}
				if got.Reason != tt.reason || got.StatusCode != tt.status {
					t.Errorf("%+v", got)
				}
				if want := tt.fault.RetryAfter == "90"; (got.RetryAfter == 90*time.Second) != want {
					t.Errorf("RetryAfter %v", got.RetryAfter)
				}
				rig.options.Timeout = 0
				rig.must(t, rig.ClearFaults(t.Context()))
				if got := rig.pull(t, host, "right", "team/app:1")[0]; got.Reason != verify.PullAllowed {
					t.Errorf("once the registry is well again: %+v", got)
				}
			})
		}
	}
}

// allocated is how many bytes were ever allocated, whether they were freed since or not.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// Loopback is where all of these registries are.
func TestVerifyIsStrictByDefault(t *testing.T) {
	rig := newVerifyRig(t)
	credential := rig.credential(t, "right")
	rig.must(t, rig.ClearRequests(t.Context()))
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			if got := verify.New(verify.Options{}).Login(t.Context(), host, credential); got.Reason != verify.AddressRefused {
				t.Errorf("%+v", got)
			}
			if got := verify.New(verify.Options{AllowLoopback: true}).Login(t.Context(), host, credential); got.Reason != verify.TLSFailed {
				t.Errorf("without its CA: %+v", got)
			}
		})
	}
	seen, err := rig.Requests(t.Context(), 0)
	rig.must(t, err)
	if len(seen.Requests) != 0 {
		t.Errorf("the registry was asked: %+v", seen.Requests)
	}
}

func TestVerifyOverPlainHTTP(t *testing.T) {
	registry := box.RegistryForTest(t, box.RegistryOptions{})
	rig := &verifyRig{Registry: registry, options: verify.Options{AllowLoopback: true}}
	rig.setPassword(t, "right")
	image, err := random.Image(64, 1)
	rig.must(t, err)
	rig.must(t, rig.Push(t.Context(), "team/app:1", image))
	for name, host := range rig.hosts() {
		t.Run(name, func(t *testing.T) {
			rig.options.InsecureRegistries = nil
			if got := rig.pull(t, host, "right", "team/app:1")[0]; got.Reason != verify.TLSFailed {
				t.Errorf("not declared insecure: %+v", got)
			}
			rig.options.InsecureRegistries = []string{host}
			if got := rig.pull(t, host, "right", "team/app:1")[0]; got.Reason != verify.PullAllowed {
				t.Errorf("declared insecure: %+v", got)
			}
			if got := rig.pull(t, host, "wrong", "team/app:1")[0]; got.Reason != verify.LoginFailed {
				t.Errorf("declared insecure, with a wrong password: %+v", got)
			}
		})
	}
}

func TestVerifyThroughAProxy(t *testing.T) {
	rig := newVerifyRig(t)
	for way, host := range rig.hosts() {
		t.Run(way, func(t *testing.T) {
			p := proxytest.Start(t)
			p.Want("operator", "proxied")
			rule, err := proxy.ParseRule("url=" + p.URL + ";hosts=" + host)
			rig.must(t, err)
			options, password := rig.options, "proxied"
			options.Proxy = func(address string, _ bool) (*proxy.Server, error) {
				if covered, _ := rule.Covers(address); !covered {
					return nil, nil
				}
				return &proxy.Server{URL: rule.URL, Login: func(context.Context) (dockerconfig.Credential, error) {
					return dockerconfig.NewCredential("operator", password)
				}}, nil
			}
			verifier, image := verify.New(options), host+"/team/app:1"
			if got := verifier.Pull(t.Context(), host, rig.credential(t, "right"), image)[0]; got.Reason != verify.PullAllowed || got.Digest != rig.digest {
				t.Errorf("%+v", got)
			}
			if got := verifier.Pull(t.Context(), host, rig.credential(t, "wrong"), image)[0]; got.Reason != verify.LoginFailed {
				t.Errorf("a wrong password: %+v", got)
			}
			password = "wrong at the proxy"
			if got := verifier.Pull(t.Context(), host, rig.credential(t, "right"), image)[0]; got.Reason != verify.ProxyFailed || !strings.Contains(got.Message, "407") {
				t.Errorf("a login that the proxy refuses: %+v", got)
			}
		})
	}
}
