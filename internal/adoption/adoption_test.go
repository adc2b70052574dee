package adoption_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
)

const host = "registry.company.io"

// secret is a pull Secret with the same password for each key.
func secret(t *testing.T, namespace, name, password string, keys ...string) *corev1.Secret {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	config := dockerconfig.Config{}
	for _, key := range keys {
		config[key] = credential
	}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl-create", Operation: metav1.ManagedFieldsOperationUpdate}}},
		Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: config.Render()}}
}

// ours is what regcred wrote.
func ours(t *testing.T, namespace, password string) *corev1.Secret {
	s := secret(t, namespace, "regcred", password, host)
	s.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	s.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: "7", Keys: []string{host}}}.String()}
	return s
}

func finder(t *testing.T, secrets ...*corev1.Secret) *adoption.Finder {
	t.Helper()
	f, err := adoption.New(host)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		f.Add(s)
	}
	return f
}

func inUse(proof string) *v1alpha1.RegistryCredential {
	return &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: v1alpha1.RegistryCredentialSpec{Registries: []v1alpha1.Registry{host}},
		Status: v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{Revision: "7", ProvenBy: proof}}}
}

func TestSecretsOfTheRegistryAreFound(t *testing.T) {
	helm := secret(t, "b", "pull", "canary-old", host)
	helm.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	legacy := secret(t, "c", "pull", "canary-new", host)
	legacy.Type = corev1.SecretTypeDockercfg
	legacy.Data = map[string][]byte{corev1.DockerConfigKey: []byte(`{"` + host + `":{"username":"robot","password":"canary-new"}}`)}
	written := ours(t, "d", "canary-new")
	f := finder(t, secret(t, "a", "pull", "canary-old", host, "quay.io"), helm, legacy, written, secret(t, "e", "pull", "canary", "quay.io"),
		secret(t, "f", "pull", "canary-wild", "*.company.io"), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "g"}})
	f.InUse(inUse("Pull"))
	f.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "default"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}, {Name: "other"}}})
	for i := range 30 {
		f.Pod("a", fmt.Sprint("web-", i), []string{"pull", "gone"})
	}
	found := f.All()
	var got []string
	for _, one := range found {
		got = append(got, fmt.Sprintf("%s/%s %s %t", one.Namespace, one.Name, one.Current, one.Adoptable))
	}
	want := "a/pull No true, f/pull No true, b/pull No false, c/pull Yes false, d/regcred Yes false"
	if joined := strings.Join(got, ", "); joined != want {
		t.Errorf("got  %s\nwant %s", joined, want)
	}
	first := found[0]
	if first.Pods != 30 || len(first.PodNames) != 20 || first.ServiceAccounts[0] != "default" || first.Others != 1 || first.Managers[0] != "kubectl-create" || first.Value != found[2].Value || first.Value == found[3].Value {
		t.Errorf("got %+v", first)
	}
	if found[2].Fix == "" || found[4].Owner != "regcred" {
		t.Errorf("got %+v", found)
	}
	if text, err := json.Marshal(found); err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("a password is shown, or %v: %s", err, text)
	}
}

