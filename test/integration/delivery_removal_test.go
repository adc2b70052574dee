package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	pending "regcred.dev/regcred/internal/removal"
)

func removal(t *testing.T, rig *deliveryRig) {
	values, notes := &shelf{}, &traffic{}
	rig.start(t, runOptions{shelf: values, transport: notes.wrap})
	for _, c := range []struct {
		name string
		run  func(*testing.T, *deliveryRig, *shelf, *traffic)
	}{
		{"a deselected namespace loses the ServiceAccount's entry first, then the Secret", deselected},
		{"of two credentials the one that stays keeps its entry byte for byte", oneOfTwo},
		{"a registry that an older credential provides is taken", registryTaken},
		{"a selector typo that would remove 60 of 100 namespaces removes none until it is confirmed", selectorTypo},
		{"a selector typo that selects nothing takes nothing from one namespace either until it is confirmed", selectorOfNothing},
		{"a selector that cannot be read removes nothing", unreadableSelector},
		{"a changed Secret name: the new Secret is there before the old one goes", changedName},
		{"a changed Secret name in many namespaces waits for confirmation", changedNameInMany},
		{"deletion with Retain changes nothing", deletedWithRetain},
		{"deletion with Delete removes all, without the source", deletedWithDelete},
		{"deletion with Delete right after the creation leaves nothing", deletedAtOnce},
		{"suspend stops reading and writing, and says so", suspended},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig, values, notes) })
	}
}

func deselected(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) {
	team := servedTeam(t, rig, values, "rm-one")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.moveAway(t, "rm-one")
	eventually(t, "all is gone", func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default"))
	})
	writes := notes.all(func(w write) bool { return w.namespace == team && w.code < 300 })
	if got := fmt.Sprint(writes[len(writes)-2].resource, " ", writes[len(writes)-1].resource); got != "serviceaccounts secrets" {
		t.Errorf("the order of removal is %s: %v", got, writes)
	}
}

func oneOfTwo(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	team := servedTeam(t, rig, values, "rm-stays")
	values.put("rm-goes", "two")
	rig.credential(t, "rm-goes", "other.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team)(spec)
		spec.DeletionPolicy = v1alpha1.DeletionDelete
	})
	both := map[string]string{"registry.example": "one", "other.example": "two"}
	eventually(t, "one Secret holds both", func(ctx context.Context) error { return rig.holds(ctx, team, "regcred", both) })
	eventually(t, "both are well", func(ctx context.Context) error {
		return errors.Join(rig.ready(ctx, "rm-stays"), rig.ready(ctx, "rm-goes"))
	})
	before, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	if err := rig.admin.Delete(t.Context(), rig.get(t, "rm-goes")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other entry is alone", func(ctx context.Context) error {
		return rig.holds(ctx, team, "regcred", map[string]string{"registry.example": "one"})
	})
	eventually(t, "the object is gone", func(ctx context.Context) error { return rig.gone(ctx, "rm-goes") })
	after, err := rig.secret(t.Context(), team, "regcred")
	if err != nil || after.UID != before.UID {
		t.Errorf("the Secret was recreated: %v", err)
	}
	if err := rig.names(t.Context(), team, "default", "regcred"); err != nil {
		t.Error(err)
	}
}

func (rig *deliveryRig) gone(ctx context.Context, credential string) error {
	err := rig.admin.Get(ctx, client.ObjectKey{Name: credential}, &v1alpha1.RegistryCredential{})
	if err == nil {
		return fmt.Errorf("RegistryCredential %s is still there", credential)
	}
	return client.IgnoreNotFound(err)
}

func registryTaken(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	team := servedTeam(t, rig, values, "rm-older")
	awaitNextSecond(t) // the older one is older by creationTimestamp, which has whole seconds
	values.put("rm-younger", "two")
	rig.credential(t, "rm-younger", "registry.example", inNamespaces(team))
	eventually(t, "the younger one is stalled, with the winner's name", func(ctx context.Context) error {
		return rig.says(ctx, "rm-younger", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRegistryTaken, "rm-older")
	})
	if err := rig.holds(t.Context(), team, "regcred", map[string]string{"registry.example": "one"}); err != nil {
		t.Error(err)
	}
	rig.moveAway(t, "rm-older")
	eventually(t, "the younger one takes over when the older one leaves", func(ctx context.Context) error {
		return rig.served(ctx, team, "registry.example", "two")
	})
	eventually(t, "the younger one is well", func(ctx context.Context) error { return rig.ready(ctx, "rm-younger") })
}

