package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

func attachments(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	for _, c := range []struct {
		name string
		run  func(*testing.T, *deliveryRig, *shelf)
	}{
		{"attach Pods takes back what was attached, but not before the policy stands", switchedToPods},
		{"attach None takes back what was attached", switchedToNone},
		{"a list that somebody applies is not written, and the message says what to do", appliedList},
		{"an entry that somebody applies is not taken from him", appliedEntry},
		{"a list that OpenShift applies with the entries of others is shared with it", sharedList},
		{"kubectl and Argo CD's way of applying meet no conflict, and lose no entry", appliedByTools},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig, values) })
	}
}

func attach(mode v1alpha1.AttachMode) func(*v1alpha1.RegistryCredential) {
	return func(c *v1alpha1.RegistryCredential) { c.Spec.Target.Attach = mode }
}

func switchedToPods(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "attach-pods")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.patchAccount(t, team, `{"imagePullSecrets":[{"name":"theirs"},{"name":"regcred"}]}`)
	rig.edit(t, "attach-pods", attach(v1alpha1.AttachPods))
	eventually(t, "the status says what is missing, and the command", func(ctx context.Context) error {
		return errors.Join(
			rig.says(ctx, "attach-pods", v1alpha1.ConditionAttachmentUnavailable, "True", v1alpha1.ReasonInjectionMissing, "kubectl apply -k config/injection"),
			rig.says(ctx, "attach-pods", v1alpha1.ConditionServiceAccountsAttached, "False", v1alpha1.ReasonInjectionMissing, ""),
			rig.says(ctx, "attach-pods", v1alpha1.ConditionReady, "False", v1alpha1.ReasonInjectionMissing, ""),
			rig.says(ctx, "attach-pods", v1alpha1.ConditionStalled, "True", v1alpha1.ReasonInjectionMissing, ""))
	})
	staysSo(t, "the ServiceAccount keeps the entry meanwhile", 2*time.Second, func(ctx context.Context) error { return rig.names(ctx, team, "default", "theirs", "regcred") })
	before := time.Now().Add(-time.Second)
	rig.kubectl(t, "apply", "-k", configFolder("injection"))
	eventually(t, "ours is taken back, and theirs stays", func(ctx context.Context) error { return rig.names(ctx, team, "default", "theirs") })
	eventually(t, "the status says so", func(ctx context.Context) error {
		return errors.Join(rig.ready(ctx, "attach-pods"),
			rig.says(ctx, "attach-pods", v1alpha1.ConditionServiceAccountsAttached, "True", v1alpha1.ReasonAttachedToPods, ""), rig.attachmentSince(ctx, "attach-pods", before))
	})
	since := rig.get(t, "attach-pods").Status.Attachment.InjectedSince
	rig.rotate(t, values, "attach-pods", "two")
	eventually(t, "a rotation is delivered", func(ctx context.Context) error { return rig.delivered(ctx, team, "registry.example", "two") })
	if now := rig.get(t, "attach-pods").Status.Attachment; now == nil || !now.InjectedSince.Equal(&since) {
		t.Errorf("pods are injected since %v, and that became %+v", since, now)
	}
	rig.edit(t, "attach-pods", attach(""))
	eventually(t, "back again it is attached", func(ctx context.Context) error { return rig.names(ctx, team, "default", "theirs", "regcred") })
	eventually(t, "and the status forgets the pods", func(ctx context.Context) error {
		if rig.get(t, "attach-pods").Status.Attachment != nil {
			return errors.New("it does not")
		}
		return rig.ready(ctx, "attach-pods")
	})
}

// attachmentSince reports whether the status tells a time after that, and no fault.
func (rig *deliveryRig) attachmentSince(ctx context.Context, name string, before time.Time) error {
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	if a := object.Status.Attachment; a == nil || a.InjectedSince.Time.Before(before.Truncate(time.Second)) {
		return fmt.Errorf("the status says %+v", a)
	}
	if meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionAttachmentUnavailable) != nil {
		return errors.New("the condition is still there")
	}
	return nil
}

func switchedToNone(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "attach-none")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.edit(t, "attach-none", attach(v1alpha1.AttachNone))
	eventually(t, "it is taken back", func(ctx context.Context) error { return rig.names(ctx, team, "default") })
	eventually(t, "the status is well", func(ctx context.Context) error {
		return errors.Join(rig.ready(ctx, "attach-none"),
			rig.says(ctx, "attach-none", v1alpha1.ConditionServiceAccountsAttached, "True", v1alpha1.ReasonNoServiceAccounts, "attach is None"))
	})
	if err := rig.holds(t.Context(), team, "regcred", map[string]string{"registry.example": "one"}); err != nil {
		t.Error(err)
	}
}

