package pullsecret

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

func wanting(c Contribution, labels, annotations map[string]string) Contribution {
	c.Metadata = Metadata{Labels: labels, Annotations: annotations}
	return c
}

// labelsBesideOurs are the labels that regcred does not put on every Secret.
func labelsBesideOurs(s *corev1.Secret) map[string]string {
	left := map[string]string{}
	for key, value := range s.Labels {
		if key != v1alpha1.ManagedLabel && key != v1alpha1.ManagedByLabel {
			left[key] = value
		}
	}
	return left
}

func TestLabelsFollowTheSpecAndLeaveOthersAlone(t *testing.T) {
	type labels = map[string]string
	first := func(wanted labels) []Contribution {
		return []Contribution{wanting(contribution("amber", 2, "1", config(t, "good", "a.example")), wanted, nil)}
	}
	silent := contribution("amber", 2, "1", nil)
	for _, test := range []struct {
		name   string
		before []Contribution
		change func(*corev1.Secret)
		after  []Contribution
		want   labels
	}{
		{"a label is added to a Secret that is there", first(nil), nil, first(labels{"a": "1"}), labels{"a": "1"}},
		{"a value is changed", first(labels{"a": "1"}), nil, first(labels{"a": "2"}), labels{"a": "2"}},
		{"a label is given up", first(labels{"a": "1", "b": "1"}), nil, first(labels{"b": "1"}), labels{"b": "1"}},
		{"somebody takes a label off", first(labels{"a": "1"}), func(s *corev1.Secret) { delete(s.Labels, "a") }, first(labels{"a": "1"}), labels{"a": "1"}},
		{"somebody writes another value", first(labels{"a": "1"}), func(s *corev1.Secret) { s.Labels["a"] = "theirs" }, first(labels{"a": "1"}), labels{"a": "theirs"}},
		{"somebody writes another value, and the spec changes", first(labels{"a": "1"}), func(s *corev1.Secret) { s.Labels["a"] = "theirs" }, first(labels{"a": "2"}), labels{"a": "theirs"}},
		{"somebody writes another value, and the spec gives it up", first(labels{"a": "1"}), func(s *corev1.Secret) { s.Labels["a"] = "theirs" }, first(nil), labels{"a": "theirs"}},
		{"a label that somebody else had before", first(nil), func(s *corev1.Secret) { s.Labels["a"] = "theirs" }, first(labels{"a": "1"}), labels{"a": "theirs"}},
		{"a label of the tenant beside it", first(labels{"a": "1"}), func(s *corev1.Secret) { s.Labels["team"] = "shop" }, first(labels{"a": "2"}), labels{"a": "2", "team": "shop"}},
		{"a suspended credential", first(labels{"a": "1"}), nil, []Contribution{wanting(silent, labels{"a": "2"}, nil)}, labels{"a": "1"}},
		{"the older of two decides", first(labels{"a": "1"}), nil, append(first(labels{"a": "1"}), wanting(contribution("birch", 1, "1", config(t, "good", "b.example")), labels{"a": "2", "b": "2"}, nil)), labels{"a": "1", "b": "2"}},
		{"the younger of two has it when the older gives it up", append(first(labels{"a": "1"}), wanting(contribution("birch", 1, "1", config(t, "good", "b.example")), labels{"a": "2"}, nil)), nil,
			append(first(nil), wanting(contribution("birch", 1, "1", config(t, "good", "b.example")), labels{"a": "2"}, nil)), labels{"a": "2"}},
		{"a credential that leaves takes its labels with it", append(first(nil), wanting(contribution("birch", 1, "1", config(t, "good", "b.example")), labels{"b": "2"}, nil)), nil, first(nil), labels{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			current := secret(t, test.before...)
			if test.change != nil {
				test.change(current)
			}
			in := Input{Namespace: "shop", Name: "regcred", Contributions: test.after, Exists: everybody, Current: current, Now: noon}
			plan := Decide(in)
			written := plan.Secret
			if written == nil {
				written = current
			}
			if diff := cmp.Diff(test.want, labelsBesideOurs(written)); diff != "" {
				t.Error(diff)
			}
			decidingAgainChangesNothing(t, 0, in, Plan{Action: plan.Action, Secret: written})
		})
	}
}

