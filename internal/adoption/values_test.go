package adoption

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// config has an entry for each key: user and password, with a slash between them.
func config(logins map[string]string) string {
	var all []string
	for key, login := range logins {
		user, password, _ := strings.Cut(login, "/")
		all = append(all, fmt.Sprintf(`%q:{"username":%q,"password":%q}`, key, user, password))
	}
	return `{"auths":{` + strings.Join(all, ",") + `}}`
}

func TestWhichSecretsHaveOneValue(t *testing.T) {
	one := config(map[string]string{"r.example": "robot/p"})
	for _, test := range []struct {
		name  string
		other map[string]string
		same  bool
	}{
		{"the same login", map[string]string{"r.example": "robot/p"}, true},
		{"the same login under another spelling", map[string]string{"https://r.example/v1/": "robot/p"}, true},
		{"the same login under two keys", map[string]string{"r.example": "robot/p", "r.example/team": "robot/p"}, true},
		{"the same login, and one for another registry", map[string]string{"r.example": "robot/p", "s.example": "other/q"}, true},
		{"the same password of another user", map[string]string{"r.example": "other/p"}, false},
		{"another password", map[string]string{"r.example": "robot/q"}, false},
		{"another login beside it", map[string]string{"r.example": "robot/p", "r.example/team": "robot/q"}, false},
	} {
		found := looking(t, "r.example", pull("a", "x", one), pull("b", "x", config(test.other))).All()
		if same := found[0].Value == found[1].Value; same != test.same {
			t.Errorf("%s: it is one value: %t", test.name, same)
		}
	}
}

// A person compares what two runs print, and the API server lists in any order.
func TestLettersDoNotDependOnTheOrderInWhichSecretsAreSeen(t *testing.T) {
	secrets := []*corev1.Secret{
		pull("a", "x", config(map[string]string{"r.example": "robot/p"})), pull("b", "x", config(map[string]string{"r.example": "robot/q"})),
		pull("c", "x", config(map[string]string{"r.example": "robot/q"})), pull("d", "x", config(map[string]string{"r.example": "robot/p"})),
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 3, 0, 1}, {3, 1, 0, 2}} {
		var seen []*corev1.Secret
		for _, at := range order {
			seen = append(seen, secrets[at])
		}
		all := looking(t, "r.example", seen...).All()
		if len(all) != len(secrets) {
			t.Fatalf("%d are found", len(all))
		}
		for _, one := range all {
			if want := map[string]string{"a": "A", "b": "B", "c": "B", "d": "A"}[one.Namespace]; one.Value != want {
				t.Errorf("seen as %v, that of %s is %s, want %s", order, one.Namespace, one.Value, want)
			}
		}
	}
}

func TestWhatOfASecretIsForTheRegistry(t *testing.T) {
	two := pull("a", "x", entries("r.example", "r.example/team", "s.example"))
	if got := looking(t, "r.example", two).All()[0]; got.Others != 1 || len(got.Keys) != 2 {
		t.Errorf("beside %q it has %d entries", got.Keys, got.Others)
	}
	if got := looking(t, "r.example", pull("a", "x", entries("*.example/team"))).All(); len(got) != 1 {
		t.Error("a wildcard for a path of the registry is passed over")
	}
	stray := pull("a", "x", "")
	stray.Data = map[string][]byte{corev1.DockerConfigKey: []byte(`{"r.example":{"username":"u","password":"p"}}`)}
	if got := looking(t, "r.example", stray).All(); len(got) != 0 {
		t.Error("what a kubelet does not read, because the Secret is of another type, is found")
	}
}

// wrote is what regcred wrote of company at a revision under these keys.
func wrote(namespace, revision string, logins map[string]string) *corev1.Secret {
	secret := pull(namespace, "regcred", config(logins))
	source := pullsecret.Source{Revision: revision}
	for key := range logins {
		source.Keys = append(source.Keys, key)
	}
	secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": source}.String()}
	return secret
}

