package injection

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	registrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/api/v1alpha1"
)

// What a book says depends on what became of the index, in whichever order it was learnt.
func TestWhatABookSaysOfTheIndex(t *testing.T) {
	first, second := asking(1, names("a")), asking(2, names("b"))
	ofFirst, ofBoth := Build([]v1alpha1.RegistryCredential{first}), Build([]v1alpha1.RegistryCredential{first, second})
	held := HeldBy(indexOf(first), []v1alpha1.RegistryCredential{first, second})
	away := errors.New("away")
	policy := State{Known: true, Since: noon.Add(-time.Hour)}
	for _, test := range []struct {
		name   string
		do     func(*Book)
		first  bool // stands
		unseen bool // of the second, which does not stand
	}{
		{"what it holds serves though it could not be written before it was looked at", func(b *Book) {
			b.Failed(ofBoth, false, away)
			b.Found(held)
		}, true, true},
		{"what was lost before it was looked at is lost", func(b *Book) {
			b.Failed(ofBoth, true, away)
			b.Found(held)
		}, true, false},
		{"what was lost once and was written since is not lost", func(b *Book) {
			b.Failed(ofFirst, true, away)
			b.Written(ofFirst, noon, true)
			b.Failed(ofBoth, false, away)
		}, true, true},
		{"what is lost serves nobody", func(b *Book) {
			b.Written(ofFirst, noon, false)
			b.Failed(ofBoth, true, away)
		}, false, false},
	} {
		b := NewBook(func(string, bool) {})
		test.do(b)
		if got := b.State(policy, &first); got.Standing() != test.first {
			t.Errorf("%s: %+v", test.name, got)
		}
		got := b.State(policy, &second)
		if want := (State{Known: true, Fault: got.Fault, Unseen: test.unseen}); got.Fault == "" || got != want {
			t.Errorf("%s, of the other one: %+v, want %+v", test.name, got, want)
		}
	}
}

// A cache can be behind what was written for a newer spec.
func TestASpecThatIsOlderThanTheIndexIsServed(t *testing.T) {
	newer := asking(1, names("a"))
	newer.Generation = 3
	b := NewBook(func(string, bool) {})
	b.Written(Build([]v1alpha1.RegistryCredential{newer}), noon, false)
	for generation, want := range map[int64]bool{2: true, 3: true, 4: false} {
		seen := asking(1, names("b"))
		seen.Generation = generation
		if got := b.State(State{Known: true}, &seen); got.Standing() != want {
			t.Errorf("generation %d: %+v", generation, got)
		}
	}
}

func TestAnEmptyIndexHoldsWhatSelectsNothing(t *testing.T) {
	nothing, some := asking(1, func(*v1alpha1.Target) {}), asking(2, names("a"))
	held := HeldBy(indexOf(), []v1alpha1.RegistryCredential{nothing, some})
	if entry, is := held[nothing.UID]; !is || len(held) != 1 || !entry.Since.Equal(noon) {
		t.Errorf("%+v", held)
	}
}

func TestAPolicyOrABindingThatIsBeingDeletedDoesNotStand(t *testing.T) {
	for name, change := range map[string]func(*admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding){
		"the policy": func(p *admissionv1.MutatingAdmissionPolicy, _ *admissionv1.MutatingAdmissionPolicyBinding) {
			p.DeletionTimestamp = &metav1.Time{Time: noon}
		},
		"the binding": func(_ *admissionv1.MutatingAdmissionPolicy, b *admissionv1.MutatingAdmissionPolicyBinding) {
			b.DeletionTimestamp = &metav1.Time{Time: noon}
		},
	} {
		policy, binding := asShipped()
		if change(policy, binding); Judge(State{}, policy, nil, binding, nil).Standing() {
			t.Errorf("%s stands", name)
		}
	}
}

func TestWhatAnAPIServerInTroubleSaysOfItsKindsIsNoReasonToChangeTheState(t *testing.T) {
	before := State{Known: true, Since: noon}
	forbidden := apierrors.NewForbidden(admissionv1.Resource("mutatingadmissionpolicies"), v1alpha1.InjectionPolicy, errors.New("no role")).ErrStatus
	forbidden.Kind, forbidden.APIVersion = "Status", "v1"
	for _, test := range []struct {
		name   string
		status int
		object any
		want   State
	}{
		{"it fails, and tells of other kinds", http.StatusInternalServerError, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Code: 500}, before},
		{"the role is missing, and it tells of no kinds", http.StatusForbidden, forbidden, State{Known: true, Unseen: true, Fault: "the role regcred-injection, with which the operator sees the policy, is not there"}},
	} {
		kinds := metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "validatingadmissionpolicies"}}}
		if test.status == http.StatusForbidden {
			kinds.APIResources = nil
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/apis/admissionregistration.k8s.io/v1" {
				answer(t, w, http.StatusOK, kinds)
				return
			}
			answer(t, w, test.status, test.object)
		}))
		t.Cleanup(server.Close)
		registration, err := registrationv1.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if got := Look(registration)(t.Context(), before); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestALookHasATimeKnowsWhatWasBeforeAndIsKnownBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := State{Known: true, Fault: "it is not there"}, State{Known: true, Since: noon}
		answers, before := []State{first, first, second}, []State{}
		var w *Watcher
		var told []State
		w = New(func(ctx context.Context, was State) State {
			if end, bounded := ctx.Deadline(); !bounded || time.Until(end) != oneLook {
				t.Errorf("a look ends at %s", end)
			}
			before = append(before, was)
			return answers[len(before)-1]
		}, func(s State) {
			if told = append(told, s); w.State() != s {
				t.Errorf("told is %+v, and known %+v", s, w.State())
			}
		})
		for range answers {
			w.round(t.Context())
		}
		if len(before) != 3 || before[0] != (State{}) || before[1] != first || before[2] != first || len(told) != 2 || told[0] != first || told[1] != second {
			t.Errorf("looks began with %+v, and told was %+v", before, told)
		}
	})
}

func TestAnIndexThatLacksTheOldestHoldsTheOthers(t *testing.T) {
	oldest, middle, youngest := asking(1, names("a")), asking(2, names("b")), asking(3, names("c"))
	held := HeldBy(indexOf(middle, youngest), []v1alpha1.RegistryCredential{oldest, middle, youngest})
	if _, first := held[oldest.UID]; first || len(held) != 2 {
		t.Errorf("%+v", held)
	}
}

// One that is being deleted is in the index no more: what is known of the policy is all that matters to its pods.
func TestOfWhatIsBeingDeletedThePolicyAloneTells(t *testing.T) {
	going := asking(1, names("a"))
	going.DeletionTimestamp = &metav1.Time{Time: noon}
	b := NewBook(func(string, bool) {})
	b.Failed(Content{}, true, errors.New("away"))
	policy := State{Known: true, Since: noon}
	if got := b.State(policy, &going); got != policy {
		t.Errorf("%+v", got)
	}
}
