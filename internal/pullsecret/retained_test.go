package pullsecret

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

func unreadable(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }

func emptied(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`) }

func TestWhatBecomesOfASecretOfWhichNothingIsLeft(t *testing.T) {
	shop, base := contribution("shop", 2, "1", config(t, "a", "shop.example")), contribution("base", 1, "1", config(t, "b", "base.example"))
	suspended := func(c Contribution) Contribution { c.Config = nil; return c }
	never := suspended(contribution("young", 0, "", nil))
	for _, test := range []struct {
		name          string
		current       *corev1.Secret
		contributions []Contribution
		want          Action
	}{
		{"somebody emptied it while the credential is suspended: it waits for it", changed(secret(t, shop), emptied), []Contribution{suspended(shop)}, Keep},
		{"the same, and another one was deselected: nothing of either is left", changed(secret(t, shop, base), emptied), []Contribution{suspended(shop)}, Delete},
		{"nobody can read it, and one is suspended: a person may", changed(secret(t, shop, base), unreadable), []Contribution{suspended(shop)}, Keep},
		{"nobody can read it, one is suspended, and another has nothing in it", changed(secret(t, shop, base), unreadable), []Contribution{suspended(shop), never}, Keep},
		{"nobody can read it, and who is left has nothing in it", changed(secret(t, base), unreadable), []Contribution{never}, Delete},
	} {
		plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: test.contributions, Exists: everybody, Current: test.current, Now: noon})
		if plan.Action != test.want {
			t.Errorf("%s: %s, want %s", test.name, plan.Action, test.want)
		}
	}
	immutable := changed(secret(t, shop), immutableSecret)
	next := contribution("shop", 2, "2", config(t, "new", "shop.example"))
	if plan := Decide(Input{Contributions: []Contribution{next, never}, Exists: everybody, Current: immutable, Now: noon}); plan.Action != Recreate {
		t.Errorf("one that has nothing in it keeps nothing: %s", plan.Action)
	}
}

func TestTheDigestOfWhatIsThereIsRecorded(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	shop.Digest = "d1"
	base := contribution("base", 1, "1", config(t, "b", "base.example"))
	current := secret(t, shop, base)
	if got := SourcesOf(current.Annotations)["shop"]; got.Digest != "d1" || got.Revision != "1" {
		t.Errorf("%+v", got)
	}
	shop.Config, shop.Digest, shop.Revision = nil, "", "" // suspended
	next := contribution("base", 1, "2", config(t, "new", "base.example"))
	plan := Decide(Input{Contributions: []Contribution{shop, next}, Exists: everybody, Current: current, Now: noon})
	if got := SourcesOf(plan.Secret.Annotations)["shop"]; got.Digest != "d1" || got.Revision != "1" {
		t.Errorf("what stays is recorded as %+v", got)
	}
}

// large is of a RegistryCredential with so many bytes, more or less.
func large(t testing.TB, key string, size int) Contribution {
	t.Helper()
	return contribution(strings.TrimSuffix(key, ".example"), 1, "1", filling(t, size, key))
}

func TestWhatMustStayHasItsRoomBeforeAnythingNew(t *testing.T) {
	racedetector.Skip(t)
	const half = 450 << 10
	for _, whose := range []string{"gone", Adopted} {
		current := secret(t, large(t, "gone.example", half))
		current.Annotations[v1alpha1.SourcesAnnotation] = Sources{whose: SourcesOf(current.Annotations)["gone"]}.String()
		first, second := large(t, "first.example", half), large(t, "second.example", half)
		first.Created = first.Created.Add(-time.Hour)
		plan := Decide(Input{Contributions: []Contribution{second, first}, Exists: only("first", "second"), Current: current, Now: noon})
		if !slices.Equal(plan.Refused, []string{"second"}) || plan.Secret == nil || len(plan.Secret.Data[corev1.DockerConfigJsonKey]) > corev1.MaxSecretSize {
			t.Fatalf("%s: %s, refused %v", whose, plan.Action, plan.Refused)
		}
		if got := sourcesOf(plan.Secret); len(got[whose]) == 0 || len(got["first"]) == 0 {
			t.Errorf("%s: %v is there", whose, got)
		}
	}
}

func TestAValueThatHasNoRoomLeavesTheOneBefore(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	next := large(t, "shop.example", 3*corev1.MaxSecretSize)
	other := contribution("base", 3, "1", config(t, "b", "base.example"))
	plan := Decide(Input{Contributions: []Contribution{next, other}, Exists: everybody, Current: secret(t, shop), Now: noon})
	if got := entriesOf(t, plan.Secret); got["shop.example"] != "a" || got["base.example"] != "b" || !slices.Equal(plan.Refused, []string{"shop"}) {
		t.Errorf("%s, refused %v: %d entries", plan.Action, plan.Refused, len(got))
	}
}

func TestSpellingsOfOneRegistryAreOne(t *testing.T) {
	plan := Decide(Input{Contributions: []Contribution{contribution("shop", 1, "1", config(t, "a", "http://r.example", "https://r.example"))}, Exists: everybody, Now: noon})
	if got := entriesOf(t, plan.Secret); len(got) != 1 {
		t.Errorf("a kubelet has the choice among %v", got)
	}
	if identity("a b") == identity("b a") || identity("a b") != "a b" {
		t.Error("what is no key of a registry is not only itself")
	}
}

func TestWhichTextsOfJSONAreTheSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1}`, `{ "a": 1 }`, true}, {`{"a":1}`, `{"a":2}`, false}, {`{`, `{`, false}, {`{"a":1}`, `{"a":1`, false}, {`{"a":1`, `{"a":1}`, false}, {``, ``, false},
	} {
		if got := equalJSON([]byte(test.a), []byte(test.b)); got != test.want {
			t.Errorf("%s, %s: %t", test.a, test.b, got)
		}
	}
}

