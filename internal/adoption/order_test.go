package adoption

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/test/cputime"
	"regcred.dev/regcred/test/racedetector"
)

func pull(namespace, name, config string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(config)}}
}

func entries(keys ...string) string {
	var all []string
	for _, key := range keys {
		all = append(all, fmt.Sprintf(`%q:{"username":"robot","password":"p"}`, key))
	}
	return `{"auths":{` + strings.Join(all, ",") + `}}`
}

func looking(t *testing.T, listed string, secrets ...*corev1.Secret) *Finder {
	t.Helper()
	f, err := New(listed)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		f.Add(secret)
	}
	return f
}

func TestWhatIsNoRegistryIsRefused(t *testing.T) {
	if _, err := New("r.example:99999"); !errors.Is(err, registry.ErrPort) {
		t.Errorf("%v", err)
	}
}

func TestWhichKeysAreForARegistry(t *testing.T) {
	for _, test := range []struct {
		name, listed, key string
		want              int
	}{
		{"its host", "r.example/team", "r.example", 1},
		{"another path of it", "r.example/team", "https://r.example/v1/other", 1},
		{"a wildcard that covers it", "r.example", "*.example", 1},
		{"a wildcard that does not", "r.example", "*.other", 0},
		{"another name of the service", "docker.io", "registry-1.docker.io", 1},
		{"a token of docker login", "docker.io", "https://index.docker.io/v1/access-token", 0},
		{"another registry", "r.example", "s.example", 0},
		{"nothing", "r.example", "/", 0},
	} {
		if got := len(looking(t, test.listed, pull("a", "x", entries(test.key))).All()); got != test.want {
			t.Errorf("%s: %d Secrets are found", test.name, got)
		}
	}
}

func TestThoseComeFirstThatCanBeTakenOver(t *testing.T) {
	helm, ours := pull("b", "helm", entries("r.example")), pull("a", "ours", entries("r.example"))
	helm.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	ours.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	var names []string
	for _, one := range looking(t, "r.example", ours, helm, pull("z", "two", entries("r.example")), pull("z", "one", entries("r.example"))).All() {
		names = append(names, one.Name)
		switch fix := one.Fix != ""; {
		case fix != (one.Name == "helm"):
			t.Errorf("%s: a person is told to do %q", one.Name, one.Fix)
		case one.Name == "helm" && one.Owner != "Helm release", one.Name == "ours" && one.Owner != "regcred", one.Name == "one" && one.Owner != "a person":
			t.Errorf("%s is said to be of %q", one.Name, one.Owner)
		}
	}
	if got := strings.Join(names, " "); got != "one two helm ours" {
		t.Errorf("%s", got)
	}
}

func TestEqualValuesHaveOneLetterWhereverTheirLoginsStand(t *testing.T) {
	two := `{"auths":{"r.example/a":{"username":"u","password":"1"},"r.example/b":{"username":"v","password":"2"}}}`
	turned := `{"auths":{"r.example/a":{"username":"v","password":"2"},"r.example/b":{"username":"u","password":"1"}}}`
	found := looking(t, "r.example", pull("a", "x", two), pull("b", "x", turned), pull("c", "x", entries("r.example")), pull("c", "y", entries("r.example")), pull("d", "x", entries("r.example"))).All()
	if found[0].Value != "B" || found[1].Value != "B" || found[2].Value != "A" {
		t.Errorf("%s, %s and %s: three have one value, two the other", found[0].Value, found[1].Value, found[2].Value)
	}
	var others []*corev1.Secret
	for n := range 30 { // each has a value of its own
		others = append(others, pull("n", fmt.Sprintf("s%02d", 29-n), strings.ReplaceAll(entries("r.example"), `"p"`, fmt.Sprintf(`"p%d"`, n))))
	}
	for n, one := range looking(t, "r.example", others...).All() {
		if want := letterOf(n); one.Value != want {
			t.Errorf("%s has the letter %s, want %s: of as many Secrets the first has the first", one.Name, one.Value, want)
		}
	}
	for n, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 27: "AB", 51: "AZ", 52: "BA", 701: "ZZ", 702: "AAA"} {
		if got := letterOf(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestWhatOthersWroteIsCleaned(t *testing.T) {
	odd := pull("a", "x", entries("https://user:secret@r.example"))
	odd.Labels = map[string]string{v1alpha1.ManagedByLabel: "evil\n\x1b[31m"}
	odd.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "a\nb"}}
	odd.Name = "x\ny"
	f := looking(t, "r.example", odd)
	f.Pod("a", "web\n1", []string{"x\ny"})
	all := f.All()
	if len(all) != 1 {
		t.Fatalf("%d are found", len(all))
	}
	one := all[0]
	text := strings.Join(append(append(append([]string{one.Namespace, one.Name, one.Owner, one.Fix}, one.Managers...), one.Keys...), one.PodNames...), "|")
	if strings.ContainsAny(text, "\n\x1b") || strings.Contains(text, "secret@") || !strings.Contains(text, "web 1") || len(one.Keys) != 1 {
		t.Errorf("%q", text)
	}
}