func TestWhatIsInUseIsKnownOnlyWhereTheRegistryAcceptsIt(t *testing.T) {
	for _, test := range []struct {
		name string
		say  func(*adoption.Finder, *corev1.Secret)
		want adoption.Current
	}{
		{"the registry accepts what regcred wrote", func(f *adoption.Finder, _ *corev1.Secret) { f.InUse(inUse("Login")) }, adoption.CurrentYes},
		{"nobody tested it", func(f *adoption.Finder, _ *corev1.Secret) { f.InUse(inUse("")) }, adoption.CurrentUnknown},
		{"another revision is in use", func(f *adoption.Finder, _ *corev1.Secret) {
			object := inUse("Pull")
			object.Status.Credential.Revision = "8"
			f.InUse(object)
		}, adoption.CurrentUnknown},
		{"its Secrets have another name", func(f *adoption.Finder, _ *corev1.Secret) {
			object := inUse("Pull")
			object.Spec.Target.SecretName = "other"
			f.InUse(object)
		}, adoption.CurrentUnknown},
		{"its spec has another registry", func(f *adoption.Finder, _ *corev1.Secret) {
			object := inUse("Pull")
			object.Spec.Registries = []v1alpha1.Registry{"quay.io"}
			f.InUse(object)
		}, adoption.CurrentUnknown},
		{"a person says so", func(f *adoption.Finder, s *corev1.Secret) { f.NameInUse(s.Namespace, s.Name) }, adoption.CurrentYes},
		{"a person names a Secret that is not there", func(f *adoption.Finder, s *corev1.Secret) { f.NameInUse(s.Namespace, "gone") }, adoption.CurrentUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			written := ours(t, "a", "canary")
			f := finder(t, written)
			test.say(f, written)
			if got := f.All()[0].Current; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Whoever may write Secrets in a namespace can write there what looks like regcred's, with a password of their own, and may have most of the
// namespaces that are served.
func TestNobodySaysForOtherNamespacesWhichPasswordIsInUse(t *testing.T) {
	for _, test := range []struct {
		name      string
		passwords string // by namespace
		want      string
		disputes  string
	}{
		{"all have the same", "rrr", "Yes Yes Yes", ""},
		{"one of three is forged", "rfr", "Unknown Unknown Unknown", "company: A 2 n0, B 1 n1"},
		{"the first of three is forged", "frr", "Unknown Unknown Unknown", "company: A 2 n1, B 1 n0"},
		{"most are forged", "rffff", "Unknown Unknown Unknown Unknown Unknown", "company: A 4 n1, B 1 n0"},
		{"one of two", "rf", "Unknown Unknown", "company: A 1 n0, B 1 n1"},
		{"each has another", "rfg", "Unknown Unknown Unknown", "company: A 1 n0, B 1 n1, C 1 n2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := finder(t)
			for i := len(test.passwords) - 1; i >= 0; i-- { // in whichever order they are listed
				f.Add(ours(t, fmt.Sprint("n", i), test.passwords[i:i+1]))
			}
			f.InUse(inUse("Pull"))
			if got := told(f.Disputes()); got != test.disputes {
				t.Errorf("disputed is %q, want %q", got, test.disputes)
			}
			var got []string
			for _, one := range f.All() {
				got = append(got, string(one.Current))
			}
			if joined := strings.Join(got, " "); joined != test.want {
				t.Errorf("in use: %s, want %s", joined, test.want)
			}
		})
	}
}

func told(disputes []adoption.Dispute) string {
	var all []string
	for _, dispute := range disputes {
		var values []string
		for _, one := range dispute.Values {
			values = append(values, fmt.Sprintf("%s %d %s", one.Value, one.Secrets, one.First))
		}
		all = append(all, dispute.RegistryCredential+": "+strings.Join(values, ", "))
	}
	return strings.Join(all, "; ")
}

// Of two RegistryCredentials for parts of a registry, what is sure of one says nothing of the other.
func TestWhereOneIsDisputedNoPasswordIsSaidToBeOutOfUse(t *testing.T) {
	of := func(namespace, credential, key, password string) *corev1.Secret {
		s := secret(t, namespace, credential, password, key)
		s.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
		s.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{credential: {Revision: "7", Keys: []string{key}}}.String()}
		return s
	}
	f := finder(t, of("a", "sure", host+"/sure", "canary-sure"), of("b", "zoo", host+"/zoo", "canary-1"), of("c", "zoo", host+"/zoo", "canary-2"),
		of("b", "app", host+"/app", "canary-3"), of("c", "app", host+"/app", "canary-4"), secret(t, "d", "hand", "canary-hand", host))
	for _, name := range []string{"zoo", "sure", "app"} {
		object := inUse("Pull")
		object.Name, object.Spec.Target.SecretName = name, name
		object.Spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(host + "/" + name)}
		f.InUse(object)
	}
	for _, one := range f.All() {
		want := adoption.CurrentUnknown
		if one.Name == "sure" {
			want = adoption.CurrentYes
		}
		if one.Current != want {
			t.Errorf("%s/%s: %s, want %s", one.Namespace, one.Name, one.Current, want)
		}
	}
	if got := told(f.Disputes()); !strings.HasPrefix(got, "app: ") || !strings.Contains(got, "; zoo: ") || strings.Contains(got, "sure") {
		t.Errorf("disputed is %s", got)
	}
}

