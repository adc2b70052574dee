package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/internal/verify"
)

// authority is a certificate authority that no system trusts.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "private CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

// issue signs a certificate for IP addresses and names that ends an hour after the given start.
func (a *authority) issue(t *testing.T, from time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: from.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) pool(string) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// server is an HTTP server that notes what it is asked.
type server struct {
	host string // host:port
	port string
	ca   *authority

	close func()

	mutex    sync.Mutex
	requests []string
	handler  http.HandlerFunc
}

// handle replaces the handler.
func (s *server) handle(handler http.HandlerFunc) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.handler = handler
}

// configFor is a TLS configuration for another server under the same CA.
func (s *server) configFor(t *testing.T, hosts ...string) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{s.ca.issue(t, time.Now().Add(-time.Minute), hosts...)}}
}

// asked returns one line for each request: "GET /v2/", followed by "Basic" or "Bearer" where it was authenticated so.
func (s *server) asked() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string(nil), s.requests...)
}

// authenticated counts the requests that carried an Authorization header.
func (s *server) authenticated() int {
	count := 0
	for _, request := range s.asked() {
		if strings.HasSuffix(request, " Basic") || strings.HasSuffix(request, " Bearer") {
			count++
		}
	}
	return count
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mutex.Lock()
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+scheme))
	handler := s.handler
	s.mutex.Unlock()
	handler(w, r)
}

// serveTLS starts a server on loopback, with a certificate for 127.0.0.1 and *.example.com.
func serveTLS(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	ca := &server{ca: newAuthority(t)}
	s := serve(t, "127.0.0.1", ca.configFor(t, "127.0.0.1", "localhost", "*.example.com"), handler)
	s.ca = ca.ca
	return s
}

// serve starts a server, over plain http where there is no TLS configuration.
func serve(t *testing.T, address string, config *tls.Config, handler http.HandlerFunc) *server {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{host: listener.Addr().String(), handler: handler}
	_, s.port, _ = net.SplitHostPort(s.host)
	started := httptest.NewUnstartedServer(s)
	if err := started.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	started.Listener = listener
	started.Config.ErrorLog = quiet()
	if config == nil {
		started.Start()
	} else {
		started.TLS = config
		started.StartTLS()
	}
	s.close = started.Close
	t.Cleanup(s.close)
	return s
}

// trusting returns a Verifier that takes servers on loopback and their private CA.
func (s *server) trusting(adjust ...func(*verify.Options)) *verify.Verifier {
	options := verify.Options{AllowLoopback: true}
	if s.ca != nil {
		options.RootCAs = s.ca.pool
	}
	for _, f := range adjust {
		f(&options)
	}
	return verify.New(options)
}

const (
	user     = "robot"
	password = "correct-horse"
	digest   = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// loggedIn reports whether a request carries the right credential.
func loggedIn(r *http.Request) bool {
	u, p, _ := r.BasicAuth()
	return u == user && p == password
}

// refuse answers in the form of the OCI distribution specification. The message must never come out anywhere.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"LEAKED"}]}`, code)
}

func manifest(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusOK)
}

// basicRegistry asks for the credential everywhere. The repository team/app can be pulled, and other/app cannot.
func basicRegistry(w http.ResponseWriter, r *http.Request) {
	if !loggedIn(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	serveManifests(w, r)
}

func serveManifests(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v2/":
		w.WriteHeader(http.StatusOK)
	case "/v2/team/app/manifests/1", "/v2/team/app/manifests/" + digest:
		manifest(w)
	case "/v2/other/app/manifests/1":
		refuse(w, http.StatusForbidden, "DENIED")
	default:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
	}
}

// tokenRegistry sends clients to /token, which is answered by the given function; it takes the token "good".
func tokenRegistry(token http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			token(w, r)
			return
		}
		if r.Header.Get("Authorization") != "Bearer good" {
			challenge(w, r, "https://"+r.Host+"/token")
			return
		}
		serveManifests(w, r)
	}
}

// basicBesideBearer offers Basic in a first header and Bearer in a second one, and takes a token alone. Container runtimes take Bearer wherever it
// stands: containerd, core/remotes/docker/auth/parse.go.
func basicBesideBearer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token":
		honestToken(w, r)
	case r.Header.Get("Authorization") != "Bearer good":
		w.Header().Add("WWW-Authenticate", `Basic realm="registry"`)
		w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="registry"`, r.Host))
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
	default:
		serveManifests(w, r)
	}
}

// challenge asks for a token.
func challenge(w http.ResponseWriter, r *http.Request, realm string) {
	scope := ""
	if repository, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/"); ok {
		scope = fmt.Sprintf(`,scope="repository:%s:pull"`, repository)
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="registry"%s`, realm, scope))
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
}

// honestToken gives tokens to those who are logged in.
func honestToken(w http.ResponseWriter, r *http.Request) {
	if !loggedIn(r) {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	fmt.Fprint(w, `{"token":"good"}`)
}
