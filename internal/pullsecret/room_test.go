package pullsecret

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

func TestWhatDoesNotFitIsRefusedToTheYoungest(t *testing.T) {
	racedetector.Skip(t)
	for _, c := range []struct {
		name                              string
		credentials, registries, password int
	}{
		{"32 registries each", 210, 32, 40},
		{"one registry each", 2200, 1, 40},
		{"keys of 2400 bytes for 4 hosts each", 200, 4, 2400},
	} {
		t.Run(c.name, func(t *testing.T) {
			var contributions []Contribution
			for i := range c.credentials {
				var hosts []string
				for k := range c.registries {
					hosts = append(hosts, fmt.Sprintf("registry-%02d.team-%04d.company.example", k, i))
				}
				contributions = append(contributions, contribution(fmt.Sprintf("team-%04d", i), c.credentials-i, "12-abcdef01", config(t, strings.Repeat("p", c.password), hosts...)))
			}
			in := Input{Namespace: "n", Name: "regcred", Contributions: contributions, Exists: func(string) bool { return true }, Now: noon}
			plan := Decide(in)
			annotation, data := len(plan.Secret.Annotations[v1alpha1.SourcesAnnotation]), len(plan.Secret.Data[corev1.DockerConfigJsonKey])
			if annotation > 256<<10 || data > corev1.MaxSecretSize {
				t.Errorf("the annotation has %d bytes, the data %d", annotation, data)
			}
			written := SourcesOf(plan.Secret.Annotations)
			if len(plan.Refused) == 0 || len(written)+len(plan.Refused) != c.credentials {
				t.Fatalf("%d written, %d refused of %d", len(written), len(plan.Refused), c.credentials)
			}
			for i, name := range plan.Refused {
				if want := fmt.Sprintf("team-%04d", len(written)+i); name != want {
					t.Fatalf("%s is refused, want %s", name, want)
				}
			}
			in.Current = plan.Secret
			if again := Decide(in); again.Action != Keep {
				t.Errorf("deciding again: %s", again.Action)
			}
		})
	}
}

// What stays for a while takes room from the younger, as what is provided does: else the API server would refuse the Secret of all of them.
func TestWhatIsLeftForAWhileHasItsRoom(t *testing.T) {
	const most = 700 << 10
	before := contribution("older", 9, "1", filling(t, most, "a.example"))
	in := Input{Namespace: "shop", Name: "regcred", Current: secret(t, before), Exists: everybody, Now: noon}
	left := contribution("older", 9, "1", config(t, "small", "b.example"))
	left.Keep = sortedKeys(before.Config)
	in.Contributions = []Contribution{left, contribution("younger", 1, "1", filling(t, most, "c.example"))}
	plan := Decide(in)
	if len(plan.Secret.Data[corev1.DockerConfigJsonKey]) > corev1.MaxSecretSize || !slices.Equal(plan.Refused, []string{"younger"}) {
		t.Errorf("it has %d bytes, and refused are %q", len(plan.Secret.Data[corev1.DockerConfigJsonKey]), plan.Refused)
	}
	if keys := SourcesOf(plan.Secret.Annotations)["older"].Keys; !slices.Equal(keys, append(left.Keep, "b.example")) {
		t.Errorf("the older has %q", keys)
	}
}

// What stays is given the new value, which may be longer than what is there.
func TestWhatStaysWithANewValueHasTheRoomOfThat(t *testing.T) {
	const most = 700 << 10
	stays := contribution("older", 9, "2", filling(t, most, "a.example"))
	stays.Keep, stays.Staying = []string{"a.example"}, true
	plan := Decide(Input{
		Namespace: "shop", Name: "regcred", Current: secret(t, contribution("older", 9, "1", config(t, "short", "a.example"))), Exists: everybody, Now: noon,
		Contributions: []Contribution{stays, contribution("younger", 1, "1", filling(t, most, "c.example"))},
	})
	if got := entriesOf(t, plan.Secret); len(got) != len(stays.Config) || got["a.example"] == "short" || !slices.Equal(plan.Refused, []string{"younger"}) {
		t.Errorf("it has %d entries, and refused are %q", len(got), plan.Refused)
	}
}

