package delivery

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// What is wrong with one ServiceAccount keeps no other one from what it is to have, or to lose.
func TestEachOfSeveralServiceAccountsIsServedWhateverIsWrongWithAnother(t *testing.T) {
	accounts := []string{"absent", "builder", "default"} // the first is not there
	serves := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &accounts }
	g := newRig(t, 1, credential("company", "r.example"))
	if err := g.c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00000", Name: "builder"}}); err != nil {
		t.Fatal(err)
	}
	g.edit(serves)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	if got := g.naming(); !slices.Equal(got, []string{"builder", "default"}) {
		t.Errorf("beside one that is not there the Secret is named by %q", got)
	}
	accounts = []string{}
	g.edit(serves)
	recording(g).refuse = func(made request) error {
		if made.kind == "ServiceAccount" && made.name == "builder" {
			return errAway
		}
		return nil
	}
	if _, err := g.reconcile("n-00000"); err == nil {
		t.Error("that one cannot be changed is no error")
	}
	if got := g.naming(); !slices.Equal(got, []string{"builder"}) {
		t.Errorf("beside one that cannot be changed the Secret is named by %q", got)
	}
}

// naming are the ServiceAccounts of the first namespace that name the Secret.
func (g *rig) naming() []string {
	g.t.Helper()
	var list corev1.ServiceAccountList
	if err := g.c.List(g.t.Context(), &list); err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		if lists(&list.Items[i], "regcred") {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}