func TestWhatIsDisputedIsALoginUnderAKey(t *testing.T) {
	company := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}
	company.Spec.Registries = []v1alpha1.Registry{"r.example/a", "r.example/b"}
	company.Status.Credential = &v1alpha1.CredentialStatus{Revision: "7", ProvenBy: "Pull"}
	a, b, both := map[string]string{"r.example/a": "robot/p"}, map[string]string{"r.example/b": "robot/q"}, map[string]string{"r.example/a": "robot/p", "r.example/b": "robot/q"}
	forged := map[string]string{"r.example/a": "robot/forged"}
	for _, test := range []struct {
		name    string
		secrets []*corev1.Secret
		current string // of each, by namespace
		// disputed is how many Secrets the dispute is between.
		disputed int
	}{
		{"one has an entry that the other has not yet", []*corev1.Secret{wrote("1", "7", a), wrote("2", "7", both)}, "Yes Yes", 0},
		{"a login is forged", []*corev1.Secret{wrote("1", "7", a), wrote("2", "7", forged), wrote("3", "7", b)}, "Unknown Unknown Yes", 3},
		{"another login is of the revision before", []*corev1.Secret{wrote("1", "7", a), wrote("2", "6", forged)}, "Yes No", 0},
		{"a login is forged, and others are of the revision before", []*corev1.Secret{wrote("1", "7", a), wrote("2", "7", forged), wrote("3", "6", b), wrote("4", "6", b)}, "Unknown Unknown Unknown Unknown", 2},
	} {
		f := looking(t, "r.example", test.secrets...)
		f.InUse(company)
		var current []string
		for _, one := range f.All() {
			current = append(current, string(one.Current))
		}
		disputed := 0
		for _, dispute := range f.Disputes() {
			for _, value := range dispute.Values {
				disputed += value.Secrets
			}
		}
		if got := strings.Join(current, " "); got != test.current || disputed != test.disputed {
			t.Errorf("%s: %s, want %s; disputed between %d, want %d", test.name, got, test.current, disputed, test.disputed)
		}
	}
}

// Whoever is listed in the manifest is given the password.
func TestWhoIsListedInTheManifestIsNoneWhoseSecretIsUnused(t *testing.T) {
	found := []Found{{Namespace: "a", Adoptable: true, Current: CurrentYes}, {Namespace: "b", Adoptable: true, Pods: 1}, {Namespace: "c", Adoptable: true, ServiceAccounts: []string{"x"}}, {Namespace: "d", Pods: 1, Current: CurrentYes}}
	names := func(all []Found) (joined string) {
		for _, one := range all {
			joined += one.Namespace
		}
		return joined
	}
	if taken, left := InManifest(found, false); names(taken) != "bc" || names(left) != "a" {
		t.Errorf("taken are %s, left %s", names(taken), names(left))
	}
	if taken, left := InManifest(found, true); names(taken) != "abc" || names(left) != "" {
		t.Errorf("with the unused ones taken are %s, left %s", names(taken), names(left))
	}
}

func TestOnlyAccountsThatNameTheSecretOfTheManifestAreSaidToBeLeftOut(t *testing.T) {
	many := Found{Namespace: "a", Name: "x", Adoptable: true}
	for n := range maxAccounts {
		many.ServiceAccounts = append(many.ServiceAccounts, fmt.Sprintf("sa-%02d", n))
	}
	other := Found{Namespace: "a", Name: "y", Adoptable: true, ServiceAccounts: []string{"another"}}
	manifests := Manifests("r.example", v1alpha1.Source{}, []Found{many, other})
	if len(manifests) != 2 { // one for each name of a Secret
		t.Fatalf("%d manifests", len(manifests))
	}
	for _, manifest := range manifests {
		if got := LeftOut(&manifest, []Found{many, other}); got != 0 {
			t.Errorf("of %s %d are left out", manifest.Name, got)
		}
	}
}

// A name may end as the number of another one does.
func TestNoTwoManifestsHaveOneName(t *testing.T) {
	given, taken := names{}, map[string]bool{}
	for _, base := range []string{"a", "a", "a-1", "a-2", "a", "a-1", "a-2", "a-1-1"} {
		name := given.unused(base)
		if taken[name] {
			t.Errorf("%s is given away twice", name)
		}
		taken[name] = true
	}
}