func selectorTypo(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) {
	stay, go60 := rig.teams(t, 40, map[string]string{"typo": "a"}), rig.teams(t, 60, map[string]string{"typo": "b"})
	values.put("rm-typo", "one")
	rig.credential(t, "rm-typo", "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "typo", Operator: metav1.LabelSelectorOpExists}}}
	})
	eventually(t, "all hundred are served", func(ctx context.Context) error { return rig.ready(ctx, "rm-typo") })
	before := len(notes.all(everyWriteIn(go60)))
	rig.edit(t, "rm-typo", func(c *v1alpha1.RegistryCredential) { withLabels("typo", "a")(&c.Spec) })
	eventually(t, "the status asks for confirmation", func(ctx context.Context) error {
		return rig.says(ctx, "rm-typo", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRemovalUnconfirmed, "60 of the 100")
	})
	rig.edit(t, "rm-typo", func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, "another-one")
	})
	rig.rotate(t, values, "rm-typo", "two")
	for _, team := range stay {
		eventually(t, "the others are rotated meanwhile", func(ctx context.Context) error { return rig.delivered(ctx, team, "registry.example", "two") })
	}
	for _, team := range go60 {
		eventually(t, "what waits is rotated, too", func(ctx context.Context) error { return rig.delivered(ctx, team, "registry.example", "two") })
	}
	if after := len(notes.all(everyWriteIn(go60))); after > before+120 {
		t.Errorf("there were %d writes in the 60 namespaces", after-before)
	}
	rig.confirmRemoval(t, "rm-typo")
	for _, team := range go60 {
		eventually(t, "confirmed, they are removed", func(ctx context.Context) error {
			return errors.Join(rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default"))
		})
	}
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "rm-typo") })
}

func selectorOfNothing(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	team := rig.team(t, map[string]string{"few": "shop"})
	values.put("rm-nothing", "one")
	rig.credential(t, "rm-nothing", "registry.example", withLabels("few", "shop"))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.ready(ctx, "rm-nothing") })
	rig.edit(t, "rm-nothing", func(c *v1alpha1.RegistryCredential) { withLabels("few", "shpo")(&c.Spec) })
	eventually(t, "the status asks for confirmation and says why", func(ctx context.Context) error {
		return errors.Join(
			rig.says(ctx, "rm-nothing", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRemovalUnconfirmed, "selects no namespace (labels few=shpo), so the only namespace that holds"),
			rig.says(ctx, "rm-nothing", v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "few=shpo"))
	})
	rig.rotate(t, values, "rm-nothing", "two")
	eventually(t, "what waits is rotated", func(ctx context.Context) error { return rig.delivered(ctx, team, "registry.example", "two") })
	rig.confirmRemoval(t, "rm-nothing")
	eventually(t, "confirmed, it is removed, and the status says that nothing is selected", func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default"),
			rig.says(ctx, "rm-nothing", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "few=shpo"))
	})
}

// moveAway has a RegistryCredential select another namespace alone.
func (rig *deliveryRig) moveAway(t *testing.T, credential string) {
	t.Helper()
	other := rig.team(t, nil)
	rig.edit(t, credential, func(c *v1alpha1.RegistryCredential) { inNamespaces(other)(&c.Spec) })
}

// pendingRemoval reads the ID of the removal that waits from where the operator keeps it.
func (rig *deliveryRig) pendingRemoval(ctx context.Context, credential string) (string, error) {
	secret, err := rig.secret(ctx, operatorNamespace, "regcred-published-"+credential)
	if err != nil {
		return "", err
	}
	waits := pending.Decode(secret.Data["removals"]).Pending
	if waits == nil {
		return "", fmt.Errorf("no removal of %s waits", credential)
	}
	return waits.ID, nil
}

// confirmRemoval waits for a removal that waits, and confirms it.
func (rig *deliveryRig) confirmRemoval(t *testing.T, credential string) {
	t.Helper()
	var id string
	eventually(t, "a removal waits", func(ctx context.Context) (err error) { id, err = rig.pendingRemoval(ctx, credential); return err })
	rig.edit(t, credential, func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, id)
	})
}

