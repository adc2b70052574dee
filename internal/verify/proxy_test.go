package verify_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/proxy/proxytest"
	"regcred.dev/regcred/internal/verify"
)

// through leads what a rule covers through a proxy, as the operator's flag does.
func through(t *testing.T, p *proxytest.Proxy, hosts string, login ...string) func(*verify.Options) {
	t.Helper()
	rule, err := proxy.ParseRule("url=" + p.URL + ";hosts=" + hosts)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *verify.Options) {
		o.Proxy = func(address string, named bool) (*proxy.Server, error) {
			covered, byName := rule.Covers(address)
			switch {
			case !covered:
				return nil, nil
			case !byName && !named:
				return nil, verify.ErrNotThroughProxy
			}
			s := &proxy.Server{URL: &url.URL{Scheme: "http", Host: p.Address}}
			if len(login) == 2 {
				s.Login = func(context.Context) (dockerconfig.Credential, error) {
					return dockerconfig.NewCredential(login[0], login[1])
				}
			}
			return s, nil
		}
	}
}

func TestACredentialIsVerifiedThroughAProxy(t *testing.T) {
	s := serveTLS(t, tokenRegistry(honestToken))
	p := proxytest.Start(t)
	p.Want("operator", "proxied")
	host := "registry.example.com:" + s.port
	p.Resolve(map[string]string{host: s.host})
	resolve(t, nil) // the operator resolves no name: only the proxy does
	verifier := s.trusting(through(t, p, host, "operator", "proxied"))

	got := verifier.Pull(t.Context(), host, newCredential(t, user, password), host+"/team/app:1")[0]
	checkSafe(t, got)
	if got.Reason != verify.PullAllowed || !strings.Contains(got.Message, "through the proxy "+p.Address) || !strings.Contains(got.Message, "not checked") {
		t.Errorf("%+v", got)
	}
	if wrong := verifier.Login(t.Context(), host, newCredential(t, user, "wrong")); wrong.Reason != verify.LoginFailed {
		t.Errorf("a wrong password: %+v", wrong)
	}
	if slices.ContainsFunc(p.Asked(), func(request string) bool { return request != "CONNECT "+host }) {
		t.Errorf("the proxy was asked %q", p.Asked())
	}
}

func TestAProxyThatFailsIsNoVerdict(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	host := "registry.example.com:" + s.port
	for _, test := range []struct {
		name  string
		fault func(*proxytest.Proxy)
		says  string
	}{
		{"it wants a login", func(p *proxytest.Proxy) { p.Want("a", "b") }, "status 407 to CONNECT"},
		{"it refuses the host", func(p *proxytest.Proxy) { p.Refuse("403 Forbidden") }, "status 403 to CONNECT"},
		{"it refuses with the status of a registry", func(p *proxytest.Proxy) { p.Refuse("401 Unauthorized") }, "status 401 to CONNECT"},
		{"it limits us", func(p *proxytest.Proxy) { p.Refuse("429 Too Many Requests") }, "status 429 to CONNECT"},
		{"it does not reach the host", func(p *proxytest.Proxy) { p.Refuse("502 Bad Gateway") }, "status 502 to CONNECT"},
		{"it is silent", func(p *proxytest.Proxy) { p.Hang(true) }, "in time"},
		{"it lies", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 401 Unauthorized\r\n\r\n") }, "bytes of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := proxytest.Start(t)
			p.Resolve(map[string]string{host: s.host})
			test.fault(p)
			resolve(t, nil)
			limit := 2 * time.Second
			if test.says == "in time" {
				limit = 500 * time.Millisecond // all of which is waited for, twice
			}
			verifier := s.trusting(through(t, p, host), func(o *verify.Options) { o.Timeout = limit })
			answer := verifier.Ask(t.Context(), verify.Question{
				Keys: []string{host}, Credential: newCredential(t, user, "new"), InUse: &verify.InUse{Keys: []string{host}, Credential: newCredential(t, user, password)},
			})
			if answer.Verdict != verify.ValueUnknown || answer.InUse != "" || !strings.Contains(answer.Message, test.says) || !strings.Contains(answer.Message, p.Address) {
				t.Errorf("%+v", answer)
			}
			got := verifier.Login(t.Context(), host, newCredential(t, user, password))
			checkSafe(t, got)
			if got.Reason != verify.ProxyFailed || got.StatusCode != 0 || got.Outcome != verify.Unknown {
				t.Errorf("%+v", got)
			}
		})
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("the registry was asked %q", asked)
	}
}

