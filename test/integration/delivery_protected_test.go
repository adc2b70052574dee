package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// protectedNamespaces: a selector never selects kube-public. A spec that names it does, and is refused until it is taken off the
// list of the policies. Nothing is restarted or edited then.
func protectedNamespaces(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	const public = metav1.NamespacePublic
	team := rig.team(t, nil)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: public, Name: "default"}}
	if err := rig.admin.Create(t.Context(), account); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	values.put("protected", "one")
	rig.credential(t, "protected", "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{team, public, metav1.NamespaceSystem, operatorNamespace}},
		}}
	})
	eventually(t, "the namespace of the team is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	eventually(t, "it is the only one that is selected", func(ctx context.Context) error {
		return errors.Join(rig.ready(ctx, "protected"), rig.tells(ctx, "protected", "1", 1, 1))
	})
	nothing := func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, public, "regcred", nil), rig.names(ctx, public, "default"))
	}
	if err := nothing(t.Context()); err != nil {
		t.Error(err)
	}

	rig.edit(t, "protected", func(c *v1alpha1.RegistryCredential) { inNamespaces(public)(&c.Spec) })
	eventually(t, "named, it is selected, and the policy refuses", func(ctx context.Context) error {
		return rig.failure(ctx, "protected", public, v1alpha1.ReasonProtected, "policy regcred-secrets protects the namespace")
	})
	if err := nothing(t.Context()); err != nil {
		t.Error(err)
	}
	defer func() { // as it was, for the tests that follow
		rig.kubectl(t, "apply", "-k", writeOverlay(t, deliveryOverlay))
		rig.removal(theirSecret(public), account)(t)
	}()
	rig.kubectl(t, "apply", "-k", writeOverlay(t, strings.Replace(deliveryOverlay, "    secretNames:", "    protectedNamespaces: {commaSeparated: \"kube-system,kube-node-lease\"}\n    secretNames:", 1)))
	eventually(t, "off the list, it is served", func(ctx context.Context) error { return rig.served(ctx, public, "registry.example", "one") })
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "protected") })
}
