package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/cputime"
)

// A namespace's people decide how long the record in a Secret is, and it was decoded once for each RegistryCredential of the cluster.
func TestTheRecordInASecretIsReadOnceHoweverManyCredentialsThereAre(t *testing.T) {
	costs := func(credentials int) float64 {
		var objects []*v1alpha1.RegistryCredential
		for i := range credentials {
			name := fmt.Sprintf("c-%02d", i)
			objects = append(objects, credential(name, name+".example"))
		}
		for _, other := range objects[1:] {
			other.Spec.Target.Namespaces, other.Spec.Target.NamespaceSelector = []v1alpha1.NamespaceName{"elsewhere"}, nil
		}
		g := newRig(t, 1, objects...)
		g.publish(record(t, "c-00", "1-x", "secret", "c-00.example"))
		g.all(1)
		secret := g.secret(concerned)
		forged := pullsecret.SourcesOf(secret.Annotations)
		for i := range 2000 {
			forged[fmt.Sprintf("nobody-%d", i)] = pullsecret.Source{Keys: []string{}}
		}
		secret.Annotations[v1alpha1.SourcesAnnotation] = forged.String()
		if err := g.c.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		f := func() {
			if _, err := g.r.gather(t.Context(), delivered.Place{Namespace: secret.Namespace, Name: secret.Name}); err != nil {
				t.Fatal(err)
			}
		}
		return testing.AllocsPerRun(3, f)
	}
	few, many := costs(1), costs(40)
	if many > 2*few {
		t.Errorf("a look takes %.0f allocations with 40 credentials elsewhere, %.0f with none", many, few)
	}
}

func TestManyFindingsInASecretOfATenantAreToldQuickly(t *testing.T) {
	var keys []string
	var findings []dockerconfig.Finding
	for i := range pullsecret.MaxEntries {
		keys = append(keys, fmt.Sprintf("key-of-the-tenant-%06d", i))
		findings = append(findings, dockerconfig.Finding{Key: keys[i]})
	}
	forged := pullsecret.Sources{"other": {Keys: keys}}
	var known map[string][]string
	if took := cputime.Of(func() {
		known = recorders(forged, func(string) bool { return true })
		for i := range 50 {
			if found := findingOf(fmt.Sprintf("c-%d", i), findings, known); found.Key != "" {
				t.Errorf("%q is told of a key of another credential", found.Key)
			}
		}
	}); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if found := findingOf("other", findings, known); found.Key != keys[0] {
		t.Errorf("its own finding is %q", found.Key)
	}
	if found := findingOf("c-1", findings, recorders(forged, func(string) bool { return false })); found.Key != keys[0] {
		t.Errorf("what is kept for nobody is told as %q", found.Key)
	}
}

func TestARemedyNamesFewOfManyPullSecrets(t *testing.T) {
	if got := remedyFor([]corev1.LocalObjectReference{{Name: "old"}, {Name: "regcred"}}); got != "write there imagePullSecrets: [{name: old}, {name: regcred}]" {
		t.Errorf("of two: %q", got)
	}
	list := make([]corev1.LocalObjectReference, 100_000)
	for i := range list {
		list[i].Name = "\x1b[2J" + strings.Repeat("x", 300)
	}
	list[len(list)-1].Name = "regcred"
	got := contested("ServiceAccount default", strings.Repeat("m", 300), remedyFor(list), 0).message
	if len(got) > 1024 || strings.Contains(got, "\x1b") || !strings.Contains(got, "{name: regcred}]") {
		t.Errorf("%d bytes: %.300q", len(got), got)
	}
}

func TestAMessageOfADeliveryIsShortWhateverItQuotes(t *testing.T) {
	company := credential("company", "r.example")
	f := facts{place: delivered.Place{Namespace: "n", Name: "regcred"}, selecting: []*v1alpha1.RegistryCredential{company}, exists: func(string) bool { return true }}
	o := outcome{problem: &problem{reason: v1alpha1.ReasonWriteRefused, message: "held by " + strings.Repeat("\x1bfinalizer.example/x, ", 50_000)}}
	got := o.deliveries(f, delivered.NewBoard(func(string) {}))["company"]
	if len(got.Message) > 1024 || strings.Contains(got.Message, "\x1b") || got.Reason != v1alpha1.ReasonWriteRefused {
		t.Errorf("%d bytes: %.200q", len(got.Message), got.Message)
	}
}
