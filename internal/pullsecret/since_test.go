package pullsecret

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Whatever names the Secret since the first entry goes on doing so through all rotations.
func TestNoRotationMovesSinceWhenASecretHasAnEntry(t *testing.T) {
	decide := func(current *corev1.Secret, after time.Duration, contributions ...Contribution) *corev1.Secret {
		t.Helper()
		plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Current: current, Now: noon.Add(after)})
		return plan.Secret
	}
	base := func(revision, password string) Contribution {
		return contribution("base", 1, revision, config(t, password, "base.example"))
	}
	said := func(s *corev1.Secret, name string) string {
		source := SourcesOf(s.Annotations)[name]
		return source.Added().UTC().Format(time.TimeOnly) + " changed " + source.Changed.UTC().Format(time.TimeOnly)
	}
	first := decide(nil, 0, base("1", "a"))
	rotated := decide(first, time.Hour, base("2", "b"))
	joined := decide(rotated, 2*time.Hour, base("3", "c"), contribution("shop", 2, "1", config(t, "d", "shop.example")))
	back := decide(decide(joined, 3*time.Hour, contribution("shop", 2, "1", config(t, "d", "shop.example"))), 4*time.Hour, base("3", "c"), contribution("shop", 2, "1", config(t, "d", "shop.example")))
	returned := contribution("base", 1, "2", config(t, "b", "base.example"))
	returned.Returned = true
	reselected := decide(rotated, 5*time.Hour, returned)
	ahead := first.DeepCopy()
	sources := Sources{"base": SourcesOf(first.Annotations)["base"]}
	forged := sources["base"]
	forged.Since = metav1.NewTime(noon.Add(90 * 24 * time.Hour))
	sources["base"] = forged
	ahead.Annotations[v1alpha1.SourcesAnnotation] = sources.String()
	corrected := decide(ahead, time.Hour, base("2", "b"))
	for _, test := range []struct{ name, got, want string }{
		{"the first entry is as old as its value", said(first, "base"), "12:00:00 changed 12:00:00"},
		{"a rotation changes the value alone", said(rotated, "base"), "12:00:00 changed 13:00:00"},
		{"and so does the next", said(joined, "base"), "12:00:00 changed 14:00:00"},
		{"who joins later has an entry since then", said(joined, "shop"), "14:00:00 changed 14:00:00"},
		{"who left and came back has one since it came back", said(back, "base"), "16:00:00 changed 16:00:00"},
		{"who did not select the namespace for a while has one since it does, and the value is as old as before", said(reselected, "base"), "17:00:00 changed 13:00:00"},
		{"a time that a wrong clock noted lies ahead until the next rotation", said(corrected, "base"), "13:00:00 changed 13:00:00"},
	} {
		if test.got != test.want {
			t.Errorf("%s: it says %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestThatTheTimeOfAnEntryIsWrittenWithTheFirstValue(t *testing.T) {
	if source := SourcesOf(secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example"))).Annotations)["shop"]; !source.Since.Time.Equal(yesterday) {
		t.Errorf("it is written as %s", source.Since)
	}
}

// A person took the times out of the record: by a change that is no time each pod would be newer, and none restarted.
func TestARecordWithoutATimeOfChangeGetsOne(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	current := secret(t, shop)
	current.Annotations[v1alpha1.SourcesAnnotation] = Sources{"shop": {Revision: "1", Keys: []string{"shop.example"}}}.String()
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop}, Exists: everybody, Current: current, Now: noon})
	if plan.Action != Update || !SourcesOf(plan.Secret.Annotations)["shop"].Changed.Time.Equal(noon) {
		t.Errorf("it decides %s: %v", plan.Action, plan.Secret)
	}
	if len(plan.Changed) != 1 || plan.Changed[0] != "shop" {
		t.Errorf("a slow write is to be dated by its end for %q", plan.Changed)
	}
}

// A record of an earlier version has no such time. An upgrade rewrites no Secret for it.
func TestARecordOfAnEarlierVersionGetsItsTimeWithTheNextValue(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	earlier := secret(t, shop)
	sources := SourcesOf(earlier.Annotations)
	source := sources["shop"]
	source.Since = metav1.Time{}
	earlier.Annotations[v1alpha1.SourcesAnnotation] = Sources{"shop": source}.String()
	if strings.Contains(earlier.Annotations[v1alpha1.SourcesAnnotation], "since") {
		t.Fatal("the record is none of an earlier version")
	}
	in := Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop}, Exists: everybody, Current: earlier, Now: noon}
	if plan := Decide(in); plan.Action != Keep {
		t.Errorf("an upgrade alone has the Secret written: %s", plan.Action)
	}
	in.Contributions = []Contribution{contribution("shop", 2, "2", config(t, "b", "shop.example"))}
	if got := SourcesOf(Decide(in).Secret.Annotations)["shop"]; !got.Added().Equal(yesterday) || !got.Changed.Time.Equal(noon) {
		t.Errorf("it says since %s, changed %s; want %s and %s", got.Since, got.Changed, yesterday, noon)
	}
}

func TestAnEntryOfAnEarlierVersionIsAsOldAsItsLastChange(t *testing.T) {
	if added := (Source{Changed: metav1.NewTime(noon)}).Added(); !added.Equal(noon) {
		t.Errorf("it is there since %s", added)
	}
}

// Of a write without an answer it is not known when it was carried out. Whose entries may not be written is left as it is.
func TestEntriesOfWhichItIsNotKnownWhenTheyChangedAreDatedAnew(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	base := contribution("base", 1, "1", config(t, "b", "base.example"))
	current := secret(t, shop, base)
	shop.Unsure = true
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop, base}, Exists: everybody, Current: current, Now: noon})
	if plan.Action != Update || len(plan.Changed) != 1 || plan.Changed[0] != "shop" {
		t.Fatalf("it decides %s, changed are %q", plan.Action, plan.Changed)
	}
	sources := SourcesOf(plan.Secret.Annotations)
	if !sources["shop"].Changed.Time.Equal(noon) || !sources["shop"].Since.Time.Equal(yesterday) || !sources["base"].Changed.Time.Equal(yesterday) {
		t.Errorf("they are dated %v", sources)
	}
	shop.Config = nil
	if plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop, base}, Exists: everybody, Current: current, Now: noon}); plan.Action != Keep {
		t.Errorf("it decides %s", plan.Action)
	}
}

// A clock that was ahead dated them. To write each Secret for that alone would be a write of all at once, and tell of a change that is none.
func TestTimesThatLieAheadStayUntilTheNextValue(t *testing.T) {
	in := Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{contribution("shop", 2, "1", config(t, "a", "shop.example"))}, Exists: everybody, Now: noon}
	in.Current = Decide(in).Secret
	if in.Now = yesterday; Decide(in).Action != Keep {
		t.Error("nothing changed, and it is written")
	}
	in.Contributions = []Contribution{contribution("shop", 2, "2", config(t, "b", "shop.example"))}
	if got := SourcesOf(Decide(in).Secret.Annotations)["shop"]; !got.Changed.Time.Equal(yesterday) || !got.Since.Time.Equal(yesterday) {
		t.Errorf("the next value is dated %s, since %s", got.Changed, got.Since)
	}
}
