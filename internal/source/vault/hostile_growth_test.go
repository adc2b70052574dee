package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/racedetector"
)

// Who edits a path again and again leaves an answer behind each time.
func TestAnswersOfPathsThatNobodyReadsAnyMoreTakeLittleMemory(t *testing.T) {
	racedetector.Skip(t)
	const paths, most = 24, 10 << 20 // of 21 MiB of answers
	server := newScripted(t)
	body := kv2Answer(map[string]any{"username": "robot", "password": "pw", "notes": strings.Repeat("x", 900<<10)})
	server.mu.Lock()
	for i := range paths {
		server.handlers[fmt.Sprintf("/v1/secret/data/%d", i)] = answers(200, body)
	}
	server.mu.Unlock()
	r := newRig(t, server.URL)
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	r.mustRead(v1alpha1.VaultSource{Mount: "secret", Path: "0"})
	before := heap()
	for i := range paths {
		if _, failure := r.readAged(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(i)}, 12*time.Hour); failure != nil {
			t.Fatal(failure)
		}
	}
	if grown := heap() - before; grown > most {
		t.Errorf("%d MiB are kept of %d paths", grown>>20, paths)
	}
	runtime.KeepAlive(r)
}

func placeIn(place v1alpha1.VaultSource) source.Place {
	request := requestOf(place)
	return request.Place()
}

func TestPlacesThatNobodyReadsAnyMoreAreForgotten(t *testing.T) {
	racedetector.Skip(t)
	var i interests
	now := time.Now()
	for n := range 50_000 {
		place := v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint("a/", n)}
		i.note("secret/data/a", placeIn(place), false, now)
		i.note(fmt.Sprint("secret/data/", n), placeIn(place), false, now)
		now = now.Add(100 * time.Millisecond)
	}
	last := placeIn(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint("a/", 49_999)})
	if kept := len(i.all()); kept > 20_000 {
		t.Errorf("%d places are kept", kept)
	}
	if at := i.at([]string{"secret/data/49999"}); len(at) != 1 || at[0] != last {
		t.Errorf("the last one is forgotten: %v", at)
	}
}

// A certificate is shown to whoever asks, by whoever answers.
func TestWhatACertificateSaysIsFitToBeShown(t *testing.T) {
	const escape = "a\x1b[31m\x07.example"
	long := strings.Repeat(strings.Repeat("n", 60)+".", 100) + "example"
	for name, template := range map[string]*x509.Certificate{
		"its name has an escape": {DNSNames: []string{escape}}, "its name is long": {DNSNames: []string{long}},
		"whoever signed it has an escape": {Subject: pkix.Name{CommonName: escape}, IsCA: true, BasicConstraintsValid: true},
	} {
		t.Run(name, func(t *testing.T) {
			server, bundle := presenting(t, template)
			r := newRig(t, server.URL)
			r.change(func(spec *v1alpha1.VaultConnectionSpec) {
				spec.TLS = &v1alpha1.VaultTLS{ServerName: "vault.example"}
				if len(template.DNSNames) > 0 {
					spec.TLS.CABundle = bundle
				}
			})
			if failure := r.mustFail(atKV2, v1alpha1.ReasonTLSFailed); !shownFit(failure.Message) {
				t.Errorf("it is shown in %d bytes: %q", len(failure.Message), failure.Message[:min(300, len(failure.Message))])
			}
		})
	}
}

// presenting is a server with a certificate that it signed, and that certificate.
func presenting(t *testing.T, template *x509.Certificate) (*httptest.Server, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// A server that renews slowly is one connection's matter: the others are renewed in time.
func TestAConnectionThatIsRenewedSlowlyDelaysNoOther(t *testing.T) {
	server := newScripted(t)
	goOn, asked := make(chan struct{}), make(chan struct{}, 100)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/renew-self", blocking(asked, goOn, loginAnswer(testToken)))
	r := newRig(t, server.URL)
	r.mustRead(atKV2)
	r.pass(50 * time.Minute)
	rounds := make(chan struct{})
	go func() {
		defer close(rounds)
		for range 3 {
			r.beginMaintenance(t.Context())
		}
	}()
	<-asked
	select {
	case <-rounds:
	case <-time.After(5 * time.Second):
		t.Error("the next round waits for it")
	}
	close(goOn)
	<-rounds
	if len(asked) > 0 {
		t.Errorf("%d more renewals were begun beside the one under way", len(asked))
	}
}