// A proxy that ends TLS itself must not see the credential.
func TestAProxyThatPlaysTheRegistryIsNotTrusted(t *testing.T) {
	s, impostor := serveTLS(t, basicRegistry), serveTLS(t, basicRegistry)
	host := "registry.example.com:" + s.port
	p := proxytest.Start(t)
	p.Resolve(map[string]string{host: impostor.host})
	resolve(t, nil)
	got := s.trusting(through(t, p, host)).Login(t.Context(), host, newCredential(t, user, password))
	if got.Reason != verify.TLSFailed || !strings.Contains(got.Message, "through the proxy") || impostor.authenticated() != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAddressesBehindAProxyAreCheckedWhereTheyAreKnown(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	p := proxytest.Start(t)
	resolve(t, map[string]string{"metadata.example.com": "169.254.169.254", "several.example.com": "10.1.2.3,168.63.129.16"})
	for _, host := range []string{"169.254.169.254:443", "metadata.example.com:443", "several.example.com:443"} {
		got := s.trusting(through(t, p, "*")).Login(t.Context(), host, newCredential(t, user, password))
		if got.Reason != verify.AddressRefused {
			t.Errorf("%s: %+v", host, got)
		}
	}
	if asked := p.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestAddressesInOldSpellingsAreNotLeftToAProxyToRead(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	p := proxytest.Start(t)
	resolve(t, nil)
	for _, host := range []string{"127.1:443", "2130706433:443", "0x7f000001:443", "0xa9.0xfe.0xa9.0xfe:443", "169.254.43518:443", "0251.0376.0251.0376:443"} {
		got := s.trusting(through(t, p, "*")).Login(t.Context(), host, newCredential(t, user, password))
		if got.Reason == verify.LoginAccepted || !strings.Contains(got.Message, "write the name of the registry") {
			t.Errorf("%s: %+v", host, got)
		}
	}
	if asked := p.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestATokenEndpointIsReachedThroughAProxyOnlyIfItIsNamed(t *testing.T) {
	auth := serveTLS(t, honestToken)
	realm := "auth.example.com:" + auth.port
	s := serve(t, "127.0.0.1", auth.configFor(t, "127.0.0.1", "registry.example.com"), realmRegistry("https://"+realm+"/token"))
	s.ca = auth.ca
	host := "registry.example.com:" + s.port
	p := proxytest.Start(t)
	p.Resolve(map[string]string{host: s.host, realm: auth.host})
	resolve(t, nil)
	unnamed := s.trusting(through(t, p, "*")).Login(t.Context(), host, newCredential(t, user, password))
	if unnamed.Reason != verify.ProxyFailed || !strings.Contains(unnamed.Message, "--registry-proxy") || slices.Contains(p.Asked(), "CONNECT "+realm) {
		t.Errorf("%+v, the proxy was asked %q", unnamed, p.Asked())
	}
	named := s.trusting(through(t, p, "*,*.example.com:"+auth.port)).Login(t.Context(), host, newCredential(t, user, password))
	if named.Reason != verify.LoginAccepted || !slices.Contains(p.Asked(), "CONNECT "+realm) {
		t.Errorf("%+v, the proxy was asked %q", named, p.Asked())
	}
}

func TestARegistryThatAnImageNamesIsNotReachedThroughAProxyForEveryHost(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	p := proxytest.Start(t)
	resolve(t, nil)
	host := "tenant.example.com:" + s.port
	answer := s.trusting(through(t, p, "*")).Ask(t.Context(), verify.Question{
		Keys: []string{"*.example.com:" + s.port}, Credential: newCredential(t, user, password), Sampled: []string{host + "/x:1"},
	})
	if answer.Verdict != verify.ValueUnknown || len(p.Asked()) != 0 {
		t.Errorf("%+v, the proxy was asked %q", answer, p.Asked())
	}
}

func TestPlainHTTPIsNotSentThroughAProxy(t *testing.T) {
	s := serve(t, "127.0.0.1", nil, basicRegistry)
	p := proxytest.Start(t)
	got := verify.New(verify.Options{AllowLoopback: true, InsecureRegistries: []string{s.host}, Proxy: optionsOf(through(t, p, s.host)).Proxy}).
		Login(t.Context(), s.host, newCredential(t, user, password))
	if got.Outcome != verify.Unknown || s.authenticated() != 0 {
		t.Errorf("%+v, the registry was asked %q", got, s.asked())
	}
}

func optionsOf(change func(*verify.Options)) verify.Options {
	var o verify.Options
	change(&o)
	return o
}