func TestAnnotationsAreWrittenLikeLabels(t *testing.T) {
	of := func(annotations map[string]string) Contribution {
		return wanting(contribution("amber", 2, "1", config(t, "good", "a.example")), nil, annotations)
	}
	current := secret(t, of(map[string]string{"tekton.dev/docker-0": "https://a.example", "note": "x"}))
	current.Annotations["theirs"] = "stays"
	in := Input{Contributions: []Contribution{of(map[string]string{"tekton.dev/docker-0": "https://b.example"})}, Exists: everybody, Current: current, Now: noon}
	got := Decide(in).Secret.Annotations
	delete(got, v1alpha1.SourcesAnnotation)
	if diff := cmp.Diff(map[string]string{"tekton.dev/docker-0": "https://b.example", "theirs": "stays"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestALabelThatWasThereBeforeIsNotTakenAwayWithTheSpec(t *testing.T) {
	of := func(labels map[string]string) []Contribution {
		return []Contribution{wanting(contribution("amber", 2, "1", config(t, "good", "a.example")), labels, nil)}
	}
	current := secret(t, of(nil)...)
	current.Labels["a"] = "1"
	in := Input{Contributions: of(map[string]string{"a": "1", "b": "1"}), Exists: everybody, Current: current, Now: noon}
	in.Current = Decide(in).Secret
	in.Contributions = of(nil)
	if diff := cmp.Diff(map[string]string{"a": "1"}, labelsBesideOurs(Decide(in).Secret)); diff != "" {
		t.Error(diff)
	}
}

func TestALabelThatRegcredWroteIsNoMarkOfATool(t *testing.T) {
	current := secret(t, wanting(contribution("amber", 2, "1", config(t, "good", "a.example")), map[string]string{"controller.devfile.io/watch-secret": "true"}, nil))
	delete(current.Labels, v1alpha1.ManagedLabel)
	delete(current.Labels, v1alpha1.ManagedByLabel)
	if owner := OwnerOf(current); !owner.Adoptable {
		t.Errorf("it is said to be of %s", owner.Manager)
	}
	current.Annotations["controller.devfile.io/watch-secret"] = "true"
	if owner := OwnerOf(current); owner.Adoptable {
		t.Error("an annotation of somebody else is taken for the label of that name")
	}
	delete(current.Annotations, "controller.devfile.io/watch-secret")
	current.Labels["other.example/keep"] = "true"
	if owner := OwnerOf(current); owner.Adoptable {
		t.Error("a mark of something else is overlooked")
	}
}

func TestLabelsAndAnnotationsCountForTheRoom(t *testing.T) {
	large := map[string]string{}
	for _, key := range strings.Fields("a b c d e f g h i j k l m n o p") {
		large[key] = strings.Repeat("x", 17<<10)
	}
	plan := Decide(Input{Contributions: []Contribution{wanting(contribution("amber", 2, "1", config(t, "good", "a.example")), nil, large)}, Exists: everybody, Now: noon})
	if len(plan.Refused) != 1 {
		t.Errorf("%s, refused %q", plan.Action, plan.Refused)
	}
	if ptr.Deref(plan.Secret, corev1.Secret{}).Annotations["a"] != "" {
		t.Error("it is written all the same")
	}
}

// A value that somebody changed is theirs while it is there. Who puts back what regcred wrote gives it back.
func TestALabelThatSomebodyChangedAndPutBackIsRegcredsAgain(t *testing.T) {
	of := func(revision string, labels map[string]string) []Contribution {
		return []Contribution{wanting(contribution("amber", 2, revision, config(t, "good"+revision, "a.example")), labels, nil)}
	}
	wanted := map[string]string{"a": "1"}
	in := Input{Contributions: of("2", wanted), Exists: everybody, Current: secret(t, of("1", wanted)...), Now: noon}
	in.Current.Labels["a"] = "theirs"
	in.Current = Decide(in).Secret
	if in.Current.Labels["a"] != "theirs" {
		t.Fatalf("it becomes %q", in.Current.Labels["a"])
	}
	in.Current.Labels["a"], in.Contributions = "1", of("2", nil)
	plan := Decide(in)
	if plan.Action != Update {
		t.Fatalf("a label that nobody wants any more is left: %s", plan.Action)
	}
	if diff := cmp.Diff(map[string]string{}, labelsBesideOurs(plan.Secret)); diff != "" {
		t.Error(diff)
	}
}
