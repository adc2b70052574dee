package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestASilentRegistryHoldsAValueWhileItAcceptsTheOneInUse has a registry that says nothing of one user and accepts the other.
func TestASilentRegistryHoldsAValueWhileItAcceptsTheOneInUse(t *testing.T) {
	t.Parallel()
	r, namespaces, watched := rotationRun(t, 5)
	r.setFaults(t, box.Fault{User: stranger, Hang: true})
	r.setVaultAs(t, stranger, "wrong")
	awaitWithin(t, 30*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonHeld))
	r.rotate(t, "second")
	awaitWithin(t, 30*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
	watched.only(t, namespaces, "first", "second")
}

// TestSilentRegistriesDelayNobody has 24 credentials whose registries take connections and never answer.
func TestSilentRegistriesDelayNobody(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 1)
	r.rotate(t, "first")
	silent := make([]string, 24)
	for i := range silent {
		silent[i] = silentRegistry(t)
		r.flags = append(r.flags, "--insecure-registries="+silent[i])
	}
	r.start(t)
	r.applyCredential(t)
	awaitAPI(t, "the namespace is served", func() error { return r.allHold(t.Context(), namespaces, "first") })
	for i, host := range silent {
		if err := r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("silent-%02d", i)},
			Spec: v1alpha1.RegistryCredentialSpec{
				Registries: []v1alpha1.Registry{v1alpha1.Registry(host)},
				Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: operatorPath}},
				Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"silent": "yes"}}},
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	awaitWithin(t, 8*time.Second, func(ctx context.Context) error { return hasStatus(ctx, r.admin, "silent-23") })
	r.rotate(t, "second")
	r.requestRefresh(t, "now")
	awaitWithin(t, 5*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
}

// TestAFirstValueBeforeASilentRegistryIsSaidToBeHeld creates an object whose registry takes connections and never answers.
func TestAFirstValueBeforeASilentRegistryIsSaidToBeHeld(t *testing.T) {
	t.Parallel()
	r, host := startOperatorRun(t), silentRegistry(t)
	r.flags = append(r.flags, "--insecure-registries="+host)
	r.makeNamespaces(t, 1)
	r.rotate(t, "first")
	r.start(t)
	r.applyCredential(t) // which shows that the operator works
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	if err := r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "silent"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{v1alpha1.Registry(host)},
			Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: operatorPath}},
			Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"silent": "yes"}}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	awaitWithin(t, 2*time.Second, func(ctx context.Context) error { return hasStatus(ctx, r.admin, "silent") })
	awaitWithin(t, 30*time.Second, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := r.admin.List(ctx, &events); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.Name == "silent" && event.Reason == v1alpha1.ReasonHeld {
				return nil
			}
		}
		return fmt.Errorf("none of %d events says that the value is held", len(events.Items))
	})
}

func hasStatus(ctx context.Context, reader client.Reader, name string) error {
	var object v1alpha1.RegistryCredential
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	if len(object.Status.Conditions) == 0 {
		return fmt.Errorf("%s has no status", name)
	}
	return nil
}

// silentRegistry takes connections until the test ends, and answers none.
func silentRegistry(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer connection.Close()
				_, _ = io.Copy(io.Discard, connection) // until the client goes away
			}()
		}
	}()
	return listener.Addr().String()
}
