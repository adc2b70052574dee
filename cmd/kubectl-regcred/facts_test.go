package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/supportbundle"
)

func namespaceNamed(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func TestWhichRegistryCredentialsServeThePodThatIsExplained(t *testing.T) {
	object := v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"registry.company.io"}, Target: v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"kube-system"}}}}
	object.Status.Namespaces = &v1alpha1.NamespacesStatus{Failures: []v1alpha1.NamespaceFailure{
		{Namespace: "kube-system", Message: "its own problem"}, {Namespace: "other", Message: "another's problem"}}}
	written := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "regcred", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
		Annotations: map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: "7"}, pullsecret.Adopted: {}, "another": {}, "third": {}}.String()}},
		Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)}}
	for _, test := range []struct {
		name, namespace string
		unread          bool
		serving         []string
		protected       bool
		problem         string
	}{
		{"a protected namespace that is named", "kube-system", false, []string{"company"}, false, "its own problem"},
		{"a protected namespace that is not", "kube-public", false, nil, true, ""},
		{"one that is not selected, where it wrote an entry", "shop", false, []string{"company"}, false, ""},
		{"one that is not selected", "web", false, nil, false, ""},
		{"where they may not be read, those that the Secret tells of", "shop", true, []string{"another", "company", "third"}, false, ""},
	} {
		var r recorded
		l := &look{reader: r.client(written, namespaceNamed(test.namespace, nil)), operator: "regcred-system", now: atNoon, unread: test.unread}
		if !test.unread {
			l.credentials = []v1alpha1.RegistryCredential{object}
		}
		f, err := l.facts(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: test.namespace, Name: "web-1"}})
		if err != nil {
			t.Fatal(err)
		}
		var serving []string
		for _, c := range f.Credentials {
			serving = append(serving, c.Name)
			if c.Problem != test.problem {
				t.Errorf("%s: its problem is %q, want %q", test.name, c.Problem, test.problem)
			}
		}
		if slices.Sort(serving); !slices.Equal(serving, test.serving) || f.Protected != test.protected {
			t.Errorf("%s: serving are %q, protected: %t", test.name, serving, f.Protected)
		}
	}
}

func TestAnOwnerIsRememberedByItsKindAndNamespace(t *testing.T) {
	var known remembered
	kind := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	first := known.of(metadataOf{kind, client.ObjectKey{Namespace: "shop", Name: "web"}})
	for name, other := range map[string]metadataOf{
		"another namespace": {kind, client.ObjectKey{Namespace: "other", Name: "web"}}, "another name": {kind, client.ObjectKey{Namespace: "shop", Name: "x"}},
		"another kind": {schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, client.ObjectKey{Namespace: "shop", Name: "web"}},
	} {
		if known.of(other) == first {
			t.Errorf("%s is the same", name)
		}
	}
	var r recorded
	set := func(namespace string) client.Object {
		made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", UID: "uid-of-" + "x"}}
		made.UID = "of-" + made.UID
		made.Annotations = map[string]string{"regcred.dev/of": namespace}
		return made
	}
	reader := once{r.client(set("shop"), set("other"), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{"regcred.dev/of": "account"}}}), &known}
	for _, test := range []struct{ kind, namespace, want string }{{"Secret", "shop", "shop"}, {"Secret", "other", "other"}, {"ServiceAccount", "shop", "account"}, {"Secret", "shop", "shop"}} {
		got := &metav1.PartialObjectMetadata{}
		got.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(test.kind))
		if err := reader.Get(t.Context(), client.ObjectKey{Namespace: test.namespace, Name: "web"}, got); err != nil || got.Annotations["regcred.dev/of"] != test.want {
			t.Errorf("%s in namespace %s: %v, %v", test.kind, test.namespace, got.Annotations, err)
		}
	}
}

// What lists tell of many namespaces is what each of them would tell.
func TestWhatManyNamespacesHaveIsReadByListsAsItIs(t *testing.T) {
	places := map[string]*surroundings{}
	var objects []client.Object
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		places[name] = newSurroundings(&corev1.Namespace{})
		objects = append(objects, namespaceNamed(name, nil))
		if name != "g" {
			objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "regcred"}}, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}})
		}
	}
	var r recorded
	l := &look{reader: r.client(objects...), operator: "regcred-system", now: atNoon}
	if err := l.prelist(t.Context(), places, "regcred", []string{"default"}); err != nil {
		t.Fatal(err)
	}
	for name, s := range places {
		secret, listed := s.secrets["regcred"]
		account, known := s.accounts["default"]
		if missing := name == "g"; !listed || !known || secret.Missing != missing || account.Missing != missing {
			t.Errorf("namespace %s: %+v, %+v", name, secret, account)
		}
	}
}

func TestANamespaceThatIsBeingDeletedIsNoneThatIsStillToCome(t *testing.T) {
	going := namespaceNamed("going", nil)
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: atNoon()}, []string{"kubernetes"}
	object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"going", "coming", "there"}}}}
	selectors, err := preview.SelectorsOf(nil, object, preview.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	found, err := (&look{reader: r.client(going, namespaceNamed("there", nil))}).concerned(t.Context(), object, selectors)
	if err != nil || len(found) != 2 || found[0].Name != "there" || found[0].Missing || found[1].Name != "coming" || !found[1].Missing {
		t.Errorf("%+v, %v", found, err)
	}
}

