package pullsecret

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatDoesNotFitIsRefusedToTheYoungest(t *testing.T) {
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

func TestTheSourcesAnnotationIsReadInEveryFormAndWithinBounds(t *testing.T) {
	many := Sources{"a": {}}
	for i := range MaxEntries + 1 {
		source := many["a"]
		source.Keys = append(source.Keys, fmt.Sprint(i))
		many["a"] = source
	}
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
