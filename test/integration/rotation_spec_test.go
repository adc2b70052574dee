package integration

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestAChangedSpecIsToldForWhatItIs changes where a value comes from, to a place that cannot be read, and the port of the registry, to one
// where nobody answers.
func TestAChangedSpecIsToldForWhatItIs(t *testing.T) {
	t.Parallel()
	r, namespaces, _ := rotationRun(t, 5)
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	good := r.edit(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Source.Vault.Path = "platform/nowhere" })
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		return r.tells(t, v1alpha1.ConditionSecretsSynced, v1alpha1.ReasonSpecNotInUse, "which stays in use until the changed spec has a usable value: see CredentialAvailable")
	})
	if err := r.tells(t, v1alpha1.ConditionReady, "", "of the spec before stays in use"); err != nil {
		t.Error(err)
	}
	if n := r.credential(t).Status.Namespaces; n.Synced != 2 || n.Selected != 2 {
		t.Errorf("%d of %d namespaces are counted, and both have the value in use", n.Synced, n.Selected)
	}
	r.edit(t, func(spec *v1alpha1.RegistryCredentialSpec) { *spec = good })
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))

	host, _, err := net.SplitHostPort(r.registry.Basic)
	vaultMust(t, err)
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[0], Name: "uses"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: r.registry.Basic + "/shop/app:1"}}}}))
	r.edit(t, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(host + ":1")}
	})
	elsewhere := fmt.Sprintf("images in use in the target namespaces are from %s, and none is from %s:1: is the port wrong in spec.registries?", r.registry.Basic, host)
	awaitWithin(t, time.Minute, func(context.Context) error {
		return r.tells(t, v1alpha1.ConditionVerified, v1alpha1.ReasonUnproven, elsewhere)
	})
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		return r.tells(t, v1alpha1.ConditionUnusableForm, v1alpha1.ReasonPortDiffers, "list "+r.registry.Basic)
	})
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := r.admin.List(ctx, &events); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == v1alpha1.ReasonPublished && event.Type == corev1.EventTypeWarning && strings.Contains(event.Note, elsewhere) {
				return nil
			}
		}
		return fmt.Errorf("none of %d events warns of the value that nobody tested", len(events.Items))
	})
}

// tells reports whether a condition has a reason, where one is given, and a message with some words.
func (r *operatorRun) tells(t *testing.T, kind, reason, words string) error {
	t.Helper()
	c := meta.FindStatusCondition(r.credential(t).Status.Conditions, kind)
	if c == nil || reason != "" && c.Reason != reason || !strings.Contains(c.Message, words) {
		return fmt.Errorf("%s is %+v, want %s %q", kind, c, reason, words)
	}
	return nil
}
