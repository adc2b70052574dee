package pullsecret

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

// Pods of the namespace pull with what is there: who is older has the room for what is new, and takes none from what others have.
func TestAValueThatGrowsTakesNoEntryFromTheYounger(t *testing.T) {
	racedetector.Skip(t)
	older, younger := contribution("older", 9, "1", config(t, "a", "older.example")), large(t, "younger.example", 600<<10)
	suspended, rotated := younger, younger
	suspended.Config = nil
	rotated.Revision, rotated.Config = "2", large(t, "younger.example", 590<<10).Config
	current := secret(t, older, younger)
	longer, named := older, older
	longer.Config = filling(t, 900<<10, "older.example")
	named.Revision = strings.Repeat("1", maxAnnotation-annotationOverhead-sourceOverhead-64)
	annotated := wanting(older, nil, map[string]string{"note": strings.Repeat("x", (maxAnnotation-annotationOverhead-2*sourceOverhead)/2)})
	for name, c := range map[string]struct {
		older, younger Contribution
		revision       string
	}{
		"a longer value": {longer, younger, "1"}, "a longer name": {named, younger, "1"}, "longer annotations": {annotated, younger, "1"},
		"beside one that is suspended": {longer, suspended, "1"}, "beside one that rotates": {longer, rotated, "2"},
		"a longer name beside one that is suspended": {named, suspended, "1"},
	} {
		in := Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{c.older, c.younger}, Exists: everybody, Current: current, Now: noon}
		plan := Decide(in)
		after := current
		if plan.Secret != nil {
			after = plan.Secret
		}
		got, sources := entriesOf(t, after), SourcesOf(after.Annotations)
		if got["younger.example"] == "" || got["older.example"] != "a" || !slices.Equal(plan.Refused, []string{"older"}) || sources["younger"].Revision != c.revision {
			t.Errorf("%s: %s, refused %v: %d entries", name, plan.Action, plan.Refused, len(got))
		}
		if after.Annotations["note"] != "" {
			t.Errorf("%s: the annotation is written, for which there is no room", name)
		}
		if in.Current = after; Decide(in).Action != Keep {
			t.Errorf("%s: deciding again it is to %s", name, Decide(in).Action)
		}
	}
}

// What one gives up, another may have at once.
func TestWhereAllFitNobodyIsRefused(t *testing.T) {
	racedetector.Skip(t)
	older, younger := large(t, "older.example", 300<<10), large(t, "younger.example", 700<<10)
	older.Created = older.Created.Add(-time.Hour)
	current := secret(t, older, younger)
	older.Config = filling(t, 600<<10, "older.example")
	younger.Revision, younger.Config = "12", filling(t, 300<<10, "younger.example")
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{older, younger}, Exists: everybody, Current: current, Now: noon})
	if len(plan.Refused) > 0 || len(plan.Changed) != 2 {
		t.Errorf("%s, refused %q", plan.Action, plan.Refused)
	}
	// In its annotation it needs more than it has, with all its registries.
	younger.Revision = strings.Repeat("1", 200)
	plan = Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{older, younger}, Exists: everybody, Current: current, Now: noon})
	if len(plan.Refused) > 0 || len(plan.Changed) != 2 {
		t.Errorf("with a longer name: %s, refused %q", plan.Action, plan.Refused)
	}
}

// Annotations that were written for a RegistryCredential are no others' in the next decision: else it would be refused what it has.
func TestAnnotationsThatWereWrittenTakeRoomOnce(t *testing.T) {
	most := (maxAnnotation - annotationOverhead - sourceOverhead) / 2
	amber := wanting(contribution("amber", 2, "1", config(t, "a", "a.example")), nil, map[string]string{"note": strings.Repeat("x", most-200)})
	in := Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{amber}, Exists: everybody, Current: secret(t, amber), Now: noon}
	if plan := Decide(in); plan.Action != Keep || len(plan.Refused) > 0 {
		t.Errorf("%s, refused %q", plan.Action, plan.Refused)
	}
	in.Contributions = append(in.Contributions, wanting(contribution("birch", 1, "1", config(t, "b", "b.example")), nil, map[string]string{"other": strings.Repeat("x", 600)}))
	if plan := Decide(in); !slices.Equal(plan.Refused, []string{"birch"}) {
		t.Errorf("beside it, refused are %q", plan.Refused)
	}
	in.Current = changed(in.Current, func(s *corev1.Secret) { s.Annotations["note"] += "y" })
	if plan := Decide(in); !slices.Equal(plan.Refused, []string{"amber"}) {
		t.Errorf("where somebody changed it, it takes the room of others, and refused are %q", plan.Refused)
	}
}