func everyWriteIn(namespaces []string) func(write) bool {
	in := map[string]bool{}
	for _, namespace := range namespaces {
		in[namespace] = true
	}
	return func(w write) bool { return in[w.namespace] }
}

func unreadableSelector(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	team := rig.team(t, map[string]string{"unreadable": "a"})
	values.put("rm-unreadable", "one")
	rig.credential(t, "rm-unreadable", "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		withLabels("unreadable", "a")(spec)
		spec.DeletionPolicy = v1alpha1.DeletionDelete
	})
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	rig.edit(t, "rm-unreadable", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "unreadable", Operator: metav1.LabelSelectorOpIn, Values: []string{"no label's value"}}}}
	})
	eventually(t, "the status says so", func(ctx context.Context) error {
		return rig.says(ctx, "rm-unreadable", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSelector, "")
	})
	if err := rig.served(t.Context(), team, "registry.example", "one"); err != nil {
		t.Error(err)
	}
	if err := rig.admin.Delete(t.Context(), rig.get(t, "rm-unreadable")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it can be deleted all the same", func(ctx context.Context) error {
		return errors.Join(rig.gone(ctx, "rm-unreadable"), rig.holds(ctx, team, "regcred", nil))
	})
}

func changedName(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) {
	team := servedTeam(t, rig, values, "rm-name")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.edit(t, "rm-name", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry-creds" })
	eventually(t, "the new Secret is there and the old one gone", func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, team, "registry-creds", map[string]string{"registry.example": "one"}),
			rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default", "registry-creds"))
	})
	made, gone := -1, -1
	for i, w := range notes.all(func(w write) bool { return w.namespace == team && w.code < 300 && w.resource == "secrets" }) {
		if w.name == "registry-creds" && made < 0 {
			made = i
		}
		if w.name == "regcred" && w.verb == "DELETE" {
			gone = i
		}
	}
	if made < 0 || gone < made {
		t.Errorf("the new Secret was write %d, the removal of the old one %d", made, gone)
	}
	rig.edit(t, "rm-name", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "not-given" })
	eventually(t, "a name that the operator was not given is refused", func(ctx context.Context) error {
		return rig.says(ctx, "rm-name", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNameNotAllowed, "not-given")
	})
	staysSo(t, "the old Secret stays", 300*time.Millisecond, func(ctx context.Context) error {
		return rig.holds(ctx, team, "registry-creds", map[string]string{"registry.example": "one"})
	})
}

func changedNameInMany(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	teams := rig.teams(t, 6, map[string]string{"renamed": "yes"})
	values.put("rm-names", "one")
	rig.credential(t, "rm-names", "registry.example", withLabels("renamed", "yes"))
	eventually(t, "all are served", func(ctx context.Context) error { return rig.ready(ctx, "rm-names") })
	rig.edit(t, "rm-names", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry-creds" })
	eventually(t, "the status asks for confirmation", func(ctx context.Context) error {
		return rig.says(ctx, "rm-names", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRemovalUnconfirmed, "")
	})
	for _, team := range teams {
		eventually(t, "meanwhile both Secrets are there", func(ctx context.Context) error {
			want := map[string]string{"registry.example": "one"}
			return errors.Join(rig.holds(ctx, team, "registry-creds", want), rig.holds(ctx, team, "regcred", want), rig.names(ctx, team, "default", "regcred", "registry-creds"))
		})
	}
	rig.confirmRemoval(t, "rm-names")
	for _, team := range teams {
		eventually(t, "confirmed, the old ones go", func(ctx context.Context) error {
			return errors.Join(rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default", "registry-creds"))
		})
	}
}

func deletedWithRetain(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) {
	team := servedTeam(t, rig, values, "rm-retain")
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "rm-retain") })
	if finalizers := rig.get(t, "rm-retain").Finalizers; len(finalizers) > 0 {
		t.Errorf("Retain needs no finalizer: %v", finalizers)
	}
	before := len(notes.all(everyWriteIn([]string{team})))
	if err := rig.admin.Delete(t.Context(), rig.get(t, "rm-retain")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its record is gone", func(ctx context.Context) error {
		_, err := rig.secret(ctx, operatorNamespace, "regcred-published-rm-retain")
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("the record: %w", err)
	})
	staysSo(t, "the Secret stays", 300*time.Millisecond, func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	// Another credential in the same Secret leaves it alone, too, when it comes and when it goes.
	values.put("rm-guest", "two")
	rig.credential(t, "rm-guest", "other.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team)(spec)
		toAccounts()(spec)
	})
	both := map[string]string{"registry.example": "one", "other.example": "two"}
	eventually(t, "both are there", func(ctx context.Context) error { return rig.holds(ctx, team, "regcred", both) })
	rig.moveAway(t, "rm-guest")
	eventually(t, "what was retained is alone again, and still attached", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	if after := len(notes.all(everyWriteIn([]string{team}))); after != before+2 {
		t.Errorf("there were %d writes, 2 are right: the guest comes and goes", after-before)
	}
}

