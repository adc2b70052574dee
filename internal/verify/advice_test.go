package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/verify"
)

// What helps differs for each cause: a CA makes no certificate valid for another host, and nothing of that helps where nobody speaks TLS.
func TestTheAdviceAboutTLSIsByItsCause(t *testing.T) {
	hour := time.Hour
	for _, test := range []struct {
		name    string
		address net.IP
		ends    time.Duration
		trusted bool
		plain   bool
		version uint16
		want    string
		not     []string
	}{
		{"an authority that is not trusted", loopback, hour, false, false, 0, "not trusted): give its CA in registries.cas of the chart (flag --registry-ca)", []string{"insecure"}},
		{"another host", net.IPv4(127, 0, 0, 2), hour, true, false, 0, "for another host): correct the registry's name or port, or have its certificate name this host", []string{"CA", "insecure"}},
		{"it has expired", loopback, -hour, true, false, 0, "has expired or is not valid yet): renew its certificate, or set the clock right", []string{"CA", "insecure"}},
		{"plain http", loopback, hour, true, true, 0, "does not speak TLS): correct its port, or list it in registries.insecure of the chart (flag --insecure-registries) if it speaks plain http", []string{"CA"}},
		{"an old version", loopback, hour, true, false, tls.VersionTLS11, "look whether it speaks TLS 1.2, and at its certificate", []string{"CA", "insecure"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			certificate, pool := selfSigned(t, test.address, time.Now().Add(test.ends))
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: test.version} //nolint:gosec // old on purpose
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			if test.plain {
				s.Start()
			} else {
				s.StartTLS()
			}
			defer s.Close()
			options := verify.Options{AllowLoopback: true}
			if test.trusted {
				options.RootCAs = func(string) *x509.CertPool { return pool }
			}
			host := s.Listener.Addr().String()
			got := verify.New(options).Login(t.Context(), host, newCredential(t, user, password))
			if got.Reason != verify.TLSFailed || !strings.HasSuffix(got.Message, test.want) {
				t.Errorf("%+v", got)
			}
			for _, other := range test.not {
				if strings.Contains(got.Message, other) {
					t.Errorf("%s speaks of %s", got.Message, other)
				}
			}
			answer := verify.New(options).Ask(t.Context(), verify.Question{Keys: []string{host}, Credential: newCredential(t, user, password)})
			if !answer.NoRegistry {
				t.Errorf("%+v", answer)
			}
		})
	}
}

// Who answers as a registry does is one, whatever it says of a credential.
func TestWhatAnswersAsARegistryDoes(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		none    bool
	}{
		"a registry":                {basicRegistry, false},
		"one that has no time":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, false},
		"one that is broken":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, false},
		"one that asks for nothing": {func(http.ResponseWriter, *http.Request) {}, false},
		"another server":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, true},
	} {
		s := serveTLS(t, test.handler)
		for _, secret := range []string{password, "wrong"} {
			got := s.trusting().Ask(t.Context(), verify.Question{Keys: []string{s.host}, Credential: newCredential(t, user, secret)})
			if got.NoRegistry != test.none {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

var loopback = net.IPv4(127, 0, 0, 1)

func selfSigned(t *testing.T, address net.IP, ends time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{address}, NotBefore: ends.Add(-24 * time.Hour), NotAfter: ends,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
