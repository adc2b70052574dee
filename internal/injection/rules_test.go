package injection

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestThoseWithoutRoomAreNamedInOrder(t *testing.T) {
	content := Content{Served: map[types.UID]Entry{"in": {Name: "amber"}}}
	want := []string{}
	for i := range 9 {
		name := fmt.Sprint("c", i)
		content.Served[types.UID(name)], want = Entry{Name: name, Left: true}, append(want, name)
	}
	if got := content.LeftOut(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAnEmptySelectorSelectsNothing(t *testing.T) {
	credential := asking(1, func(t *v1alpha1.Target) { t.NamespaceSelector = &metav1.LabelSelector{} })
	if content := Build([]v1alpha1.RegistryCredential{credential}); len(content.Spec.Secrets) != 0 || len(content.Served) != 1 {
		t.Errorf("%+v", content)
	}
	expression := metav1.LabelSelectorRequirement{Key: "team", Operator: metav1.LabelSelectorOpExists}
	credential = asking(1, func(t *v1alpha1.Target) {
		t.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{expression}}
	})
	if content := Build([]v1alpha1.RegistryCredential{credential}); len(content.Spec.Secrets) != 1 || len(content.Spec.Secrets[0].Selectors) != 1 {
		t.Errorf("one that has expressions alone: %+v", content)
	}
}

func TestWhenAnIndexLastChanged(t *testing.T) {
	at := func(minutes int) *metav1.Time {
		return &metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}
	}
	index := func(times ...*metav1.Time) *v1alpha1.InjectionIndex {
		made := &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *at(0)}}
		for _, one := range times {
			made.ManagedFields = append(made.ManagedFields, metav1.ManagedFieldsEntry{Time: one})
		}
		return made
	}
	for _, test := range []struct {
		name  string
		index *v1alpha1.InjectionIndex
		want  time.Time
	}{
		{"there is none", nil, time.Time{}},
		{"nobody says who wrote it", index(), noon},
		{"of several times the last", index(at(1), at(3), at(2)), at(3).Time},
		{"no time is known of a writer", index(nil, at(1), nil), at(1).Time},
		{"a time before it was made", index(at(-5)), noon},
	} {
		if got := ChangedAt(test.index); !got.Equal(test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestWhatAPersonIsToldToDo(t *testing.T) {
	for name, test := range map[string]struct {
		state State
		want  string
	}{
		"the policy stands":              {State{Known: true}, ""},
		"nothing is known":               {State{}, ""},
		"the API server has none":        {State{Known: true, Fault: "it is not served", Unserved: true}, Instead},
		"the index is full":              {State{Known: true, Fault: "it is full", Full: true}, Shorten},
		"something else is not as it is": {State{Known: true, Fault: "it is gone"}, Install},
	} {
		got := test.state.Message()
		if (got == "") != (test.want == "") || !strings.HasSuffix(got, test.want) || !strings.Contains(got, test.state.Fault) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAPolicyThatIsSaidToFailRefusesPods(t *testing.T) {
	policy, binding := asShipped()
	policy.Spec.FailurePolicy = ptr.To(admissionv1.Fail)
	if state := Judge(State{}, policy, nil, binding, nil); state.Standing() || !strings.Contains(state.Fault, "is not Ignore") {
		t.Errorf("%+v", state)
	}
}

// What the index held at the start is the caller's own: a book that keeps it would change with it.
func TestABookKeepsWhatWasFound(t *testing.T) {
	first := asking(1, names("a"))
	held := HeldBy(indexOf(first), []v1alpha1.RegistryCredential{first})
	b := NewBook(func(string, bool) {})
	b.Found(held)
	clear(held)
	if state := b.State(State{Known: true}, &first); !state.Standing() {
		t.Errorf("%+v", state)
	}
}

// Entries are compared as they are: of one moment in two time zones each look would tell of a change.
func TestATimeOfAnotherZoneIsNoChange(t *testing.T) {
	content := Build([]v1alpha1.RegistryCredential{asking(1, names("a"))})
	told := 0
	b := NewBook(func(string, bool) { told++ })
	b.Written(content, noon, true)
	b.Written(content, noon.In(time.FixedZone("east", 3600)), true)
	if told != 1 {
		t.Errorf("it is told %d times", told)
	}
}

// There is nothing to be seen of an index that was not there, also where nothing is selected.
func TestOfAnIndexThatIsNotThereNothingIsHeld(t *testing.T) {
	nothing := asking(1, func(*v1alpha1.Target) {})
	if held := HeldBy(&v1alpha1.InjectionIndex{}, []v1alpha1.RegistryCredential{nothing}); held == nil || len(held) != 0 {
		t.Errorf("%+v", held)
	}
}

func TestAnEntryThatIsNotKnownIsNotServed(t *testing.T) {
	b := NewBook(func(string, bool) {})
	b.Written(Content{}, noon, false)
	unread := asking(1, names("a"))
	unread.Generation = 0
	if state := b.State(State{Known: true}, &unread); state.Standing() {
		t.Errorf("%+v", state)
	}
}
