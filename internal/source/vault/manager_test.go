package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// ledger notes what the Manager counts.
type ledger struct {
	mu      sync.Mutex
	entries []string
}

func (l *ledger) note(format string, values ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, fmt.Sprintf(format, values...))
}

func (l *ledger) Login(connection, method, reason string) {
	l.note("login %s %s %s", connection, method, reason)
}
func (l *ledger) Read(connection, reason string) { l.note("read %s %s", connection, reason) }
func (l *ledger) TokenExpires(connection string, at time.Time) {
	l.note("token %s %t", connection, at.IsZero())
}
func (l *ledger) EventsFollowed(connection string, more time.Duration) {
	if more > 0 {
		l.note("events %s", connection)
	}
}
func (l *ledger) ForgetConnection(connection string) { l.note("forget %s", connection) }

func TestLoginsAndReadsAreCounted(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	counted := &ledger{}
	rig := newRig(t, server.URL, func(o *Options) { o.Metrics = counted })
	rig.mustRead(atKV2)
	rig.mustFail(v1alpha1.VaultSource{Mount: "secret", Path: "b"}, v1alpha1.ReasonSecretNotFound)
	rig.mu.Lock()
	rig.connection = nil
	rig.mu.Unlock()
	rig.maintain(t.Context())
	want := []string{"login default appRole Succeeded", "token default false", "read default Read", "read default SecretNotFound", "forget default"}
	if !slices.Equal(counted.entries, want) {
		t.Errorf("got %q\nwant %q", counted.entries, want)
	}
}

func TestALoginThatFailsIsCountedByWhy(t *testing.T) {
	for reason, answer := range map[string]http.HandlerFunc{
		v1alpha1.ReasonSealed: answers(503, `{"errors":["Vault is sealed"]}`), v1alpha1.ReasonLoginFailed: answers(400, `{"errors":["invalid role or secret ID"]}`),
		v1alpha1.ReasonRateLimited: answers(429, `{"errors":[]}`),
	} {
		server, counted := newScripted(t), &ledger{}
		server.handle("/v1/auth/approle/login", answer)
		newRig(t, server.URL, func(o *Options) { o.Metrics = counted }).mustFail(atKV2, reason)
		if want := []string{"login default appRole " + reason, "read default " + reason}; !slices.Equal(counted.entries, want) {
			t.Errorf("got %q, want %q", counted.entries, want)
		}
	}
}

func TestReadsThatTheGateRefusesAreCounted(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(503, `{"errors":["Vault is sealed"]}`))
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	counted := &ledger{}
	rig := newRig(t, server.URL, func(o *Options) { o.Metrics = counted })
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	before, requests := len(counted.entries), len(server.requests(""))
	for range 100 {
		rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	}
	if want := slices.Repeat([]string{"read default Sealed"}, 100); !slices.Equal(counted.entries[before:], want) {
		t.Errorf("got %q", counted.entries[before:])
	}
	if more := len(server.requests("")) - requests; more != 0 {
		t.Errorf("%d requests through a shut gate", more)
	}
}

func TestTheManagerClosesWhenItsContextEnds(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- rig.Start(ctx) }()
	rig.mustRead(atKV2)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(server.requests("/v1/auth/token/revoke-self")); n != 1 {
		t.Errorf("%d revocations", n)
	}
	rig.mustFail(atKV2, v1alpha1.ReasonUnavailable)
}

