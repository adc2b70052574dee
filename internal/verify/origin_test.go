package verify_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/verify"
)

// listen accepts connections on loopback and leaves them alone.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func TestTheCredentialIsNotTakenToAnotherOrigin(t *testing.T) {
	isPing := func(r *http.Request) bool {
		return r.URL.Path == "/v2/" && r.Header.Get("Authorization") == ""
	}
	tests := []struct {
		name     string
		registry http.HandlerFunc
		redirect func(r *http.Request) bool
		step     verify.Step
	}{
		{"from the ping", basicRegistry, isPing, verify.StepPing},
		{"from a basic login", basicRegistry, func(r *http.Request) bool { return r.URL.Path == "/v2/" && !isPing(r) }, verify.StepBasic},
		{"from the token endpoint", tokenRegistry(honestToken), func(r *http.Request) bool { return r.URL.Path == "/token" }, verify.StepToken},
		{"from the manifest, with basic", basicRegistry, func(r *http.Request) bool { return r.Method == http.MethodHead }, verify.StepHead},
		{"from the manifest, with a token", tokenRegistry(honestToken), func(r *http.Request) bool { return r.Method == http.MethodHead }, verify.StepHead},
	}
	for _, tt := range tests {
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("%s, %d", tt.name, code), func(t *testing.T) {
				var target *server
				s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
					if tt.redirect(r) {
						http.Redirect(w, r, "https://"+target.host+r.URL.Path, code)
						return
					}
					tt.registry(w, r)
				})
				target = serve(t, "127.0.0.1", s.configFor(t, "127.0.0.1"), tt.registry) // It is trusted just as much.

				got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")[0]
				checkSafe(t, got)
				if got.Outcome != verify.Unknown || got.Reason != verify.RedirectRefused || got.Step != tt.step || got.StatusCode != code {
					t.Errorf("%+v", got)
				}
				if asked := target.asked(); len(asked) != 0 {
					t.Errorf("the other origin was asked: %q", asked)
				}
			})
		}
	}
}

func TestARedirectToPlainHTTPIsRefused(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/v2/", http.StatusFound)
	})
	got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
	if got.Reason != verify.RedirectRefused {
		t.Errorf("%+v", got)
	}
}

func TestARedirectWithinTheOriginIsFollowed(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if inner, moved := strings.CutPrefix(r.URL.Path, "/moved"); moved {
			r.URL.Path = inner
			basicRegistry(w, r)
			return
		}
		http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusTemporaryRedirect)
	})
	got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")[0]
	if got.Reason != verify.PullAllowed {
		t.Errorf("%+v, asked %q", got, s.asked())
	}
}

// realmRegistry sends its clients to a realm.
func realmRegistry(realm string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			serveManifests(w, r)
			return
		}
		challenge(w, r, realm)
	}
}

func TestForbiddenTokenRealms(t *testing.T) {
	plain := serve(t, "127.0.0.1", nil, honestToken)
	resolve(t, map[string]string{
		"metadata.example.com": "169.254.169.254", "azure.example.com": "168.63.129.16",
		"nowhere.example.com": "0.0.0.0", "mapped.example.com": "::ffff:169.254.169.254", "six.example.com": "fd00:ec2::254",
	})
	tests := []struct {
		name  string
		realm string
	}{
		{"plain http", "http://" + plain.host + "/token"},
		{"instance metadata", "https://169.254.169.254/token"},
		{"instance metadata, IPv4-mapped", "https://[::ffff:169.254.169.254]/token"},
		{"instance metadata, as a number", "https://0xa9fea9fe/token"},
		{"instance metadata behind a name", "https://metadata.example.com/token"},
		{"instance metadata behind a name, IPv4-mapped", "https://mapped.example.com/token"},
		{"instance metadata behind a name, IPv6", "https://six.example.com/token"},
		{"Azure's wire server behind a name", "https://azure.example.com/token"},
		{"the unspecified address behind a name", "https://nowhere.example.com/token"},
		{"link-local IPv6", "https://[fe80::1]/token"},
		{"another scheme", "file:///etc/passwd"},
		{"no host", "https:///token"},
		{"no URL", "https://%zz/LEAKED"},
		{"relative", "/token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serveTLS(t, realmRegistry(tt.realm))
			got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
			checkSafe(t, got)
			if got.Outcome != verify.Unknown || got.Reason != verify.TokenRealmRefused || got.Step != verify.StepToken || got.StatusCode != 0 {
				t.Errorf("%+v", got)
			}
			if s.authenticated() != 0 {
				t.Errorf("the credential was shown: %q", s.asked())
			}
		})
	}
	if asked := plain.asked(); len(asked) != 0 {
		t.Errorf("the token endpoint over plain http was asked: %q", asked)
	}
}