// applies has a field manager apply the pull secrets of a ServiceAccount.
func (rig *deliveryRig) applies(ctx context.Context, namespace string, force bool, secrets ...string) error {
	account := applycorev1.ServiceAccount("default", namespace)
	for _, name := range secrets {
		account.WithImagePullSecrets(applycorev1.LocalObjectReference().WithName(name))
	}
	options := []client.ApplyOption{client.FieldOwner("helm")}
	if force {
		options = append(options, client.ForceOwnership)
	}
	return rig.admin.Apply(ctx, account, options...)
}

func appliedList(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	vaultMust(t, rig.applies(t.Context(), team, false, "theirs"))
	values.put("attach-applied", "one")
	rig.credential(t, "attach-applied", "registry.example", inNamespaces(team))
	told := func(ctx context.Context) error {
		return errors.Join(
			rig.failure(ctx, "attach-applied", team, v1alpha1.ReasonServiceAccountApplied, "field manager helm applies imagePullSecrets"),
			rig.failure(ctx, "attach-applied", team, v1alpha1.ReasonServiceAccountApplied, "[{name: theirs}, {name: regcred}], or set spec.target.attach: Pods"),
			rig.says(ctx, "attach-applied", v1alpha1.ConditionServiceAccountsAttached, "False", v1alpha1.ReasonServiceAccountApplied, "helm"))
	}
	eventually(t, "the status says who applies it", told)
	vaultMust(t, rig.applies(t.Context(), team, false, "theirs"))
	if err := rig.names(t.Context(), team, "default", "theirs"); err != nil {
		t.Error(err)
	}
	vaultMust(t, rig.applies(t.Context(), team, false, "theirs", "regcred"))
	eventually(t, "with the line all is well", func(ctx context.Context) error { return rig.ready(ctx, "attach-applied") })
	// Somebody who begins to apply the list, by force, is no rival.
	later := servedTeam(t, rig, values, "attach-later")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, later, "default", "regcred") })
	vaultMust(t, rig.applies(t.Context(), later, true, "theirs"))
	eventually(t, "the status says so", func(ctx context.Context) error {
		return rig.failure(ctx, "attach-later", later, v1alpha1.ReasonServiceAccountApplied, "helm")
	})
	vaultMust(t, rig.applies(t.Context(), later, false, "theirs"))
}

func appliedEntry(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "attach-line")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	vaultMust(t, rig.applies(t.Context(), team, true, "theirs", "regcred"))
	rig.edit(t, "attach-line", attach(v1alpha1.AttachNone))
	eventually(t, "the note is taken off", func(ctx context.Context) error { return rig.notesNothing(ctx, team) })
	if err := rig.names(t.Context(), team, "default", "theirs", "regcred"); err != nil {
		t.Errorf("the entry is his: %v", err)
	}
	vaultMust(t, rig.applies(t.Context(), team, false, "theirs", "regcred"))
}

// appliedByTools applies a ServiceAccount as kubectl and Argo CD (ServerSideApply=true) do, again and again beside regcred.
func appliedByTools(t *testing.T, rig *deliveryRig, values *shelf) {
	for manager, flags := range map[string][]string{
		"kubectl": nil, "argocd-controller": {"--field-manager=argocd-controller", "--force-conflicts"},
	} {
		t.Run(manager, func(t *testing.T) {
			team, name := rig.team(t, nil), "attach-by-"+manager
			file := filepath.Join(t.TempDir(), "account.yaml")
			vaultMust(t, os.WriteFile(file, []byte("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: "+team+"}\nimagePullSecrets: [{name: theirs}]\n"), 0o600))
			apply := func() { rig.kubectl(t, slices.Concat([]string{"apply", "--server-side", "-f", file}, flags)...) }
			apply()
			values.put(name, "one")
			rig.credential(t, name, "registry.example", inNamespaces(team))
			eventually(t, "the status names the manager", func(ctx context.Context) error {
				return rig.failure(ctx, name, team, v1alpha1.ReasonServiceAccountApplied, "field manager "+manager+" applies imagePullSecrets")
			})
			for range 3 {
				apply()
				vaultMust(t, rig.names(t.Context(), team, "default", "theirs"))
			}
		})
	}
}

func (rig *deliveryRig) notesNothing(ctx context.Context, namespace string) error {
	var account corev1.ServiceAccount
	err := rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account)
	if note := account.Annotations[v1alpha1.AttachedAnnotation]; err == nil && note != "" {
		err = fmt.Errorf("it notes %s", note)
	}
	return err
}