func TestTheWaitOfAContestIsLongEnough(t *testing.T) {
	for i := range 2000 {
		var contest Contest
		for range ContestReverts {
			contest.Repaired(noon)
		}
		later := noon.Add(time.Duration(i) * 137 * time.Millisecond)
		may, wait := contest.MayRepair(later)
		if may {
			t.Fatalf("a fourth repair after %s", later.Sub(noon))
		}
		if may, _ := contest.MayRepair(later.Add(wait)); !may {
			t.Fatalf("after the wait of %s that was told it may not", wait)
		}
	}
}

func TestEachManagerIsNamedOnce(t *testing.T) {
	fields := []metav1.ManagedFieldsEntry{}
	for i := range 4 {
		fields = append(fields, metav1.ManagedFieldsEntry{Manager: fmt.Sprint("m", i%2)})
	}
	if got := Managers(fields); !slices.Equal(got, []string{"m1", "m0"}) {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]bool{"kubectl": true, "kubectl-edit": true, "Kubectl client": true, "kubectls": false, "/x": false, ".x": false, "-": false} {
		if got := isClient(name); got != want {
			t.Errorf("%q is a person's client: %t", name, got)
		}
	}
}

func TestWhatIsSaidOfWhoseASecretIs(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	theirs := func(s *corev1.Secret) { s.Data["ca.crt"] = []byte("x") }
	next := contribution("shop", 2, "2", config(t, "new", "shop.example"))
	said := func(changes ...func(*corev1.Secret)) Owner {
		current := secret(t, shop)
		for _, change := range changes {
			change(current)
		}
		return Decide(Input{Contributions: []Contribution{next}, Exists: everybody, Current: current, Now: noon}).Owner
	}
	const save = ", and holds what is nowhere else: save what you need of it and delete it; regcred recreates it"
	if got := said(theirs, immutableSecret).Fix; got != "it was made immutable"+save {
		t.Errorf("%q", got)
	}
	if got := said(theirs, opaque).Fix; got != "it was made with type Opaque"+save {
		t.Errorf("%q", got)
	}
	if got := said(theirs, immutableSecret, opaque).Fix; got != "it was made with type Opaque"+save {
		t.Errorf("immutable, too: %q", got)
	}
	if got := OwnerOf(byHand(`{}`)).Manager; got != "a person" {
		t.Errorf("%q", got)
	}
	tool := byHand(`{}`)
	tool.Labels = map[string]string{"resources.gardener.cloud/managed-by": "x"}
	if got := OwnerOf(tool).Manager; got != "Gardener" {
		t.Errorf("%q", got)
	}
}

func TestWhatAnotherIsToProvideIsNowhereElseMeanwhile(t *testing.T) {
	both := contribution("shop", 2, "1", config(t, "a", "shop.example", "base.example"))
	next := contribution("shop", 2, "2", config(t, "new", "shop.example"))
	next.Keep = []string{"base.example"}
	current := changed(secret(t, both), immutableSecret)
	if plan := Decide(Input{Contributions: []Contribution{next}, Exists: everybody, Current: current, Now: noon}); plan.Action != Refuse {
		t.Errorf("recreated, it would lack what is only there: %s", plan.Action)
	}
	next.Keep = nil
	if plan := Decide(Input{Contributions: []Contribution{next}, Exists: everybody, Current: current, Now: noon}); plan.Action != Recreate {
		t.Errorf("%s", plan.Action)
	}
}

func TestOneThatIsGoneAndLeftNothingKeepsNoUnreadableSecret(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	current := changed(secret(t, shop), func(s *corev1.Secret) {
		unreadable(s)
		sources := SourcesOf(s.Annotations)
		s.Annotations[v1alpha1.SourcesAnnotation] = Sources{"shop": sources["shop"], "gone": {Revision: "1"}}.String()
	})
	if plan := Decide(Input{Exists: only("shop"), Current: current, Now: noon}); plan.Action != Delete {
		t.Errorf("%s", plan.Action)
	}
}

func TestWhatIsRetainedIsWhatNoRegistryCredentialStandsFor(t *testing.T) {
	sources := Sources{"shop": {}, "gone": {}, "amber": {}, Adopted: {}}
	if diff := cmp.Diff([]string{"amber", "gone"}, sources.Retained(only("shop"))); diff != "" {
		t.Error(diff)
	}
}

// Of what a RegistryCredential left, some may go to another one: when the rest came to be there is another matter.
func TestWhatIsRetainedKeepsItsTime(t *testing.T) {
	current := secret(t, contribution("gone", 2, "1", config(t, "a", "shop.example", "base.example")))
	in := Input{Contributions: []Contribution{contribution("base", 1, "1", config(t, "b", "base.example"))}, Current: current, Now: noon,
		Exists: func(name string) bool { return name == "base" }}
	sources := SourcesOf(Decide(in).Secret.Annotations)
	if left := sources["gone"]; !slices.Equal(left.Keys, []string{"shop.example"}) || !left.Changed.Time.Equal(yesterday) || !left.Since.Time.Equal(yesterday) {
		t.Errorf("what is left is %+v", left)
	}
	if taken := sources["base"]; !taken.Changed.Time.Equal(noon) {
		t.Errorf("what was taken over is %+v", taken)
	}
}