func deletedWithDelete(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	teams := rig.teams(t, 8, map[string]string{"delete": "yes"})
	values.put("rm-delete", "one")
	rig.credential(t, "rm-delete", "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		withLabels("delete", "yes")(spec)
		spec.DeletionPolicy = v1alpha1.DeletionDelete
	})
	eventually(t, "all are served", func(ctx context.Context) error { return rig.ready(ctx, "rm-delete") })
	values.close(true)
	defer values.close(false)
	if err := rig.admin.Delete(t.Context(), rig.get(t, "rm-delete")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion of so many waits for confirmation", func(ctx context.Context) error { _, err := rig.pendingRemoval(ctx, "rm-delete"); return err })
	staysSo(t, "nothing is removed meanwhile", 300*time.Millisecond, func(ctx context.Context) error { return rig.served(ctx, teams[0], "registry.example", "one") })
	rig.confirmRemoval(t, "rm-delete")
	eventually(t, "the object is gone", func(ctx context.Context) error { return rig.gone(ctx, "rm-delete") })
	for _, team := range teams {
		if err := errors.Join(rig.holds(t.Context(), team, "regcred", nil), rig.names(t.Context(), team, "default")); err != nil {
			t.Errorf("when the object is gone, so is what it wrote: %v", err)
		}
	}
}

func deletedAtOnce(t *testing.T, rig *deliveryRig, values *shelf, _ *traffic) {
	for i := range 10 {
		name := fmt.Sprintf("rm-at-once-%d", i)
		teams := rig.teams(t, 3, nil)
		values.put(name, "one")
		rig.credential(t, name, "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
			inNamespaces(teams...)(spec)
			spec.DeletionPolicy = v1alpha1.DeletionDelete
		})
		eventually(t, "the first namespace is served", func(ctx context.Context) error { return rig.delivered(ctx, teams[i%3], "registry.example", "one") })
		if err := rig.admin.Delete(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the object is gone", func(ctx context.Context) error { return rig.gone(ctx, name) })
		for _, team := range teams {
			eventually(t, "nothing is left", func(ctx context.Context) error {
				return errors.Join(rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default"))
			})
		}
	}
}

func suspended(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) {
	team := servedTeam(t, rig, values, "rm-suspended")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.edit(t, "rm-suspended", func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true })
	eventually(t, "the status says so", func(ctx context.Context) error {
		return rig.says(ctx, "rm-suspended", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, "")
	})
	reads, before := values.readSoFar(), len(notes.all(everyWriteIn([]string{team})))
	rig.rotate(t, values, "rm-suspended", "two")
	other := rig.team(t, nil)
	rig.edit(t, "rm-suspended", func(c *v1alpha1.RegistryCredential) { inNamespaces(team, other)(&c.Spec) })
	rig.patchAccount(t, team, `{"imagePullSecrets":null}`)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "regcred"}}
	if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(`{"stringData":{".dockerconfigjson":"{\"auths\":{}}"}}`))); err != nil {
		t.Fatal(err)
	}
	staysSo(t, "nothing is read or written", time.Second, func(context.Context) error {
		if values.readSoFar() != reads || len(notes.all(everyWriteIn([]string{team, other}))) != before {
			return errors.New("it was")
		}
		return nil
	})
	rig.edit(t, "rm-suspended", func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = false })
	for _, namespace := range []string{team, other} {
		eventually(t, "resumed, all is made good", func(ctx context.Context) error { return rig.served(ctx, namespace, "registry.example", "two") })
	}
}