// The labels and annotations of what is left, and of what nobody stands for any more, stay with it.
func TestAnnotationsThatStayHaveTheirRoom(t *testing.T) {
	long := map[string]string{"note": strings.Repeat("x", 80<<10)}
	amber := wanting(contribution("amber", 2, "1", config(t, "a", "a.example")), nil, long)
	birch := wanting(contribution("birch", 1, "1", config(t, "b", "b.example")), nil, map[string]string{"other": strings.Repeat("x", 60<<10)})
	suspended := amber
	suspended.Config = nil
	for name, c := range map[string]struct {
		contributions []Contribution
		exists        func(string) bool
		add           string
		refused       int
	}{
		"suspended": {[]Contribution{suspended, birch}, everybody, "", 1}, "gone": {[]Contribution{birch}, only("birch"), "", 1},
		"suspended, and somebody changed it, who has the room then": {[]Contribution{suspended, birch}, everybody, "y", 0},
	} {
		current := changed(secret(t, amber), func(s *corev1.Secret) { s.Annotations["note"] += c.add })
		plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: c.contributions, Exists: c.exists, Current: current, Now: noon})
		if len(plan.Refused) != c.refused {
			t.Errorf("%s: refused are %q", name, plan.Refused)
		}
	}
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{birch}, Exists: everybody, Current: secret(t, amber), Now: noon})
	if len(plan.Refused) > 0 || plan.Secret.Annotations["note"] != "" {
		t.Errorf("what goes takes room: refused are %q", plan.Refused)
	}
}

// People of a namespace can write into its Secret. What they put there holds no more room than a RegistryCredential needs.
func TestWhatOthersWroteHoldsNoRoom(t *testing.T) {
	racedetector.Skip(t)
	older, second := contribution("older", 9, "1", config(t, "a", "older.example")), contribution("second", 8, "1", config(t, "s", "second.example"))
	younger, third := contribution("younger", 1, "1", config(t, "b", "younger.example")), contribution("third", 0, "1", filling(t, 100<<10, "third.example"))
	grown := []Contribution{older, second, younger, third}
	grown[0].Revision, grown[0].Config = "2", filling(t, 600<<10, "older.example")
	grown[1].Revision, grown[1].Config = "2", filling(t, 350<<10, "second.example")
	forged := func(change func(*Source)) func(*corev1.Secret) {
		return func(s *corev1.Secret) {
			sources := SourcesOf(s.Annotations)
			source := sources["younger"]
			change(&source)
			s.Annotations[v1alpha1.SourcesAnnotation] = Sources{
				"older": sources["older"], "second": sources["second"], "younger": source, "third": sources["third"],
			}.String()
		}
	}
	for name, change := range map[string]func(*corev1.Secret){
		"a long entry": func(s *corev1.Secret) {
			s.Data[corev1.DockerConfigJsonKey] = []byte(strings.Replace(string(s.Data[corev1.DockerConfigJsonKey]), `"younger.example":{`,
				`"younger.example":{"email":"`+strings.Repeat("x", 430<<10)+`",`, 1))
		},
		"a long name":   forged(func(s *Source) { s.Revision = strings.Repeat("x", 200<<10) }),
		"a key of mine": forged(func(s *Source) { s.Keys = append(s.Keys, "older.example") }),
	} {
		current := changed(secret(t, older, second, younger, third), change)
		in := Input{Namespace: "shop", Name: "regcred", Contributions: grown, Exists: everybody, Current: current, Now: noon}
		plan := Decide(in)
		got := entriesOf(t, plan.Secret)
		if !slices.Equal(plan.Refused, []string{"second"}) || got["older.example"] == "a" || got["second.example"] != "s" || got["younger.example"] != "b" || got["third.example"] == "" {
			t.Errorf("%s: %s, refused %v: %q", name, plan.Action, plan.Refused, sortedKeys(got))
		}
		if in.Current = plan.Secret; Decide(in).Action != Keep {
			t.Errorf("%s: deciding again it is to %s", name, Decide(in).Action)
		}
	}
}

// Where others took the room, there is not enough for all that is delivered: then the older ones keep theirs.
func TestWhereOthersTookTheRoomTheOlderKeepTheirs(t *testing.T) {
	racedetector.Skip(t)
	amber, birch, cedar := large(t, "amber.example", 200<<10), large(t, "birch.example", 300<<10), large(t, "cedar.example", 100<<10)
	amber.Created, cedar.Created = amber.Created.Add(-2), cedar.Created.Add(2)
	current := changed(secret(t, amber, birch, cedar), func(s *corev1.Secret) { s.Data["ca.crt"] = make([]byte, 600<<10) })
	for name, change := range map[string]func(*Contribution){
		"as it was": func(*Contribution) {}, "suspended": func(c *Contribution) { c.Config = nil }, "with a longer value": func(c *Contribution) { c.Config = filling(t, 800<<10, "amber.example") },
	} {
		first := amber
		change(&first)
		plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{first, birch, cedar}, Exists: everybody, Current: current, Now: noon})
		got := sourcesOf(plan.Secret)
		if len(got["amber"]) == 0 || len(got["birch"]) > 0 || len(got["cedar"]) == 0 || !slices.Contains(plan.Refused, "birch") {
			t.Errorf("%s: refused %v, there are %d, %d and %d entries", name, plan.Refused, len(got["amber"]), len(got["birch"]), len(got["cedar"]))
		}
	}
}