func TestWhatIsTooLargeIsNotLookedAt(t *testing.T) {
	large := pull("a", "x", `{"auths":{"r.example":{"auth":"dTpw"}},"x":"`+strings.Repeat("x", maxData)+`"}`)
	if found := looking(t, "r.example", large).All(); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestOnlyWhatRegcredWroteTellsOfTheValueInUse(t *testing.T) {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"},
		Spec:   v1alpha1.RegistryCredentialSpec{Registries: []v1alpha1.Registry{"r.example"}, Target: v1alpha1.Target{SecretName: "x"}},
		Status: v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{ProvenBy: "Pull"}}}
	theirs := pull("a", "x", entries("r.example"))
	theirs.Annotations = map[string]string{v1alpha1.SourcesAnnotation: `{"version":1,"sources":{"company":{"keys":["r.example"]}}}`}
	unrecorded := pull("b", "x", entries("r.example"))
	unrecorded.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	whole := theirs.DeepCopy()
	whole.Labels = unrecorded.Labels
	for name, test := range map[string]struct {
		secret *corev1.Secret
		want   Current
	}{"it has the record alone": {theirs, CurrentUnknown}, "it has the label alone": {unrecorded, CurrentUnknown}, "it has both": {whole, CurrentYes}} {
		f := looking(t, "r.example", test.secret)
		f.InUse(object)
		if all := f.All(); len(all) != 1 || all[0].Current != test.want {
			t.Errorf("%s: %+v, want %s", name, all, test.want)
		}
	}
}

func TestAManifestIsWhole(t *testing.T) {
	made := Manifests("r.example", v1alpha1.Source{}, []Found{{Namespace: "a", Name: "pull", Adoptable: true}, {Namespace: "a", Name: "other", Adoptable: true}})
	if len(made) != 2 {
		t.Errorf("%d manifests", len(made))
	}
	for _, one := range made {
		if one.APIVersion != v1alpha1.GroupVersion.String() || one.Kind != "RegistryCredential" || len(one.Spec.Registries) != 1 || !strings.HasPrefix(one.Name, "r.example-") {
			t.Errorf("%s %s %s of %q", one.APIVersion, one.Kind, one.Name, one.Spec.Registries)
		}
	}
	if len(made) != 2 || made[0].Name == made[1].Name {
		t.Errorf("%d of them", len(made))
	}
	for _, one := range Manifests("...", v1alpha1.Source{}, []Found{{Namespace: "a", Name: "pull", Adoptable: true}}) {
		if one.Name == "" {
			t.Error("one has no name")
		}
	}
}

// The people of a namespace decide how many Secrets they have, and that each has another password.
func TestManySecretsAreNotComparedWithEachOther(t *testing.T) {
	racedetector.Skip(t)
	const secrets = 2000
	var all []*corev1.Secret
	for i := range secrets {
		all = append(all, pull("shop", fmt.Sprint("s-", i), fmt.Sprintf(`{"auths":{"r.example":{"username":"robot","password":"%d"}}}`, i)))
	}
	f := looking(t, "r.example", all...)
	if allocations := testing.AllocsPerRun(1, f.letter); allocations > 50*secrets {
		t.Errorf("for %d Secrets it takes %.0f allocations", secrets, allocations)
	}
	if first, last := f.All()[0], f.All()[secrets-1]; first.Value != "A" || last.Value != letterOf(secrets-1) {
		t.Errorf("%+v to %+v", first, last)
	}
}

// The people of a namespace choose how their Secrets are called, and how many ServiceAccounts name one.
func TestManyNamesAreNotComparedWithEachOther(t *testing.T) {
	racedetector.Skip(t)
	const secrets = 1000
	var found []Found
	for i := range secrets {
		found = append(found, Found{Namespace: "shop", Name: fmt.Sprintf("%s-%d", strings.Repeat("a", 2*maxBase), i), Adoptable: true})
	}
	if allocations := testing.AllocsPerRun(1, func() { Manifests("r.example", v1alpha1.Source{}, found) }); allocations > 100*secrets {
		t.Errorf("for %d Secrets it takes %.0f allocations", secrets, allocations)
	}
	names := map[string]bool{}
	for _, manifest := range Manifests("r.example", v1alpha1.Source{}, found) {
		names[manifest.Name] = true
		if len(manifest.Name) > 63 {
			t.Fatalf("the API server refuses the name %s", manifest.Name)
		}
	}
	if len(names) != secrets {
		t.Errorf("%d Secrets have manifests of %d names", secrets, len(names))
	}
	f := looking(t, "r.example", pull("shop", "x", entries("r.example")))
	if took := cputime.Of(func() {
		for i := range 300_000 {
			f.Account(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%0200d", i)}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "x"}}})
		}
	}); took > time.Minute || len(f.All()[0].ServiceAccounts) != 300_000 {
		t.Errorf("%d ServiceAccounts took %s", len(f.All()[0].ServiceAccounts), took)
	}
}