func TestTheSourcesAnnotationIsReadInEveryFormAndWithinBounds(t *testing.T) {
	many := Sources{"a": {}}
	for i := range MaxEntries + 1 {
		source := many["a"]
		source.Keys = append(source.Keys, fmt.Sprint(i))
		many["a"] = source
	}
	crowd := Sources{}
	for i := range MaxEntries + 1 {
		crowd[fmt.Sprint(i)] = Source{}
	}
	// Written short: with all that a source says the annotation would be too long before there are too many.
	crowded := strings.NewReplacer(`"keys":null,"changed":null`, "").Replace(crowd.String())
	for _, c := range []struct {
		name, text string
		known      bool
		names      []string
	}{
		{"version 1", `{"version":1,"sources":{"a":{"revision":"1","keys":["x"],"changed":null}}}`, true, []string{"a"}},
		{"what earlier versions wrote", `{"a":{"revision":"1","keys":["x"],"changed":null}}`, true, []string{"a"}},
		{"an earlier one with credentials named version and sources", `{"version":{"keys":["x"]},"sources":{"keys":["y"]}}`, true, []string{"sources", "version"}},
		{"a later version", `{"version":2,"sources":{}}`, false, nil},
		{"no JSON", `{`, false, nil},
		{"null", `null`, false, nil},
		{"too many keys", many.String(), false, nil},
		{"version 1, with keys that are no list", `{"version":1,"sources":{"a":{"keys":5}}}`, false, nil},
		{"too many RegistryCredentials", crowded, false, nil},
		{"too long", `{"version":1,"sources":{"` + strings.Repeat("a", 256<<10) + `":{}}}`, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources, known := recordedIn(map[string]string{v1alpha1.SourcesAnnotation: c.text})
			if got := sortedKeys(sources); known != c.known || fmt.Sprint(got) != fmt.Sprint(c.names) {
				t.Errorf("%t %v, want %t %v", known, got, c.known, c.names)
			}
		})
	}
}

func FuzzSourcesOf(f *testing.F) {
	f.Add(`{"version":1,"sources":{"a":{"revision":"1","keys":["x"],"changed":null}}}`)
	f.Add(`{"a":{"keys":["x"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		sources, known := recordedIn(map[string]string{v1alpha1.SourcesAnnotation: text})
		again, stillKnown := recordedIn(map[string]string{v1alpha1.SourcesAnnotation: sources.String()})
		if known && stillKnown && again.String() != sources.String() {
			t.Errorf("%s becomes %s", sources, again)
		}
	})
}

func TestASecretWithMoreEntriesThanAreHandledIsLeftAlone(t *testing.T) {
	var entries strings.Builder
	for i := range MaxEntries + 1 {
		fmt.Fprintf(&entries, `,"a.b/%d":{}`, i)
	}
	s := marked(withLabel(v1alpha1.ManagedLabel, v1alpha1.ManagedValue))
	s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{` + entries.String()[1:] + `}}`)
	if plan := Decide(Input{Namespace: "n", Name: "regcred", Current: s, Exists: func(string) bool { return true }, Now: noon}); plan.Action != Refuse {
		t.Errorf("it decides %s", plan.Action)
	}
}

func TestTheLengthOfATextIsThatOfItsJSON(t *testing.T) {
	for _, text := range []string{"", "shop.example/a-b_c~", "a b", "a>b", "a<b", "a&b", `a"b`, `a\b`, "a\tb", "a\x7fb", "ä", "\u2028"} {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := quoted(text); got != len(encoded) {
			t.Errorf("%q takes %d bytes, want %d", text, got, len(encoded))
		}
	}
}