func TestAConnectionWithoutAnObjectIsClosedThoughNobodyReads(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.mu.Lock()
	rig.connection = nil
	rig.mu.Unlock()
	rig.maintain(t.Context())
	await(t, "the token is revoked", func() bool { return len(server.requests("/v1/auth/token/revoke-self")) == 1 })
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	server := newScripted(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	server.handle("/v1/secret/data/a", blocking(asked, goOn, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	read := make(chan error)
	go func() { _, err := rig.Read(t.Context(), requestFor(atKV2, 0)); read <- err }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rig.Close(ctx); err == nil {
		t.Error("it waited for nothing")
	}
	close(goOn)
	if err := <-read; err != nil {
		t.Errorf("a read under way was cut off: %v", err)
	}
}

func TestReadersTellWhenAConnectionTurnsBadOrGood(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	var told atomic.Int32
	rig := newRig(t, server.URL, func(o *Options) { o.Troubled = func(string) { told.Add(1) } })
	wantTold := func(want int32, when string) {
		t.Helper()
		if got := told.Load(); got != want {
			t.Errorf("told %d times after %s, want %d", got, when, want)
		}
	}
	object := func() *v1alpha1.VaultConnection {
		object, err := rig.getConnection(t.Context(), "default")
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	rig.mustRead(atKV2)
	rig.mustFail(v1alpha1.VaultSource{Mount: "secret", Path: "b"}, v1alpha1.ReasonSecretNotFound)
	wantTold(0, "a good read and one of a path where nothing is")

	server.handle("/v1/secret/data/a", answers(503, `{"errors":["Vault is sealed"]}`))
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	for range 3 {
		rig.mustFail(atKV2, v1alpha1.ReasonSealed)
		rig.pass(lastProbe)
	}
	wantTold(1, "Vault was sealed")
	if _, err := rig.Check(t.Context(), object()); err == nil {
		t.Error("a check of a sealed Vault finds nothing")
	}

	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/sys/health", answers(200, `{"initialized":true,"version":"1.14.0"}`))
	rig.pass(lastProbe)
	rig.mustRead(atKV2)
	wantTold(2, "Vault was unsealed")

	server.handle("/v1/auth/approle/login", answers(400, `{}`))
	rig.setValue("approle/id", "another")
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	wantTold(3, "a login was refused")
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "missing" })
	rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused)
	wantTold(4, "a Secret was missing")

	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "approle" })
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
	rig.setValue("approle/id", "right")
	if _, err := rig.Check(t.Context(), object()); err != nil {
		t.Fatal(err)
	}
	rig.mustRead(atKV2)
	wantTold(4, "a check that saw it first")
}

// What a person corrects counts at the next read. The gate of the connection as it was does not stand before the new one.
func TestACorrectionCountsThoughTheGateIsShut(t *testing.T) {
	sealed, well := newScripted(t), newScripted(t)
	sealed.handle("/v1/auth/approle/login", answers(503, `{"errors":["Vault is sealed"]}`))
	sealed.handle("/v1/sys/health", answers(503, sealedHealth))
	well.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	secure := httptest.NewTLSServer(well.Config.Handler)
	t.Cleanup(secure.Close)
	byConfigMap := func(s *v1alpha1.VaultConnectionSpec) {
		s.TLS = &v1alpha1.VaultTLS{CAConfigMap: &v1alpha1.KeyReference{Name: "ca", Key: "ca.crt"}}
	}
	for _, test := range []struct {
		name    string
		address string
		before  func(r *rig)
		reason  string
		correct func(r *rig)
	}{
		{"the address", sealed.URL, func(*rig) {}, v1alpha1.ReasonSealed, func(r *rig) {
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Address = well.URL })
		}},
		{"the CA in a ConfigMap", secure.URL, func(r *rig) {
			r.change(byConfigMap)
			r.setValue("ca/ca.crt", anotherCA(t))
		}, v1alpha1.ReasonTLSFailed, func(r *rig) { r.setValue("ca/ca.crt", pemOf(secure.Certificate().Raw)) }},
		{"the secret ID, after which the server is asked again", sealed.URL, func(*rig) {}, v1alpha1.ReasonSealed, func(r *rig) {
			sealed.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
			sealed.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			r.setValue("approle/id", "another")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.address)
			test.before(r)
			for range 3 {
				r.mustFail(atKV2, test.reason)
			}
			test.correct(r)
			r.mustRead(atKV2)
		})
	}
}

func pemOf(certificate []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}

// anotherCA is the certificate of a CA that signed nothing here.
func anotherCA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(certificate)
}
