package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

func serviceAccounts(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	for _, c := range []struct {
		name string
		run  func(*testing.T, *deliveryRig, *shelf)
	}{
		{"rule 18: a ServiceAccount default that is recreated is served within two seconds", recreatedDefault},
		{"rule 18: a ServiceAccount that comes later is served when it comes", laterAccount},
		{"rule 17: what others wrote into the list stays, in its order", othersEntries},
		{"an entry that somebody wrote himself is not taken from him", committedEntry},
		{"a ServiceAccount that is no longer wanted loses the entry", unwantedAccount},
		{"rule 3: attaching a Docker Hub credential is warned of", dockerHub},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig, values) })
	}
}

func servedTeam(t *testing.T, rig *deliveryRig, values *shelf, name string, changes ...func(*v1alpha1.RegistryCredentialSpec)) (team string) {
	t.Helper()
	team = rig.team(t, nil)
	values.put(name, "one")
	rig.credential(t, name, "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team)(spec)
		for _, change := range changes {
			change(spec)
		}
	})
	eventually(t, "the namespace is served", func(ctx context.Context) error {
		return rig.holds(ctx, team, "regcred", map[string]string{"registry.example": "one"})
	})
	return team
}

func recreatedDefault(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "sa-anew")
	for range 3 {
		eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "default"}}
		if err := rig.admin.Delete(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		rig.create(t, account.DeepCopy())
		begin := time.Now()
		eventually(t, "default names the Secret again", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("it took %s, two seconds are allowed", took)
		}
	}
}

func laterAccount(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "sa-later", toAccounts("default", "builder"))
	eventually(t, "the status says what is missing", func(ctx context.Context) error {
		return rig.failure(ctx, "sa-later", team, v1alpha1.ReasonServiceAccountNotFound, "builder")
	})
	if err := rig.names(t.Context(), team, "default", "regcred"); err != nil {
		t.Errorf("the other ServiceAccount is served all the same: %v", err)
	}
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "builder"}})
	eventually(t, "it is served", func(ctx context.Context) error { return rig.names(ctx, team, "builder", "regcred") })
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "sa-later") })
}

func toAccounts(names ...string) func(*v1alpha1.RegistryCredentialSpec) {
	return func(spec *v1alpha1.RegistryCredentialSpec) { spec.Target.ServiceAccounts = &names }
}

func othersEntries(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	rig.patchAccount(t, team, `{"imagePullSecrets":[{"name":"b"},{"name":"a"},{"name":"a"}],"metadata":{"annotations":{"note":"theirs"},"labels":{"team":"shop"}}}`)
	values.put("sa-others", "one")
	rig.credential(t, "sa-others", "registry.example", inNamespaces(team))
	eventually(t, "ours comes last", func(ctx context.Context) error { return rig.names(ctx, team, "default", "b", "a", "a", "regcred") })
	rig.moveAway(t, "sa-others")
	eventually(t, "only ours goes", func(ctx context.Context) error { return rig.names(ctx, team, "default", "b", "a", "a") })
	var account corev1.ServiceAccount
	if err := rig.admin.Get(t.Context(), client.ObjectKey{Namespace: team, Name: "default"}, &account); err != nil {
		t.Fatal(err)
	}
	if _, left := account.Annotations[v1alpha1.AttachedAnnotation]; left || account.Annotations["note"] != "theirs" || account.Labels["team"] != "shop" {
		t.Errorf("of the ServiceAccount there should be left what others wrote: %v %v", account.Annotations, account.Labels)
	}
}

func (rig *deliveryRig) patchAccount(t *testing.T, namespace, body string) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := rig.admin.Patch(t.Context(), account, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
		t.Fatal(err)
	}
}

func (rig *deliveryRig) attachedIs(ctx context.Context, namespace string, want bool) error {
	var account corev1.ServiceAccount
	if err := rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
		return err
	}
	if got := slices.Contains(account.ImagePullSecrets, corev1.LocalObjectReference{Name: "regcred"}); got != want {
		return fmt.Errorf("attached is %t, it should be %t", got, want)
	}
	return nil
}

func committedEntry(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	rig.patchAccount(t, team, `{"imagePullSecrets":[{"name":"regcred"}]}`)
	values.put("sa-committed", "one")
	rig.credential(t, "sa-committed", "registry.example", inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	rig.moveAway(t, "sa-committed")
	eventually(t, "the Secret goes", func(ctx context.Context) error { return rig.holds(ctx, team, "regcred", nil) })
	if err := rig.names(t.Context(), team, "default", "regcred"); err != nil {
		t.Errorf("the entry is not ours: %v", err)
	}
}

func unwantedAccount(t *testing.T, rig *deliveryRig, values *shelf) {
	team := servedTeam(t, rig, values, "sa-unwanted")
	eventually(t, "default names the Secret", func(ctx context.Context) error { return rig.names(ctx, team, "default", "regcred") })
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "builder"}})
	rig.edit(t, "sa-unwanted", func(c *v1alpha1.RegistryCredential) { toAccounts("builder")(&c.Spec) })
	eventually(t, "builder names the Secret and default does not", func(ctx context.Context) error {
		return errors.Join(rig.names(ctx, team, "default"), rig.names(ctx, team, "builder", "regcred"))
	})
	if err := rig.holds(t.Context(), team, "regcred", map[string]string{"registry.example": "one"}); err != nil {
		t.Error(err)
	}
}

func dockerHub(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("sa-hub", "one")
	rig.credential(t, "sa-hub", "docker.io", inNamespaces(team))
	eventually(t, "the status warns", func(ctx context.Context) error {
		return rig.says(ctx, "sa-hub", v1alpha1.ConditionServiceAccountsAttached, metav1.ConditionTrue, v1alpha1.ReasonEndsAnonymousPulls, "anonymously")
	})
}