// Whoever may write a Secret chooses neither what is shown to a registry nor to which.
func TestOnlyWhatRegcredWroteForTheRegistriesOfTheSpecIsShown(t *testing.T) {
	const host = "registry.example.com"
	for name, test := range map[string]struct {
		change func(*v1alpha1.RegistryCredential, *corev1.Secret)
		keys   []string
	}{
		"what it wrote":                          {func(*v1alpha1.RegistryCredential, *corev1.Secret) {}, []string{host}},
		"of a Secret that is not regcred's none": {func(_ *v1alpha1.RegistryCredential, s *corev1.Secret) { s.Labels = nil }, nil},
		"of another RegistryCredential none":     {func(o *v1alpha1.RegistryCredential, _ *corev1.Secret) { o.Name = "other" }, nil},
		"of a registry that is not listed none": {func(o *v1alpha1.RegistryCredential, _ *corev1.Secret) {
			o.Spec.Registries = []v1alpha1.Registry{"other.example.com"}
		}, nil},
	} {
		object, secret := writtenSecret(t, host, "canary")
		test.change(object, secret)
		value := valueIn(secret, object)
		if (value == nil) != (test.keys == nil) || value != nil && !slices.Equal(value.keys(), test.keys) {
			t.Errorf("%s: %v", name, value)
		}
	}
}

func TestARevisionIsComparedAsItIsShown(t *testing.T) {
	object := &v1alpha1.RegistryCredential{Status: v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{Revision: "7\x1b"}}}
	value := &valueInUse{namespace: "shop", secret: "regcred", revision: "7\x1b", config: dockerconfig.Config{}}
	if notes := value.outdated(object); len(notes) != 0 {
		t.Errorf("%q", notes)
	}
	value.revision = "6\x1b"
	if notes := value.outdated(object); len(notes) != 1 || strings.Contains(notes[0], "\x1b") {
		t.Errorf("%q", notes)
	}
}

func TestASecretOfAPodIsReportedAsReferencedWhereThePodNamesIt(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "own"}, {Name: "regcred"}}}}
	for secret, want := range map[string]string{"regcred": "own:true regcred:true", "lacking": "own:true regcred:true lacking:false", "": "own:true regcred:true"} {
		var got []string
		for _, r := range secretsFor(diagnosis.Facts{Pod: pod}, diagnosis.Finding{Secret: secret}) {
			got = append(got, r.Name+map[bool]string{true: ":true", false: ":false"}[r.Referenced])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("for %q: %q", secret, got)
		}
	}
}

func TestPodsAreGroupedByTheFirstOfTheirContainers(t *testing.T) {
	pod := func(name string, credentials ...string) podReport {
		p := podReport{Name: name}
		for _, credential := range credentials {
			p.Containers = append(p.Containers, containerReport{Credential: credential})
		}
		return p
	}
	groups := report{Pods: []podReport{pod("a", "company", "x"), pod("b", "company", "y"), pod("c", "other", "x")}}.groups()
	if len(groups) != 2 || len(groups[0].pods) != 2 || groups[0].first.Name != "a" || groups[1].first.Name != "c" {
		t.Errorf("%+v", groups)
	}
}

func TestPullsAreCountedWithTheirDifferentImages(t *testing.T) {
	a := audited{Images: []audit.Row{{Image: "r.io/a", Registry: "r.io"}, {Image: "r.io/b", Registry: "r.io"}, {Image: "r.io/a", Registry: "r.io"}}}
	if got := a.pulls(); got != "3 pulls of 2 images" {
		t.Error(got)
	}
}

func TestABundleTakesTheRestartsOfAllContainersAndOverwritesNothing(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}, {RestartCount: 3}, {}}}}
	if got := podFacts(pod).Restarts; got != 5 {
		t.Errorf("%d restarts", got)
	}
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := writeBundle(path, supportbundle.Contents{})
	if text, read := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), "is there already") || read != nil || string(text) != "precious" {
		t.Errorf("%v, and there is %q, %v", err, text, read)
	}
}

func TestEachManifestSaysWhatTheOperatorMayNotWriteOfIt(t *testing.T) {
	taken := []adoption.Found{{Namespace: "shop", Name: "first", Adoptable: true, Pods: 1}, {Namespace: "shop", Name: "second", Adoptable: true, Pods: 1}}
	result := adoptable{Secrets: taken}
	d := &adopt{path: "x", mount: "secret"}
	if d.write("registry.company.io", preview.Limits{SecretNames: []string{"first"}}, &result); len(result.Manifests) != 2 {
		t.Fatalf("%d manifests", len(result.Manifests))
	}
	said := 0
	for _, note := range result.Notes {
		if strings.Contains(note, "would be Stalled") {
			if said++; !strings.Contains(note, "second") {
				t.Errorf("it says %q", note)
			}
		}
	}
	if said != 1 {
		t.Errorf("%d notes of %q", said, result.Notes)
	}
}
