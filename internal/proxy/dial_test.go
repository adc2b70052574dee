package proxy_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/proxy/proxytest"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func server(t *testing.T, address string, login ...string) *proxy.Server {
	t.Helper()
	s := &proxy.Server{URL: &url.URL{Scheme: "http", Host: address}}
	if len(login) == 2 {
		s.Login = func(context.Context) (dockerconfig.Credential, error) {
			return dockerconfig.NewCredential(login[0], login[1])
		}
	}
	return s
}

func TestATunnelCarriesWhatIsSent(t *testing.T) {
	p, target := proxytest.Start(t), echo(t)
	p.Want("operator", "s3cret")
	conn, err := server(t, p.Address, "operator", "s3cret").DialContext(t.Context(), "tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if asked := p.Asked(); len(asked) != 1 || asked[0] != "CONNECT "+target {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestWhatAProxyDoesWrongIsSaidOfTheProxy(t *testing.T) {
	target := echo(t)
	for _, test := range []struct {
		name   string
		fault  func(*proxytest.Proxy)
		status int
		says   string
	}{
		{"it wants another login", func(p *proxytest.Proxy) { p.Want("operator", "another") }, 407, "check user name and password in the Secret"},
		{"it refuses the host", func(p *proxytest.Proxy) { p.Refuse("403 Forbidden") }, 403, "let the proxy allow this host"},
		{"it knows no CONNECT", func(p *proxytest.Proxy) { p.Refuse("405 Method Not Allowed") }, 405, "let the proxy allow"},
		{"it does not reach the host", func(p *proxytest.Proxy) { p.Resolve(map[string]string{target: "127.0.0.1:1"}) }, 502, "whether the proxy is well"},
		{"it is overloaded", func(p *proxytest.Proxy) { p.Refuse("503 Service Unavailable") }, 503, "whether the proxy is well"},
		{"it redirects", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 302 Found\r\nLocation: http://login.portal/\r\n\r\n") }, 302, "let the proxy allow"},
		{"it says yes with another status", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 204 No Content\r\n\r\n") }, 204, "status 204"},
		{"it speaks no HTTP", func(p *proxytest.Proxy) { p.Speak("SSH-2.0-s3cret\r\n") }, 0, "no HTTP"},
		{"it quotes what it was shown", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 200 OK\r\nno header but s3cret\r\n\r\n") }, 0, "no HTTP"},
		{"it hangs up", func(p *proxytest.Proxy) { p.Speak("\x00") }, 0, "no HTTP"},
		{"it sends a head without an end", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10)) }, 0, "too long"},
		{"it says yes and goes on speaking", func(p *proxytest.Proxy) { p.Speak("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") }, 0, "bytes of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := proxytest.Start(t)
			test.fault(p)
			conn, err := server(t, p.Address, "operator", "s3cret").DialContext(t.Context(), "tcp", target)
			var failed *proxy.Error
			if conn != nil || !errors.As(err, &failed) {
				t.Fatalf("got %v", err)
			}
			if failed.Status != test.status || failed.Proxy != p.Address || failed.Target != target {
				t.Errorf("%+v", failed)
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), p.Address) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it says: %s", err)
			}
		})
	}
}

func TestAProxyThatIsSilentEndsWithTheContext(t *testing.T) {
	p := proxytest.Start(t)
	p.Hang(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := server(t, p.Address).DialContext(ctx, "tcp", "r.example:443")
	var failed *proxy.Error
	if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestAProxyThatIsNotThere(t *testing.T) {
	_, err := server(t, "127.0.0.1:1").DialContext(t.Context(), "tcp", "r.example:443")
	if err == nil || !strings.Contains(err.Error(), "no connection to the proxy") {
		t.Errorf("got %v", err)
	}
}

func TestALoginThatCannotBeReadIsNotLeftOut(t *testing.T) {
	p := proxytest.Start(t)
	s := server(t, p.Address)
	s.Login = func(context.Context) (dockerconfig.Credential, error) {
		return dockerconfig.Credential{}, errors.New("Secret proxy-login does not exist")
	}
	if _, err := s.DialContext(t.Context(), "tcp", "r.example:443"); err == nil || !strings.Contains(err.Error(), "Secret proxy-login does not exist") {
		t.Errorf("got %v", err)
	}
	if asked := p.Asked(); len(asked) != 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
}

// A proxy over TLS is trusted by the CA that is given for it, and by no other.
func TestAProxyOverTLSIsTrustedByItsOwnCAAlone(t *testing.T) {
	p, target := proxytest.Start(t), echo(t)
	secure := httptest.NewTLSServer(p)
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	u, err := url.Parse(secure.URL)
	if err != nil {
		t.Fatal(err)
	}
	own := x509.NewCertPool()
	own.AddCert(secure.Certificate())
	for name, test := range map[string]struct {
		roots *x509.CertPool
		says  string
	}{"its own": {own, ""}, "none": {x509.NewCertPool(), "the TLS connection to the proxy failed"}} {
		conn, err := (&proxy.Server{URL: u, Roots: test.roots}).DialContext(t.Context(), "tcp", target)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("by %s: %v", name, err)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func TestOfTheURLOfAProxyOnlySchemeHostAndPortAreKept(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy.example:3128": "http://proxy.example:3128", "http://proxy.example:3128/": "http://proxy.example:3128", "https://proxy.example//": "https://proxy.example",
	} {
		if u, err := proxy.ParseURL(text); err != nil || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) || u.String() != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	if _, err := proxy.ParseURL("http://me:s3cret@proxy.example:3128"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("with a login: %v", err)
	}
}
