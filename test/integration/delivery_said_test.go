package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

// whatIsSaid compares the status with what is so.
func whatIsSaid(t *testing.T, rig *deliveryRig) {
	values, held := &shelf{}, &gate{}
	rig.start(t, runOptions{shelf: values, transport: held.wrap})
	for _, c := range []struct {
		name string
		run  func(*testing.T, *deliveryRig, *shelf, *gate)
	}{
		{"a record that cannot be kept makes Ready False, and what is in use stays", recordNotKept},
		{"a spec that a person must correct has its source read all the same", stalledIsRead},
		{"a target that selects no namespace is not Ready", noNamespace},
		{"where the Secret is somebody else's nothing is said to be attached, and a person must act", foreignSecret},
		{"a namespace that is protected is a person's matter", protectedIsStalled},
		{"a named namespace that does not exist is selected and failed", missingNamespace},
		{"an object made under the name of a deleted one begins with nothing", namesake},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig, values, held) })
	}
	for _, c := range []saidOfChange{
		{"a registry that was added is said to be nowhere before a namespace has it", "secrets", addRegistry},
		{"a ServiceAccount that was added is said to be nowhere before it names the Secret", "serviceaccounts", addAccount},
		{"keys that were changed are said to be nowhere before a namespace has their value", "secrets", changeKeys},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig, values, held) })
	}
}

func recordNotKept(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	team := servedTeam(t, rig, values, "said-record")
	eventually(t, "it is Ready", func(ctx context.Context) error { return rig.ready(ctx, "said-record") })
	remove := refusingPolicy(t, rig, operatorNamespace)
	rig.rotate(t, values, "said-record", "two")
	eventually(t, "the status says that the record is not kept", func(ctx context.Context) error {
		return rig.says(ctx, "said-record", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRecordNotKept, "cannot write its record")
	})
	if err := rig.served(t.Context(), team, "registry.example", "one"); err != nil {
		t.Errorf("what is in use did not stay: %v", err)
	}
	remove(t)
	eventually(t, "the value that was read is published", func(ctx context.Context) error {
		return errors.Join(rig.served(ctx, team, "registry.example", "two"), rig.ready(ctx, "said-record"))
	})
}

func stalledIsRead(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	team := servedTeam(t, rig, values, "said-stalled")
	rig.edit(t, "said-stalled", func(c *v1alpha1.RegistryCredential) { toAccounts("default", "ghost")(&c.Spec) })
	eventually(t, "a person must act", func(ctx context.Context) error {
		return rig.says(ctx, "said-stalled", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonServiceAccountNotAllowed, "ghost")
	})
	values.close(true)
	defer values.close(false)
	rig.rotate(t, values, "said-stalled", "two")
	eventually(t, "the source that fails is said", func(ctx context.Context) error {
		return rig.says(ctx, "said-stalled", v1alpha1.ConditionCredentialAvailable, metav1.ConditionFalse, v1alpha1.ReasonSealed, "closed")
	})
	values.close(false)
	eventually(t, "the source that works again is said", func(ctx context.Context) error {
		return rig.says(ctx, "said-stalled", v1alpha1.ConditionCredentialAvailable, metav1.ConditionTrue, v1alpha1.ReasonRead, "")
	})
	rig.edit(t, "said-stalled", func(c *v1alpha1.RegistryCredential) { toAccounts("default")(&c.Spec) })
	eventually(t, "corrected, the value that was read meanwhile is delivered", func(ctx context.Context) error {
		return errors.Join(rig.served(ctx, team, "registry.example", "two"), rig.ready(ctx, "said-stalled"))
	})
}

func noNamespace(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	values.put("said-none", "one")
	rig.credential(t, "said-none", "registry.example", withLabels("said", "nobody"))
	eventually(t, "the status says so", func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, "said-none", 0, 0, 0),
			rig.says(ctx, "said-none", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "selects no namespace"))
	})
}

// stalled reports whether a person must act for a reason, as kstatus reads it.
func (rig *deliveryRig) stalled(ctx context.Context, name, reason string) error {
	if err := rig.says(ctx, name, v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, ""); err != nil {
		return err
	}
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		return fmt.Errorf("it is being worked on, too: %+v", c)
	}
	return nil
}

func foreignSecret(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	team := rig.team(t, nil)
	rig.create(t, theirSecret(team))
	values.put("said-foreign", "one")
	rig.credential(t, "said-foreign", "registry.example", inNamespaces(team))
	eventually(t, "the status says so", func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, "said-foreign", 1, 0, 1),
			rig.says(ctx, "said-foreign", v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonForeignSecret, team),
			rig.says(ctx, "said-foreign", v1alpha1.ConditionServiceAccountsAttached, metav1.ConditionFalse, v1alpha1.ReasonSecretMissing, ""),
			rig.stalled(ctx, "said-foreign", v1alpha1.ReasonForeignSecret))
	})
	if err := rig.names(t.Context(), team, "default"); err != nil {
		t.Error(err)
	}
}

