package verify_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/verify"
)

func TestTLS(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	start := time.Now().Add(-time.Minute)
	good := ca.issue(t, start, "127.0.0.1")
	tests := []struct {
		name    string
		config  *tls.Config
		reason  verify.Reason
		message string
	}{
		{"a private CA that is configured", &tls.Config{Certificates: []tls.Certificate{good}}, verify.LoginAccepted, "accepts"},
		{"TLS 1.2 at most", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12}, verify.LoginAccepted, "accepts"},
		{"TLS 1.1 at most", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, verify.TLSFailed, "TLS 1.2"},
		{"another CA", &tls.Config{Certificates: []tls.Certificate{stranger.issue(t, start, "127.0.0.1")}}, verify.TLSFailed, "authority that is not trusted"},
		{"a certificate for another host", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, start, "registry.example.com")}}, verify.TLSFailed, "another host"},
		{"a certificate that has expired", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, start.Add(-2*time.Hour), "127.0.0.1")}}, verify.TLSFailed, "expired"},
		{"no TLS at all", nil, verify.TLSFailed, "does not speak TLS"},
		{"a client certificate that is demanded", &tls.Config{
			Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12,
		}, verify.TLSFailed, "TLS 1.2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, "127.0.0.1", tt.config, basicRegistry)
			s.ca = ca
			got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
			checkSafe(t, got)
			if got.Reason != tt.reason || !strings.Contains(got.Message, tt.message) {
				t.Errorf("%+v", got)
			}
			if tt.reason == verify.TLSFailed && len(s.asked()) != 0 {
				t.Errorf("the registry was asked: %q", s.asked())
			}
		})
	}
}

func TestAPrivateCAIsNotTrustedUnlessConfigured(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	s.ca = nil
	got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
	if got.Reason != verify.TLSFailed || got.Outcome != verify.Unknown {
		t.Errorf("%+v", got)
	}
}

// declared says which hosts may be spoken to over plain http.
func declared(hosts ...string) func(*verify.Options) {
	return func(o *verify.Options) { o.InsecureRegistries = hosts }
}

func TestPlainHTTP(t *testing.T) {
	credential := newCredential(t, user, password)

	t.Run("a registry that was not declared is never asked over plain http", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, basicRegistry)
		for _, host := range []string{s.host, "localhost:" + s.port} {
			got := s.trusting(declared("other.example.com")).Login(t.Context(), host, credential)
			if got.Reason != verify.TLSFailed || len(s.asked()) != 0 {
				t.Errorf("%+v, asked %q", got, s.asked())
			}
		}
	})
	t.Run("a registry that was declared is", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, basicRegistry)
		got := s.trusting(declared(s.host)).Pull(t.Context(), s.host, credential, s.host+"/team/app:1")[0]
		if got.Reason != verify.PullAllowed {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a registry that was declared, by name", func(t *testing.T) {
		resolve(t, map[string]string{"registry.example.com": "127.0.0.1"})
		s := serve(t, "127.0.0.1", nil, basicRegistry)
		host := "registry.example.com:" + s.port
		got := s.trusting(declared("Registry.example.com:"+s.port)).Pull(t.Context(), host, credential, host+"/team/app:1")[0]
		if got.Reason != verify.PullAllowed {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a registry that was declared, with a wrong password", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, basicRegistry)
		got := s.trusting(declared(s.host)).Login(t.Context(), s.host, newCredential(t, user, "wrong-password"))
		if got.Reason != verify.LoginFailed || s.authenticated() != 1 {
			t.Errorf("%+v, asked %q", got, s.asked())
		}
	})
	t.Run("a registry that was declared and speaks https", func(t *testing.T) {
		s := serveTLS(t, tokenRegistry(honestToken))
		got := s.trusting(declared(s.host)).Pull(t.Context(), s.host, credential, s.host+"/team/app:1")[0]
		if got.Reason != verify.PullAllowed {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a registry that was declared and is broken", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, status(503))
		got := s.trusting(declared(s.host)).Login(t.Context(), s.host, credential)
		if got.Reason != verify.RegistryError || got.StatusCode != 503 {
			t.Errorf("%+v", got)
		}
	})
}

