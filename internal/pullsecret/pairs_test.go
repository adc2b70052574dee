package pullsecret

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

// fact is one thing that is so of a Secret of ours whose value is rotated, with what is done where nothing else is.
type fact struct {
	name   string
	make   func(testing.TB, *Input)
	action Action
}

// ofSecret changes the Secret that is there.
func ofSecret(change func(*corev1.Secret)) func(testing.TB, *Input) {
	return func(_ testing.TB, in *Input) { change(in.Current) }
}

func crowd(t testing.TB, in *Input) {
	keys := map[string]bool{}
	config := config(t, "a", "shop.example")
	for i := range MaxEntries + 1 {
		keys[string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))+".example"] = true
	}
	for key := range keys {
		config[key] = config["shop.example"]
	}
	in.Current.Data[corev1.DockerConfigJsonKey] = config.Render()
}

// ordinary are the facts that matter where a new value is to be written: first whose the Secret is and whether it can be written, then what
// is in it, then what is wanted of it.
var ordinary = []fact{
	{"being deleted", ofSecret(func(s *corev1.Secret) { s.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }), Wait},
	{"crowded", crowd, Refuse},
	{"made by Helm", ofSecret(func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"} }), Refuse},
	{"made by hand", ofSecret(func(s *corev1.Secret) { s.Labels = nil }), Refuse},
	{"immutable", ofSecret(immutableSecret), Recreate},
	{"of another type", ofSecret(opaque), Recreate},
	{"with data of others", ofSecret(func(s *corev1.Secret) { s.Data["ca.crt"] = []byte("theirs") }), Update},
	{"taken over", ofSecret(takenOver), Update},
	{"broken", ofSecret(func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }), Update},
	{"without its record", ofSecret(forget), Update},
	{"nothing is published", func(_ testing.TB, in *Input) { in.Contributions[0].Config = nil }, Keep},
	{"deselected", func(_ testing.TB, in *Input) { in.Contributions = nil }, Delete},
	{"its RegistryCredential is gone and retained", func(_ testing.TB, in *Input) { in.Contributions, in.Exists = nil, only() }, Keep},
	{"right", func(t testing.TB, in *Input) {
		in.Contributions[0] = contribution("shop", 2, "1", config(t, "a", "shop.example"))
	}, Keep},
}

// pairs say what is done where two facts hold: a row for each fact, with a letter for each that comes after it. "<" is what the row's fact
// asks for alone, "^" what the other one does, "." a pair that cannot be. A letter stands for what neither asks for alone.
var pairs = []string{
	"^<<<<<<<<<<^<", // being deleted: what comes after it is written when it is gone; but one that is crowded is told, and one that nobody asks for is left
	"<<<<<<.<<<<<",  // crowded: too much is there to be looked at
	".<<<<<<<k^<",   // Helm's: never touched; one that nobody asks for (k) is not even refused
	"<<<<<<<k^<",    // made by hand, without Adopt: the same
	"<rr<<^^^^",     // immutable: recreated, unless something is only there (r), and only where there is something to write
	"rr<rr^^<",      // of another type, which a kubelet ignores: the same, but it is not right before it has the type
	"<<<^<^^",       // with data of others: never deleted
	"<<^<^^",        // taken over: neither
	"<^^^<",         // broken: written again, by one that has something to write
	"<k^<",          // without its record: nobody knows what may go, so nothing does (k)
	"...",
	"..",
	".",
	"",
}

var combined = map[rune]Action{'k': Keep, 'r': Refuse}

func ask(t testing.TB, facts ...fact) Plan {
	in := Input{
		Namespace: "shop", Name: "regcred", Exists: everybody, Now: noon,
		Contributions: []Contribution{contribution("shop", 2, "2", config(t, "new", "shop.example"))},
		Current:       secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example"))),
	}
	for _, one := range facts {
		one.make(t, &in)
	}
	return Decide(in)
}

func TestEachFactAlone(t *testing.T) {
	racedetector.Skip(t)
	if plan := ask(t); plan.Action != Update {
		t.Errorf("a new value: %s", plan.Action)
	}
	for _, one := range ordinary {
		if plan := ask(t, one); plan.Action != one.action {
			t.Errorf("%s: %s, want %s", one.name, plan.Action, one.action)
		}
	}
}

func TestTwoFactsAtOnce(t *testing.T) {
	racedetector.Skip(t)
	for i, row := range pairs {
		if len(row) != len(ordinary)-i-1 {
			t.Fatalf("%q has %d letters, want %d", ordinary[i].name, len(row), len(ordinary)-i-1)
		}
		for k, letter := range row {
			one, other := ordinary[i], ordinary[i+1+k]
			want := combined[letter]
			switch letter {
			case '.':
				continue
			case '<':
				want = one.action
			case '^':
				want = other.action
			}
			t.Run(one.name+", and "+other.name, func(t *testing.T) {
				if plan := ask(t, one, other); plan.Action != want {
					t.Errorf("%s, want %s; owner %+v", plan.Action, want, plan.Owner)
				}
			})
		}
	}
}

func TestTheRecordOfACopyIsNotBelieved(t *testing.T) {
	// Somebody copied our Secret, without our label, and added an entry of his own: the record does not list it.
	shop := adopting(contribution("shop", 2, "2", config(t, "new", "shop.example")))
	copied := changed(secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example"))), func(s *corev1.Secret) {
		s.Labels = nil
		s.Data[corev1.DockerConfigJsonKey] = config(t, "a", "shop.example", "theirs.example").Render()
	})
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop}, Exists: everybody, Current: copied, Now: noon})
	if plan.Action != Update {
		t.Fatalf("%s", plan.Action)
	}
	if diff := cmp.Diff(map[string]string{"shop.example": "new", "theirs.example": "a"}, entriesOf(t, plan.Secret)); diff != "" {
		t.Errorf("what the copied record does not list is lost: %s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"shop": {"shop.example"}, Adopted: {"theirs.example"}}, sourcesOf(plan.Secret)); diff != "" {
		t.Error(diff)
	}
}

func TestTwoThatAreGoneNeverRecordOneKey(t *testing.T) {
	// A person edited the record: two RegistryCredentials that are gone have the same key.
	left := changed(secret(t, contribution("a", 2, "1", config(t, "p", "shop.example"))), func(s *corev1.Secret) {
		sources := SourcesOf(s.Annotations)
		s.Annotations[v1alpha1.SourcesAnnotation] = Sources{"a": sources["a"], "b": sources["a"]}.String()
	})
	mine := contribution("shop", 1, "1", config(t, "new", "other.example"))
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{mine}, Exists: only("shop"), Current: left, Now: noon})
	if diff := cmp.Diff(map[string][]string{"shop": {"other.example"}, "a": {"shop.example"}}, sourcesOf(plan.Secret)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"other.example": "new", "shop.example": "p"}, entriesOf(t, plan.Secret)); diff != "" {
		t.Error(diff)
	}
}

// What a copy of another namespace's Secret records is there: here nobody has a registry by it.
func TestByTheRecordOfACopyNobodyHasARegistry(t *testing.T) {
	held, shop := contribution("held", 9, "", nil), contribution("shop", 2, "2", config(t, "new", "shop.example"))
	copied := changed(secret(t, contribution("held", 9, "1", config(t, "a", "shop.example"))), func(s *corev1.Secret) {
		s.Labels["hnc.x-k8s.io/inherited-from"] = "parent"
	})
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{held, shop}, Exists: everybody, Current: copied, Now: noon})
	if plan.Action != Refuse || len(plan.Taken) > 0 {
		t.Errorf("%s, taken are %+v", plan.Action, plan.Taken)
	}
}
