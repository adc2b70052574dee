package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/inmemory"
)

// Whose clock is wrong is not known: a lease that seems old, or of the future, is looked at twice.
func TestALeaseIsRenewedWhereItChangesWhileItIsLookedAt(t *testing.T) {
	for _, test := range []struct {
		name    string
		age     time.Duration
		changes bool
		looks   int
	}{
		{"it is as it should be", 2 * time.Second, false, 1}, {"it seems old, and changes", time.Hour, true, 2}, {"it seems old, and stays", time.Hour, false, 2},
		{"it seems to be of the future, and changes", -time.Hour, true, 2}, {"it seems to be of the future, and stays", -time.Hour, false, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			renewed := metav1.NewMicroTime(time.Now().Add(-test.age))
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: operatorLease},
				Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("regcred-1"), LeaseDurationSeconds: ptr.To[int32](12), RenewTime: &renewed}}
			looks := 0
			c := inmemory.ClusterOf(scheme).WithObjects(lease).WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				err := c.Get(ctx, key, object, options...)
				if looks++; looks == 2 && test.changes {
					object.SetResourceVersion("another")
				}
				return err
			}}).Build()
			found := (&gathering{client: c, namespace: "regcred-system", now: time.Now}).lease(t.Context())
			if looks != test.looks || found.Value.Renewed != test.changes || found.Error != "" {
				t.Errorf("%s: %+v after %d looks", test.name, found, looks)
			}
		})
	}
}

func TestTheTimeIsAskedForWhenTheAPIServerHasAnswered(t *testing.T) {
	objects, pods := crowd(1, 1)
	var r recorded
	answered := 0
	l := &look{reader: r.client(objects...), operator: "regcred-system", now: func() time.Time { answered = r.requests; return atNoon() }}
	if _, err := l.explain(t.Context(), stuckIn(pods), true); err != nil || answered == 0 || !l.moment.Equal(atNoon()) {
		t.Errorf("%v, after %d answers it is %s", err, answered, l.moment)
	}
	var s recorded
	_, facts := auditOf(t, &s, objects, pods)
	if !facts.Now.Equal(atNoon()) {
		t.Errorf("an audit is of %s", facts.Now)
	}
}

// Where nothing may be listed, the namespaces of workloads are all that is known, and of them nothing.
func TestAnAuditThatMayListWorkloadsAloneClaimsNothing(t *testing.T) {
	objects, pods := crowd(2, 1)
	for forbids, want := range map[string][2]bool{"": {}, "SecretList": {true, false}, "ServiceAccountList": {false, true}, "SecretList ServiceAccountList NamespaceList": {true, true}} {
		_, facts := auditOf(t, &recorded{forbids: strings.Fields(forbids)}, objects, pods)
		for _, name := range []string{"team-000", "team-001"} {
			n := facts.Namespaces[name]
			if n == nil || n.SecretsUnread != want[0] || n.AccountsUnread != want[1] {
				t.Errorf("without %q: of namespace %s is known %+v", forbids, name, n)
			}
		}
	}
}

func TestWhichSecretsHoldARevisionIsToldOfRegcredsOwn(t *testing.T) {
	secret := func(namespace, name, revision string, marks map[string]string) client.Object {
		annotations := map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: revision, Keys: []string{"r.example"}}}.String()}
		for key, value := range marks {
			annotations[key] = value
		}
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}, Annotations: annotations}}
	}
	var r recorded
	c := r.client(secret("a", "pull", "7", nil), secret("b", "regcred", "7", nil), secret("copy", "pull", "7", map[string]string{"reflector.v1.k8s.emberstack.com/reflects": "a/pull"}))
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{SecretName: "pull"}}}
	found, note, err := (&status{client: c}).revisions(t.Context(), object, "7")
	if err != nil || note != "" || len(found) != 1 || found[0].Secrets != 2 || !slices.Equal(found[0].First, []string{"a", "b/regcred"}) {
		t.Errorf("%+v, %q, %v", found, note, err)
	}
}

func TestTheValueThatIsAskedWithIsOfTheRevisionInUseHoweverFewHaveIt(t *testing.T) {
	const host = "registry.example.com"
	object, _ := writtenSecret(t, host, "canary")
	object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "yes"}}
	var objects []client.Object
	for _, namespace := range []string{"a", "b", "c", "d"} {
		_, secret := writtenSecret(t, host, "of-"+namespace)
		secret.Namespace = namespace
		if namespace != "d" {
			secret.Annotations[v1alpha1.SourcesAnnotation] = strings.ReplaceAll(secret.Annotations[v1alpha1.SourcesAnnotation], `"7"`, `"6"`)
		}
		objects = append(objects, secret, namespaceNamed(namespace, map[string]string{"team": "yes"}))
	}
	var r recorded
	value, err := (&verifying{operator: "regcred-system"}).valueOfMost(t.Context(), r.client(objects...), object)
	if err != nil || value == nil || value.namespace != "d" || value.revision != "7" {
		t.Errorf("%+v, %v", value, err)
	}
}

// Of several objects of a file each has its own plan.
func TestAPlanTellsWhatItsOwnObjectTakesAwayAndNothingOfTheOneBefore(t *testing.T) {
	object := func(name string, namespaces ...v1alpha1.NamespaceName) *v1alpha1.RegistryCredential {
		return &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{"registry.company.io"}, Target: v1alpha1.Target{Namespaces: namespaces}}}
	}
	var r recorded
	c := r.client(object("company", "old", "both"), namespaceNamed("old", nil), namespaceNamed("both", nil), namespaceNamed("new", nil))
	l := &look{reader: c, operator: "regcred-system"}
	suspended := object("company", "both", "new")
	suspended.Spec.Suspend = true
	first, err := l.plan(t.Context(), c, suspended)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]preview.Effect{}
	for _, row := range first.Rows {
		got[row.Namespace] = row.Secret
	}
	isSuspended := func(note string) bool { return strings.Contains(note, "spec.suspend is true") }
	if got["old"] != preview.Remove || got["new"] != preview.Create || len(got) != 3 || !slices.ContainsFunc(first.Notes, isSuspended) || !first.Exists {
		t.Errorf("%+v", first)
	}
	second, err := l.plan(t.Context(), c, object("other", "new"))
	if err != nil || second.Exists || len(second.Rows) != 1 || slices.ContainsFunc(second.Notes, isSuspended) {
		t.Errorf("%+v, %v", second, err)
	}
}
