package pullsecret

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// recorders are the RegistryCredentials for which a Secret records a label.
func recorders(s *corev1.Secret, label string) []string {
	sources, names := SourcesOf(s.Annotations), []string{}
	for _, name := range sortedKeys(sources) {
		if _, written := sources[name].Written[labelKind+label]; written {
			names = append(names, name)
		}
	}
	return names
}

// A label that two record is another one's for one of them, which one is luck, and its value would never follow the spec again.
func TestALabelIsWrittenForOneAndFollowsHisSpec(t *testing.T) {
	provides := func(name string, hours int, team string) Contribution {
		return wanting(contribution(name, hours, "1", config(t, "good", name+".example")), map[string]string{"team": team}, nil)
	}
	silent := func(name string, hours int) Contribution {
		return contribution(name, hours, "1", nil)
	}
	for _, test := range []struct {
		name          string
		exists        func(string) bool
		contributions func(team string) []Contribution
		want          [2]string
		recorder      string
	}{
		{"of one that is gone, and another one wants it", only("birch"), func(team string) []Contribution {
			return []Contribution{provides("birch", 1, team)}
		}, [2]string{"b", "c"}, "birch"},
		{"of one that is gone, and nobody wants it", only("birch"), func(string) []Contribution {
			return []Contribution{contribution("birch", 1, "1", config(t, "good", "birch.example"))}
		}, [2]string{"a", "a"}, "amber"},
		{"of an older one that is suspended, and a younger one wants it", everybody, func(team string) []Contribution {
			return []Contribution{silent("amber", 2), provides("birch", 1, team)}
		}, [2]string{"a", "a"}, "amber"},
		{"of a younger one that is suspended, and an older one wants it", everybody, func(team string) []Contribution {
			return []Contribution{silent("amber", 2), provides("birch", 3, team)}
		}, [2]string{"b", "c"}, "birch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 20 { // what depends on the order of a map comes out within a few rounds
				current := secret(t, provides("amber", 2, "a"))
				for i, team := range []string{"b", "c"} {
					in := Input{Namespace: "shop", Name: "regcred", Contributions: test.contributions(team), Exists: test.exists, Current: current, Now: noon}
					plan := Decide(in)
					if plan.Action == Update {
						current = plan.Secret
					}
					if got := current.Labels["team"]; got != test.want[i] {
						t.Fatalf("the label is %q where the spec says %q, want %q", got, team, test.want[i])
					}
					if diff := cmp.Diff([]string{test.recorder}, recorders(current, "team")); diff != "" {
						t.Fatalf("it is recorded for (-want, +got):\n%s", diff)
					}
				}
			}
		})
	}
}

// everyLabelHasOneRecorder looks at a Secret that was written.
func everyLabelHasOneRecorder(t *testing.T, seed uint64, plan Plan) {
	t.Helper()
	if plan.Secret == nil {
		return
	}
	for _, label := range sortedKeys(plan.Secret.Labels) {
		if names := recorders(plan.Secret, label); len(names) > 1 {
			t.Errorf("seed %d: the label %s is recorded for %q", seed, label, names)
		}
	}
}