func protectedIsStalled(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	values.put("said-protected", "one")
	rig.credential(t, "said-protected", "registry.example", inNamespaces(metav1.NamespacePublic))
	eventually(t, "the status says so", func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, "said-protected", 1, 0, 1),
			rig.says(ctx, "said-protected", v1alpha1.ConditionServiceAccountsAttached, metav1.ConditionFalse, "", ""),
			rig.stalled(ctx, "said-protected", v1alpha1.ReasonProtected))
	})
}

func missingNamespace(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	team := rig.team(t, nil)
	values.put("said-missing", "one")
	rig.credential(t, "said-missing", "registry.example", inNamespaces(team, "said-nowhere"))
	eventually(t, "the status says so", func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, "said-missing", 2, 1, 1),
			rig.failure(ctx, "said-missing", "said-nowhere", v1alpha1.ReasonNamespaceNotFound, "does not exist"),
			rig.says(ctx, "said-missing", v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNamespaceNotFound, "said-nowhere"),
			rig.ready(ctx, "said-missing"))
	})
}

// namesake is made while the source gives nothing: all that could be delivered is what the deleted one had.
func namesake(t *testing.T, rig *deliveryRig, values *shelf, _ *gate) {
	servedTeam(t, rig, values, "said-namesake")
	if err := rig.admin.Delete(t.Context(), rig.get(t, "said-namesake")); err != nil {
		t.Fatal(err)
	}
	values.close(true)
	defer values.close(false)
	fresh := rig.team(t, nil)
	rig.credential(t, "said-namesake", "registry.example", inNamespaces(fresh))
	nothing := func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, fresh, "regcred", nil),
			rig.says(ctx, "said-namesake", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSealed, ""))
	}
	eventually(t, "nothing is delivered", nothing)
	staysSo(t, "nothing is delivered", time.Second, nothing)
}

// saidOfChange has a spec changed while what follows from it cannot be written.
type saidOfChange struct {
	name, resource string
	change         func(t *testing.T, rig *deliveryRig, team string, spec *v1alpha1.RegistryCredentialSpec)
}

func (c saidOfChange) run(t *testing.T, rig *deliveryRig, values *shelf, held *gate) {
	name := "said-change"
	team := servedTeam(t, rig, values, name)
	eventually(t, "it is Ready", func(ctx context.Context) error { return rig.ready(ctx, name) })
	open, early := held.shut(t, c.resource, team), rig.watchReady(t, name)
	rig.edit(t, name, func(object *v1alpha1.RegistryCredential) { c.change(t, rig, team, &object.Spec) })
	nowhere := func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, name, 1, 0, 0),
			rig.says(ctx, name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, ""))
	}
	eventually(t, "the status says that it is nowhere", nowhere)
	staysSo(t, "the status says that it is nowhere", time.Second, nowhere)
	if early() {
		t.Error("it was Ready for the new generation before a namespace had it")
	}
	open()
	eventually(t, "once it is there, the status says so", func(ctx context.Context) error {
		return errors.Join(rig.counts(ctx, name, 1, 1, 0), rig.ready(ctx, name))
	})
}

// watchReady watches a RegistryCredential. early ends that, and reports whether it was ever Ready for a later generation than the one
// that it has now.
func (rig *deliveryRig) watchReady(t *testing.T, name string) (early func() bool) {
	t.Helper()
	generation := rig.get(t, name).Generation
	watcher, err := scenario.Follow(t.Context(), rig.admin, &v1alpha1.RegistryCredentialList{}, client.MatchingFields{"metadata.name": name})
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watcher.ResultChan() {
			if object, ok := event.Object.(*v1alpha1.RegistryCredential); ok {
				c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
				ready = ready || c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration > generation
			}
		}
	}()
	t.Cleanup(watcher.Stop)
	return func() bool {
		watcher.Stop()
		<-ended
		return ready
	}
}

func addRegistry(_ *testing.T, _ *deliveryRig, _ string, spec *v1alpha1.RegistryCredentialSpec) {
	spec.Registries = append(spec.Registries, "other.example")
}

func addAccount(t *testing.T, rig *deliveryRig, team string, spec *v1alpha1.RegistryCredentialSpec) {
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "builder"}})
	toAccounts("default", "builder")(spec)
}

func changeKeys(_ *testing.T, _ *deliveryRig, _ string, spec *v1alpha1.RegistryCredentialSpec) {
	spec.Source.Vault.Keys = &v1alpha1.VaultKeys{Username: "username", Password: "other"}
}