func TestPlainHTTPForATokenRealm(t *testing.T) {
	credential := newCredential(t, user, password)
	auth := serve(t, "127.0.0.1", nil, honestToken)
	realm := "http://localhost:" + auth.port + "/token"

	t.Run("at the registry's own host", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token":
				honestToken(w, r)
			case r.Header.Get("Authorization") == "Bearer good":
				serveManifests(w, r)
			default:
				challenge(w, r, "http://"+r.Host+"/token")
			}
		})
		got := s.trusting(declared(s.host)).Pull(t.Context(), s.host, credential, s.host+"/team/app:1")[0]
		if got.Reason != verify.PullAllowed {
			t.Errorf("%+v", got)
		}
	})
	t.Run("at another host that was declared too", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, realmRegistry(realm))
		got := s.trusting(declared(s.host, "localhost:"+auth.port)).Login(t.Context(), s.host, credential)
		if got.Reason != verify.LoginAccepted {
			t.Errorf("%+v", got)
		}
	})

	before := len(auth.asked())
	t.Run("at another host that was not declared", func(t *testing.T) {
		s := serve(t, "127.0.0.1", nil, realmRegistry(realm))
		got := s.trusting(declared(s.host)).Login(t.Context(), s.host, credential)
		if got.Reason != verify.TokenRealmRefused || !strings.Contains(got.Message, "declared insecure") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("of a registry that was not declared", func(t *testing.T) {
		s := serveTLS(t, realmRegistry(realm))
		got := s.trusting(declared("localhost:"+auth.port)).Login(t.Context(), s.host, credential)
		if got.Reason != verify.TokenRealmRefused {
			t.Errorf("%+v", got)
		}
	})
	t.Run("of a registry that speaks https itself", func(t *testing.T) {
		s := serveTLS(t, realmRegistry(realm))
		got := s.trusting(declared(s.host, "localhost:"+auth.port)).Login(t.Context(), s.host, credential)
		if got.Reason != verify.TokenRealmRefused || !strings.Contains(got.Message, "plain http themselves") {
			t.Errorf("%+v", got)
		}
	})
	if asked := auth.asked()[before:]; len(asked) != 0 {
		t.Errorf("the token endpoint was asked: %q", asked)
	}
}

func TestUnreachable(t *testing.T) {
	closed := serve(t, "127.0.0.1", nil, status(200))
	credential := newCredential(t, user, password)
	resolve(t, map[string]string{})

	got := verify.New(verify.Options{}).Login(t.Context(), "no-such-host.example.com", credential)
	checkSafe(t, got)
	if got.Reason != verify.Unreachable || !strings.Contains(got.Message, "cannot be resolved") {
		t.Errorf("%+v", got)
	}

	closed.close()
	got = verify.New(verify.Options{AllowLoopback: true}).Login(t.Context(), closed.host, credential)
	checkSafe(t, got)
	if got.Reason != verify.Unreachable || !strings.Contains(got.Message, "refused") {
		t.Errorf("%+v", got)
	}
}

func TestAConnectionThatBreaks(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
	checkSafe(t, got)
	if got.Reason != verify.Unreachable {
		t.Errorf("%+v", got)
	}
}

func TestAnAnswerThatBreaksOff(t *testing.T) {
	for _, code := range []int{http.StatusOK, http.StatusUnauthorized} {
		s := serveTLS(t, tokenRegistry(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"token":"good"`))
			panic(http.ErrAbortHandler)
		}))
		got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
		checkSafe(t, got)
		if got.Reason != verify.Unreachable || got.Step != verify.StepToken || got.StatusCode != 0 {
			t.Errorf("%d that breaks off: %+v", code, got)
		}
	}
}
