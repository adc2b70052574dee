package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestAVaultThatLagsTakesNothingBack has a standby answer with the version before, which the registry still accepts.
func TestAVaultThatLagsTakesNothingBack(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	lag := newLaggingProxy(t, r.vault.Address)
	var connection v1alpha1.VaultConnection
	if err := r.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection); err != nil {
		t.Fatal(err)
	}
	connection.Spec.Address = lag.address
	if err := r.admin.Update(t.Context(), &connection); err != nil {
		t.Fatal(err)
	}
	namespaces := r.makeNamespaces(t, 2)
	watched := r.watchSecrets(t)
	for _, password := range []string{"first", "second", "third"} {
		user := box.User{Name: "robot-" + password, Password: password, Pull: []string{""}}
		if err := r.registry.SetUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	r.setVaultAs(t, "robot-first", "first")
	r.start(t)
	r.applyCredential(t)
	awaitAPI(t, "the first password is everywhere", func() error { return r.allHold(t.Context(), namespaces, "first") })
	lag.keep()
	r.setVaultAs(t, "robot-second", "second")
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
	lag.set(true)
	awaitWithin(t, 30*time.Second, r.condition(v1alpha1.ConditionCredentialAvailable, metav1.ConditionTrue, v1alpha1.ReasonStaleAnswer))
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		if lag.forwards() == 0 {
			return fmt.Errorf("nobody asked for the active node yet")
		}
		return nil
	})
	lag.set(false)
	r.setVaultAs(t, "robot-third", "third")
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "third") })
	watched.only(t, namespaces, "first", "second", "third")
}

// laggingProxy leads to a Vault. While it lags it answers reads of the credential with what it kept, as a standby does that is behind.
type laggingProxy struct {
	address string
	mu      sync.Mutex
	last    []byte // the newest answer
	kept    []byte
	lags    bool
	asked   int // reads that named the active node, while it lagged
}

func newLaggingProxy(t *testing.T, vault string) *laggingProxy {
	t.Helper()
	target, err := url.Parse(vault)
	if err != nil {
		t.Fatal(err)
	}
	p := &laggingProxy{}
	onward := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) { request.SetURL(target) },
		ModifyResponse: func(response *http.Response) error {
			if response.StatusCode != http.StatusOK || !ofCredential(response.Request) {
				return nil
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			response.Body = io.NopCloser(strings.NewReader(string(body)))
			p.mu.Lock()
			defer p.mu.Unlock()
			p.last = body
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if old := p.old(request); old != nil {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(old) // the operator may be gone
			return
		}
		onward.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	p.address = server.URL
	return p
}

func ofCredential(request *http.Request) bool {
	return request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/secret/data/"+operatorPath)
}

// old is the answer of a standby that is behind, nil where Vault is asked.
func (p *laggingProxy) old(request *http.Request) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lags || !ofCredential(request) {
		return nil
	}
	if request.Header.Get("X-Vault-Forward") != "" {
		p.asked++
	}
	return p.kept
}

// keep has the newest answer given while the proxy lags.
func (p *laggingProxy) keep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = p.last
}

func (p *laggingProxy) set(lags bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lags = lags
}

func (p *laggingProxy) forwards() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}