// A key that the spec does not have is nobody's vote, and neither is a Secret of another name.
func TestAForgedEntryIsNoVote(t *testing.T) {
	forged := secret(t, "forger", "regcred", "canary-forged", host+"/evil")
	forged.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	forged.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: "7", Keys: []string{host + "/evil"}}}.String()}
	f := finder(t, ours(t, "a", "canary"), forged)
	for i := range 3 {
		crowd := ours(t, "forger", "canary-crowd")
		crowd.Name = fmt.Sprint("x", i)
		f.Add(crowd)
	}
	f.InUse(inUse("Pull"))
	if disputes := f.Disputes(); len(disputes) > 0 {
		t.Errorf("another one is said to be there: %s", told(disputes))
	}
	for _, one := range f.All() {
		if (one.Current == adoption.CurrentYes) != (one.Namespace == "a") {
			t.Errorf("%s/%s: %s", one.Namespace, one.Name, one.Current)
		}
	}
}

func TestTwoRunsNameNoValueAlike(t *testing.T) {
	// The letters tell Secrets of one run apart, and nothing about the value.
	one, two := finder(t, secret(t, "a", "x", "p", host), secret(t, "b", "x", "q", host)).All(), finder(t, secret(t, "a", "x", "q", host)).All()
	if one[0].Value != "A" || one[1].Value != "B" || two[0].Value != "A" {
		t.Errorf("%+v, %+v", one, two)
	}
}

func TestTheManifestTakesOverWhatCanBe(t *testing.T) {
	f := finder(t, secret(t, "a", "pull", "p", host), secret(t, "b", "pull", "p", host), secret(t, "a", "other", "p", host), ours(t, "c", "p"))
	f.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "app"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}})
	source := v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "x"}}
	manifests := adoption.Manifests(host, source, f.All())
	if len(manifests) != 2 {
		t.Fatalf("got %+v", manifests)
	}
	other, pull := manifests[0].Spec.Target, manifests[1].Spec.Target
	if other.SecretName != "other" || other.Attach != v1alpha1.AttachNone || pull.SecretName != "pull" || len(pull.Namespaces) != 2 ||
		pull.ExistingSecrets != v1alpha1.ExistingAdopt || (*pull.ServiceAccounts)[0] != "app" || pull.Attach != "" || manifests[1].Spec.Source.Vault.Path != "x" {
		t.Errorf("got %+v", manifests)
	}
	var many []adoption.Found
	for i := range 1001 {
		many = append(many, adoption.Found{Namespace: fmt.Sprint("n", i), Name: "pull", Adoptable: true})
	}
	if split := adoption.Manifests(host, source, many); len(split) != 2 || len(split[0].Spec.Target.Namespaces) != 1000 || split[1].Name != host+"-2" {
		t.Errorf("got %d manifests", len(split))
	}
}

