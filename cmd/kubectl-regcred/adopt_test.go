package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/preview"
)

// handMade is a pull Secret that a person created in a namespace.
func handMade(namespace string) []client.Object {
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pull"}, Type: corev1.SecretTypeDockerConfigJson,
			Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"registry.example.com":{"auth":"dTpjYW5hcnk="}}}`)}},
	}
}

// forbidding refuses lists of Secrets, save in some namespaces.
func forbidding(c client.WithWatch, allowed ...string) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		asked := &client.ListOptions{}
		asked.ApplyOptions(options)
		if _, secrets := list.(*corev1.SecretList); secrets && !strings.Contains(strings.Join(allowed, " "), asked.Namespace) || asked.Namespace == "" && secrets {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "", nil)
		}
		return c.List(ctx, list, options...)
	}})
}

func TestAHuntTriesEachNamespaceWhereAllTogetherAreForbidden(t *testing.T) {
	var r recorded
	objects := append(append(handMade("mine"), handMade("theirs")...), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "x"}})
	finder, err := adoption.New("registry.example.com")
	if err != nil {
		t.Fatal(err)
	}
	h := &hunt{reader: forbidding(r.client(objects...), "mine"), pods: r.podServer(t, []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "mine", Name: "web"},
		Spec: corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}}}}), finder: finder}
	if err := h.run(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	found := finder.All()
	if len(found) != 1 || found[0].Namespace != "mine" || found[0].Pods != 1 || len(h.sorted()) != 1 || !strings.Contains(h.sorted()[0], "1 of 2 namespaces") {
		t.Errorf("found %+v, notes %v", found, h.sorted())
	}
	alone := &hunt{reader: forbidding(r.client(objects...)), finder: finder, namespace: "theirs"}
	if err := alone.run(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "you may not list Secrets in namespace theirs") {
		t.Errorf("error %v", err)
	}
	if err := h.run(t.Context(), "mine/gone"); err == nil || !strings.Contains(err.Error(), "NAMESPACE/NAME") {
		t.Errorf("error %v", err)
	}
}

func TestTheManifestAloneIsOnStandardOutput(t *testing.T) {
	found := []adoption.Found{
		{Namespace: "shop", Name: "pull", Owner: "field manager kubectl-create", Value: "A", Current: adoption.CurrentNo, Adoptable: true, ServiceAccounts: []string{"default"}, Keys: []string{"registry.example.com"}},
		{Namespace: "tenant", Name: "pull", Owner: "a person", Value: "C", Current: adoption.CurrentNo, Adoptable: true},
		{Namespace: "web", Name: "pull", Owner: "Helm release web", Value: "B", Current: adoption.CurrentYes, Fix: "remove it from the chart"},
		{Namespace: "zoo", Name: "regcred", Owner: "regcred", Value: "B", Current: adoption.CurrentYes},
	}
	source := v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/company"}}
	taken, _ := adoption.InManifest(found, false)
	d := &adopt{output: "text", path: "platform/company"}
	var out, list bytes.Buffer
	err := d.print(&out, &list, adoptable{Registry: "registry.example.com", Secrets: found, Manifests: adoption.Manifests("registry.example.com", source, taken), Notes: []string{"Some."}})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := credentialsIn(out.Bytes())
	if err != nil || len(objects) != 1 || objects[0].Name != "registry.example.com" || objects[0].Spec.Target.SecretName != "pull" || strings.Contains(out.String(), "status") || strings.Contains(out.String(), "tenant") {
		t.Errorf("%v: %+v\n%s", err, objects, out.String())
	}
	for _, words := range []string{"Helm release web", "no: remove it from the chart", "regcred has it", "yes", "with --include-unused", "Note: Some."} {
		if !strings.Contains(list.String(), words) {
			t.Errorf("%q is missing:\n%s", words, list.String())
		}
	}
	d.path = ""
	out.Reset()
	if err := d.print(&out, &list, adoptable{Registry: "registry.example.com"}); err != nil || out.String() != "There is no pull Secret for registry.example.com that you may read.\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	for name, secrets := range map[string][]adoption.Found{"to take over": found[2:], "to take over that a pod or a ServiceAccount names": found[1:]} {
		if none := d.failure(&adoptable{Secrets: secrets}); none == nil || exitCode(none) != exitProblem || !strings.Contains(none.Error(), name) {
			t.Errorf("nothing can be taken over, and it says %v", none)
		}
	}
	d.unused = true
	if err := d.failure(&adoptable{Secrets: found[1:]}); err != nil {
		t.Errorf("what is not in use can be taken over, and it says %v", err)
	}
}

// The people of a namespace can leave a Secret there for any registry: who is in the manifest is given the password.
func TestWhoeverAppliesTheManifestIsToldWhoGetsThePassword(t *testing.T) {
	named := func(namespace string, current adoption.Current, pods int) adoption.Found {
		return adoption.Found{Namespace: namespace, Name: "pull", Adoptable: true, Current: current, Pods: pods}
	}
	all := []adoption.Found{named("a", adoption.CurrentYes, 1), named("b", adoption.CurrentNo, 1), named("c", adoption.CurrentUnknown, 1), named("tenant", adoption.CurrentNo, 0)}
	for _, test := range []struct {
		name     string
		unused   bool
		found    []adoption.Found
		manifest string
		notes    []string
	}{
		{"one that has it", false, all[:1], "a", nil},
		{"one that has another, one of which nobody knows, and one that nothing uses", false, all, "a b c", []string{"1 Secret with another password than the one in use: b/pull. Whoever",
			"1 Secret whose password may be another than the one in use: c/pull. Whoever", "leaves out 1 hand-made Secret that no pod and no ServiceAccount is known to name: tenant/pull. Where"}},
		{"all of them", true, all, "a b c tenant", []string{"2 Secrets with another password than the one in use: b/pull,tenant/pull", "c/pull"}},
		{"one that nothing uses", false, all[3:], "", []string{"tenant/pull"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &adopt{path: "x", unused: test.unused}
			result := adoptable{Secrets: test.found}
			d.write("registry.example.com", preview.Limits{}, &result)
			var namespaces []string
			for _, manifest := range result.Manifests {
				for _, one := range manifest.Spec.Target.Namespaces {
					namespaces = append(namespaces, string(one))
				}
			}
			if got := strings.Join(namespaces, " "); got != test.manifest {
				t.Errorf("the manifest has %q, want %q", got, test.manifest)
			}
			if len(result.Notes) != len(test.notes) {
				t.Errorf("notes %q", result.Notes)
			}
			for i := range min(len(result.Notes), len(test.notes)) {
				if !strings.Contains(result.Notes[i], test.notes[i]) {
					t.Errorf("%q does not say %q", result.Notes[i], test.notes[i])
				}
			}
		})
	}
}

func TestADisputeIsTold(t *testing.T) {
	dispute := adoption.Dispute{RegistryCredential: "company", Values: []adoption.Disputed{{Value: "A", Secrets: 12, First: "team-00"}, {Value: "B", Secrets: 1, First: "tenant"}}}
	if got := disputed(dispute); !strings.Contains(got, "RegistryCredential company") || !strings.Contains(got, ": A in 12 Secrets, the first in namespace team-00; B in 1 Secret, the first in namespace tenant. regcred") {
		t.Errorf("it says %s", got)
	}
	for i := range 5 {
		dispute.Values = append(dispute.Values, adoption.Disputed{Value: string(rune('C' + i)), Secrets: 1, First: "tenant"})
	}
	if got := disputed(dispute); !strings.Contains(got, "E in 1 Secret, the first in namespace tenant; 2 more values. regcred") || strings.Contains(got, "F in") {
		t.Errorf("of seven it says %s", got)
	}
}

// The people of a namespace choose how many ServiceAccounts name their Secret.
func TestACellHasTheFirstNamesAndTheirNumber(t *testing.T) {
	for names, want := range map[string]string{"": "", "a": "a", "a b c d e": "a,b,c,d,e", "a b c d e f": "a,b,c,d,e and 1 more", "a b c d e f g": "a,b,c,d,e and 2 more"} {
		if got := firstOf(strings.Fields(names)); got != want {
			t.Errorf("%q is shown as %q", names, got)
		}
	}
	f := &adoption.Found{Namespace: "shop", Name: "pull"}
	for i := range 10_000 {
		f.ServiceAccounts = append(f.ServiceAccounts, strings.Repeat("a", 200)+string(rune('a'+i%26)))
	}
	f.Keys, f.PodNames, f.Managers = f.ServiceAccounts, f.ServiceAccounts, f.ServiceAccounts
	for _, cell := range (&adopt{output: "wide"}).rowOf(f) {
		if len(cell.text) > 1100 {
			t.Errorf("a cell has %d bytes", len(cell.text))
		}
	}
}

func TestOnlyWhatTheOperatorMayWriteIsTakenOver(t *testing.T) {
	named := func(namespace, name string, labels map[string]string) *corev1.Secret {
		secret := handMade(namespace)[1].(*corev1.Secret)
		secret.Name, secret.Labels = name, labels
		return secret
	}
	helm := map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	policies := []client.Object{shipped(t, "secrets.yaml", "'regcred'.split", "'regcred,pull'.split"), shipped(t, "serviceaccounts.yaml", "'default'.split", "'default'.split")}
	for _, test := range []struct {
		name     string
		secret   *corev1.Secret
		account  string
		policies []client.Object
		takeOver string
		note     string
	}{
		{"a name that the operator was given", named("shop", "pull", nil), "default", policies, "yes", ""},
		{"a name that it was not given", named("shop", "other", nil), "default", policies, "no: the operator was not given Secret other, only regcred, pull: use one of these, or add the name to secretNames in the chart's values or limits.yaml", ""},
		{"its own namespace", named("operator", "pull", nil), "default", policies, "no: regcred writes no pull Secret into its own namespace", ""},
		{"a protected namespace", named("kube-public", "pull", nil), "default", policies, "no: the namespace is protected: take it out of protectedNamespaces in the chart's values or limits.yaml", ""},
		{"a chart's Secret in a protected namespace, which nobody writes again", named("kube-system", "pull", helm), "default", policies, "no: the namespace is protected: take it out of protectedNamespaces in the chart's values or limits.yaml", ""},
		{"a chart's Secret elsewhere", named("shop", "pull", helm), "default", policies, "no: remove the Secret from the chart's values, then delete it", ""},
		{"policies that are not there", named("shop", "other", nil), "default", nil, "yes", "There is no policy regcred-secrets"},
		{"a protected namespace, and policies that are not there", named("kube-system", "pull", nil), "default", nil, "no: the namespace is protected: take it out of protectedNamespaces in the chart's values or limits.yaml", "There is no policy"},
		{"a ServiceAccount that it was not given", named("shop", "pull", nil), "app", policies, "yes", "RegistryCredential registry.example.com of the manifest would be Stalled, because the operator was not given ServiceAccount app"},
	} {
		t.Run(test.name, func(t *testing.T) {
			finder, err := adoption.New("registry.example.com")
			if err != nil {
				t.Fatal(err)
			}
			finder.Add(test.secret)
			finder.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: test.secret.Namespace, Name: test.account}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: test.secret.Name}}})
			finder.NameInUse(test.secret.Namespace, test.secret.Name)
			var r recorded
			d := &adopt{operator: "operator", path: "x"}
			result, err := d.decide(t.Context(), r.client(test.policies...), "registry.example.com", finder)
			if err != nil {
				t.Fatal(err)
			}
			row := d.rowOf(&result.Secrets[0])
			if got := row[len(row)-1].text; got != test.takeOver {
				t.Errorf("TAKE OVER is %q", got)
			}
			if adopted := test.takeOver == "yes"; (len(result.Manifests) == 1) != adopted || (d.failure(&result) == nil) != adopted {
				t.Errorf("the manifests are %+v, and it ends with %v", result.Manifests, d.failure(&result))
			}
			if notes := strings.Join(result.Notes, " "); !strings.Contains(notes, test.note) || (notes == "") != (test.note == "") {
				t.Errorf("notes %q", notes)
			}
		})
	}
}