// A registry at an address of this machine's network, whose realm leads to a service that only this machine reaches.
func TestATokenRealmAtLoopbackIsRefused(t *testing.T) {
	address := outerAddress(t)
	inner := serveTLS(t, honestToken)
	resolve(t, map[string]string{"token.example.com": "127.0.0.1"})
	for _, host := range []string{"127.0.0.1", "localhost", "token.example.com"} {
		t.Run(host, func(t *testing.T) {
			s := serve(t, address, inner.configFor(t, address), realmRegistry("https://"+host+":"+inner.port+"/token"))
			s.ca = inner.ca
			strict := s.trusting(func(o *verify.Options) { o.AllowLoopback = false })
			got := strict.Login(t.Context(), s.host, newCredential(t, user, password))
			checkSafe(t, got)
			if got.Reason != verify.TokenRealmRefused || got.Step != verify.StepToken {
				t.Errorf("%+v", got)
			}
			if len(s.asked()) == 0 {
				t.Error("the registry itself was not asked")
			}
		})
	}
	if asked := inner.asked(); len(asked) != 0 {
		t.Errorf("the service was asked: %q", asked)
	}
}

// outerAddress is an address of this machine that is neither loopback nor link-local.
func outerAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("this machine has no IPv4 address besides loopback")
	return ""
}

func TestATokenRealmAtAnotherHost(t *testing.T) {
	auth := serveTLS(t, honestToken)
	resolve(t, map[string]string{"auth.example.com": "127.0.0.1"})
	realm := "https://auth.example.com:" + auth.port + "/token"

	t.Run("the CA of the registry counts for it too", func(t *testing.T) {
		s := serve(t, "127.0.0.1", auth.configFor(t, "127.0.0.1"), realmRegistry(realm))
		s.ca = auth.ca
		got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
		if got.Reason != verify.LoginAccepted || auth.authenticated() != 1 {
			t.Errorf("%+v, asked %q", got, auth.asked())
		}
	})
	t.Run("under another CA it is not trusted", func(t *testing.T) {
		s := serveTLS(t, realmRegistry(realm))
		got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
		if got.Reason != verify.TLSFailed || got.Step != verify.StepToken {
			t.Errorf("%+v", got)
		}
	})
}

func TestAddressesThatAreNotDialled(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	resolve(t, map[string]string{"rebound.example.com": "127.0.0.1", "metadata.example.com": "169.254.169.254"})
	credential := newCredential(t, user, password)
	for _, host := range []string{
		s.host, "localhost:" + s.port, "rebound.example.com:" + s.port, "[::ffff:127.0.0.1]:" + s.port, "[::1]:" + s.port,
		"0.0.0.0:" + s.port, "metadata.example.com", "169.254.169.254", "[fe80::1]:5000", "[ff02::1]:5000", "100.100.100.200",
	} {
		t.Run(host, func(t *testing.T) {
			got := verify.New(verify.Options{RootCAs: s.ca.pool}).Login(t.Context(), host, credential)
			checkSafe(t, got)
			if got.Outcome != verify.Unknown || got.Reason != verify.AddressRefused || got.Step != verify.StepPing {
				t.Errorf("%+v", got)
			}
		})
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("the registry was asked: %q", asked)
	}
}

// A name that resolves to an allowed address for the ping and to a forbidden one for the token.
func TestANameThatIsReboundGainsNothing(t *testing.T) {
	names := map[string]string{"rebinding.example.com": "127.0.0.1"}
	resolve(t, names)
	s := serveTLS(t, nil)
	realm := "https://rebinding.example.com:" + s.port + "/token"
	s.handle(func(w http.ResponseWriter, r *http.Request) {
		resolve(t, map[string]string{"rebinding.example.com": "169.254.169.254"})
		w.Header().Set("Connection", "close") // The next request must dial anew.
		challenge(w, r, realm)
	})
	got := s.trusting().Login(t.Context(), "rebinding.example.com:"+s.port, newCredential(t, user, password))
	if got.Reason != verify.TokenRealmRefused || got.Step != verify.StepToken || s.authenticated() != 0 {
		t.Errorf("%+v, asked %q", got, s.asked())
	}
}

// The library reads the environment once in the life of a process: this test has one to itself.
func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	const alone = "REGCRED_TEST_ALONE"
	if os.Getenv(alone) == "" {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		command.Env = append(os.Environ(), alone+"=1")
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	proxy := serve(t, "127.0.0.1", nil, status(http.StatusOK))
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, "http://"+proxy.host)
	}
	s := serveTLS(t, basicRegistry)
	resolve(t, map[string]string{"registry.example.com": "127.0.0.1"})
	got := s.trusting().Login(t.Context(), "registry.example.com:"+s.port, newCredential(t, user, password))
	if got.Reason != verify.LoginAccepted || len(proxy.asked()) != 0 {
		t.Errorf("%+v, the proxy was asked %q", got, proxy.asked())
	}
}