func TestWhatNothingUsesIsTakenOverWhereAPersonAsksForItAlone(t *testing.T) {
	helm := secret(t, "c", "pull", "p", host)
	helm.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	f := finder(t, secret(t, "a", "pull", "p", host), secret(t, "b", "pull", "p", host), secret(t, "tenant", "pull", "junk", host), helm)
	f.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "app"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}})
	f.Pod("b", "web", []string{"pull"})
	f.Pod("c", "web", []string{"pull"})
	places := func(found []adoption.Found) string {
		var all []string
		for _, one := range found {
			all = append(all, one.Namespace)
		}
		return strings.Join(all, " ")
	}
	taken, left := adoption.InManifest(f.All(), false)
	if places(taken) != "a b" || places(left) != "tenant" {
		t.Errorf("taken over are %s, left out %s", places(taken), places(left))
	}
	if taken, left = adoption.InManifest(f.All(), true); places(taken) != "a b tenant" || len(left) > 0 {
		t.Errorf("with the unused ones %s are taken over, %s left out", places(taken), places(left))
	}
}

// The people of one namespace have as many ServiceAccounts as they like, and one RegistryCredential lists 32.
func TestServiceAccountsOfMostNamespacesAreListed(t *testing.T) {
	f := finder(t, secret(t, "tenant", "pull", "p", host), secret(t, "a", "pull", "p", host), secret(t, "b", "pull", "p", host))
	name := func(namespace, account string) {
		f.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}, {Name: "pull"}}})
	}
	for i := range 40 {
		name("tenant", fmt.Sprintf("aaa-%02d", i))
	}
	name("a", "web")
	name("b", "web")
	found := f.All()
	manifests := adoption.Manifests(host, v1alpha1.Source{}, found)
	accounts := *manifests[0].Spec.Target.ServiceAccounts
	if len(accounts) != 32 || accounts[31] != "web" || accounts[0] != "aaa-00" {
		t.Errorf("%d are listed: %v", len(accounts), accounts)
	}
	if left := adoption.LeftOut(&manifests[0], found); left != 9 {
		t.Errorf("%d are said to be left out", left)
	}
	for _, one := range found {
		if one.Namespace == "a" && len(one.ServiceAccounts) != 1 {
			t.Errorf("one that names the Secret twice is told as %v", one.ServiceAccounts)
		}
	}
	small := finder(t, secret(t, "a", "pull", "p", host)).All()
	if left := adoption.LeftOut(&adoption.Manifests(host, v1alpha1.Source{}, small)[0], small); left != 0 {
		t.Errorf("of none %d are left out", left)
	}
}

func TestWhatRegcredHasIsNotRefused(t *testing.T) {
	helm := secret(t, "c", "pull", "p", host)
	helm.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	f := finder(t, ours(t, "a", "p"), secret(t, "b", "pull", "p", host), helm)
	f.Refuse(func(namespace, name string) string { return "not " + namespace + "/" + name })
	found := f.All()
	if found[0].Adoptable || found[0].Fix != "not b/pull" || found[2].Fix != "" || len(adoption.Manifests(host, v1alpha1.Source{}, found)) != 0 {
		t.Errorf("got %+v", found)
	}
	if found[1].Fix != "not c/pull" {
		t.Errorf("whoever follows %q has no Secret, and regcred writes none", found[1].Fix)
	}
}

func FuzzTheNameOfAManifestIsOne(f *testing.F) {
	f.Add("registry.company.io:5000/team")
	f.Add("..-.")
	f.Add("A_b..c.-d")
	f.Add("111122223333.dkr.ecr.eu-central-1.amazonaws.com/platform/registry-credentials")
	f.Fuzz(func(t *testing.T, listed string) {
		for _, m := range adoption.Manifests(listed, v1alpha1.Source{}, []adoption.Found{{Namespace: "a", Name: "x", Adoptable: true}, {Namespace: "b", Name: "y", Adoptable: true}}) {
			if faults := validation.IsDNS1123Subdomain(m.Name); len(faults) > 0 {
				t.Errorf("%q becomes %q: %v", listed, m.Name, faults)
			}
			if len(m.Name) > 63 {
				t.Errorf("%q becomes %q, which the API server refuses", listed, m.Name)
			}
		}
	})
}
