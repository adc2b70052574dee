package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// secretWatch records every password that pull Secrets of the name regcred ever held, in the order in which each came.
type secretWatch struct {
	mu    sync.Mutex
	seen  map[string][]string // by namespace, without repetitions in a row
	ended bool
}

// watchSecrets watches the Secrets of all namespaces until the test ends. A watch that ends early fails the test: it could have
// missed something.
func (r *operatorRun) watchSecrets(t *testing.T) *secretWatch {
	t.Helper()
	watching, err := client.NewWithWatch(r.config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	watcher, err := scenario.Follow(ctx, watching, &corev1.SecretList{}, client.MatchingFieldsSelector{
		Selector: fields.OneTermEqualSelector("metadata.name", v1alpha1.DefaultSecretName),
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w, done := &secretWatch{seen: map[string][]string{}}, make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			if secret, ok := event.Object.(*corev1.Secret); ok {
				w.note(secret, r.registry.Basic)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	}()
	t.Cleanup(func() {
		w.mu.Lock()
		ended := w.ended
		w.mu.Unlock()
		cancel()
		watcher.Stop()
		<-done
		if ended {
			t.Error("the watch on Secrets ended before the test: what was written afterwards is not known")
		}
	})
	return w
}

func (w *secretWatch) note(secret *corev1.Secret, host string) {
	held := "unreadable"
	if config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey]); err == nil {
		held = config[host].Password()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.seen[secret.Namespace]
	if len(all) == 0 || all[len(all)-1] != held {
		w.seen[secret.Namespace] = append(all, held)
	}
}

// only fails unless each namespace held exactly these passwords, one after the other. The watch may be a moment behind.
func (w *secretWatch) only(t *testing.T, namespaces []string, want ...string) {
	t.Helper()
	awaitWithin(t, 5*time.Second, func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, namespace := range namespaces {
			if got := w.seen[namespace]; !slices.Equal(got, want) {
				return fmt.Errorf("the Secret of %s held %q one after the other, want %q", namespace, got, want)
			}
		}
		return nil
	})
}

// rotationRun serves two namespaces with the password "first", and watches what they hold from the beginning. A value of which a
// registry says nothing is held for hold seconds.
func rotationRun(t *testing.T, hold int32) (*operatorRun, []string, *secretWatch) {
	t.Helper()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 2)
	watched := r.watchSecrets(t)
	r.rotate(t, "first")
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Verification.HoldSeconds = &hold })
	awaitAPI(t, "the first password is everywhere", func() error { return r.allHold(t.Context(), namespaces, "first") })
	return r, namespaces, watched
}

func (r *operatorRun) setFaults(t *testing.T, faults ...box.Fault) {
	t.Helper()
	if err := r.registry.SetFaults(t.Context(), faults...); err != nil {
		t.Fatal(err)
	}
}

// answers counts what the registry answered to a user with a status.
func (r *operatorRun) answers(ctx context.Context, user string, status int) (int, error) {
	requests, err := r.registry.Requests(ctx, 0)
	return requests.Counters[user][status], err
}
