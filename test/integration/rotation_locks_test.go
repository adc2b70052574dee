package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// TestAWrongValueDoesNotLockTheAccount has a registry that locks an account after two wrong logins in a row, and never opens it again.
func TestAWrongValueDoesNotLockTheAccount(t *testing.T) {
	t.Parallel()
	r, locking := startOperatorRun(t), newLockingRegistry(t, 2)
	team := r.makeNamespaces(t, 1)[0]
	r.flags = append(r.flags, "--insecure-registries="+locking.host)
	locking.set("first")
	r.setVault(t, "first")
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(locking.host)}
	})
	holds := func(password string) func(context.Context) error {
		return func(ctx context.Context) error { return r.holdsAt(ctx, team, locking.host, password) }
	}
	awaitWithin(t, 20*time.Second, holds("first"))
	r.setVault(t, "wrong")
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
	r.kill(t)
	r.start(t) // what was asked is known to the next process
	awaitWithin(t, 60*time.Second, func(context.Context) error { return locking.refused(2) })
	if err := holds("first")(t.Context()); err != nil {
		t.Error(err)
	}
	locking.set("second")
	r.setVault(t, "second")
	awaitWithin(t, 60*time.Second, holds("second"))
}

// holdsAt reports whether the Secret of a namespace holds a password for a registry.
func (r *operatorRun) holdsAt(ctx context.Context, namespace, host, password string) error {
	var secret corev1.Secret
	if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.DefaultSecretName}, &secret); err != nil {
		return err
	}
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err == nil && config[host].Password() != password {
		err = fmt.Errorf("the Secret of %s is stale", namespace)
	}
	return err
}

// lockingRegistry knows one account, and locks it after some wrong logins in a row.
type lockingRegistry struct {
	host  string
	limit int

	mu       sync.Mutex
	password string
	wrong    int // in a row
	all      int // wrong ones since the password was set
	locked   bool
}

func newLockingRegistry(t *testing.T, limit int) *lockingRegistry {
	t.Helper()
	l := &lockingRegistry{limit: limit}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, password, shown := request.BasicAuth()
		if shown && l.login(password) {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="locks"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	l.host = strings.TrimPrefix(server.URL, "http://")
	return l
}

func (l *lockingRegistry) set(password string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.password, l.all = password, 0
}

func (l *lockingRegistry) login(password string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if password == l.password && !l.locked {
		l.wrong = 0
		return true
	}
	l.wrong, l.all = l.wrong+1, l.all+1
	l.locked = l.locked || l.wrong >= l.limit
	return false
}

// refused reports whether so many wrong logins came, and the account is not locked.
func (l *lockingRegistry) refused(count int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all < count || l.locked {
		return fmt.Errorf("%d wrong logins came, locked: %t", l.all, l.locked)
	}
	return nil
}