func TestTheMarksOfRegcredTakeNoRoomTwice(t *testing.T) {
	plain := byHand(`{"auths":{}}`)
	for name, annotation := range map[string]string{"its record": v1alpha1.SourcesAnnotation, "the mark of adoption": v1alpha1.AdoptedAnnotation, "what kubectl keeps, which goes": corev1.LastAppliedConfigAnnotation} {
		with := changed(plain, func(s *corev1.Secret) { s.Annotations = map[string]string{annotation: strings.Repeat("x", 100)} })
		if got, want := roomIn(with, nil), roomIn(plain, nil); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// Others put so much into the Secret that there is room for the older RegistryCredential and some bytes: the younger one has none for its new
// entry, none for its old one, and none for one whose removal waits.
func TestWhereNothingFitsNothingIsKept(t *testing.T) {
	amber := contribution("amber", 2, "1", config(t, "old", "amber.example"))
	next := contribution("birch", 1, "2", config(t, "new", "birch.example"))
	next.Keep = []string{"waits.example"}
	current := secret(t, amber, contribution("birch", 1, "1", config(t, "old", "birch.example", "waits.example")))
	current.Data["ca.crt"] = make([]byte, corev1.MaxSecretSize-dataOverhead-len(`"amber.example":`)-len(amber.Config.Raw()["amber.example"])-20)
	left := roomIn(current, contentOf(current).recorded)
	if !left.take(amber.needs(amber.Config.Raw(), content{})) || left.take(spaceFor("", Source{}, contentOf(current).pick([]string{"waits.example"}))) {
		t.Fatalf("others are to leave room for one, and %+v is left", left)
	}
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{amber, next}, Exists: everybody, Current: current, Now: noon})
	if plan.Action != Update || !slices.Equal(plan.Refused, []string{"birch"}) {
		t.Fatalf("%s, refused %q", plan.Action, plan.Refused)
	}
	if diff := cmp.Diff([]string{"amber.example"}, sortedKeys(entriesOf(t, plan.Secret))); diff != "" {
		t.Errorf("what is in the Secret (-want, +got):\n%s", diff)
	}
}

// One entry with thousands of fields is read by nobody: each of them costs time.
func TestASecretWithMoreFieldsThanAreHandledIsLeftAlone(t *testing.T) {
	current := byHand(`{"auths":{"shop.example":{"username":"u","password":"p"` + strings.Repeat(`,"x":0`, 9*MaxEntries) + `}}}`)
	current.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{contribution("shop", 1, "1", config(t, "a", "shop.example"))}, Exists: everybody, Current: current, Now: noon})
	if plan.Action != Refuse {
		t.Errorf("it decides %s", plan.Action)
	}
}

// Where the two differ, more is written than there is room for, or there is room that nobody can have.
func TestWhatIsReservedIsWhatIsWritten(t *testing.T) {
	amber := wanting(adopting(contribution("amber", 2, strings.Repeat("r", 300), config(t, "good", "a.example", "b.example/team"))),
		map[string]string{"team": "shop", "a.example/b": "x"}, map[string]string{"note": "a <b>", "other": ""})
	amber.Digest = strings.Repeat("d", 300)
	current := byHand(`{"auths":{"x.example":{"auth":"dTpw"}},"psFormat":"table"}`)
	current.Annotations, current.Data["ca.crt"] = map[string]string{"note-of-others": "call us"}, []byte("a certificate")
	written := decideOver(current, everybody, amber).Secret
	left := roomIn(current, contentOf(current).recorded)
	left.reserve(spaceFor(Adopted, Source{}, contentOf(current).pick([]string{"x.example"})))
	left.reserve(spaceFor("amber", Source{Revision: amber.Revision, Digest: amber.Digest}, amber.Config.Raw()))
	left.annotation -= metadataSpace(amber.Metadata)
	really := room{data: corev1.MaxSecretSize, annotation: maxAnnotation}
	for _, value := range written.Data {
		really.data -= len(value)
	}
	for key, value := range written.Annotations {
		really.annotation -= len(key) + len(value)
	}
	if spare := really.data - left.data; spare < 0 || spare > 30 {
		t.Errorf("%d bytes are left for data, reckoned as %d", really.data, left.data)
	}
	if spare := really.annotation - left.annotation; spare < 0 || spare > 200 {
		t.Errorf("%d bytes are left for annotations, reckoned as %d", really.annotation, left.annotation)
	}
}

func TestWhatFitsToTheByteFits(t *testing.T) {
	left := room{data: 7, annotation: 9}
	if !left.take(room{data: 7, annotation: 9}) || left != (room{}) {
		t.Errorf("%+v is left", left)
	}
	if left.take(room{data: 1}) || left.take(room{annotation: 1}) {
		t.Error("there is no room, and something is taken")
	}
}
