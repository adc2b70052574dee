package injection

import (
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
)

// indexOf is the index as an earlier process wrote it at noon.
func indexOf(credentials ...v1alpha1.RegistryCredential) *v1alpha1.InjectionIndex {
	return &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectionIndexName, UID: "i", ResourceVersion: "1", CreationTimestamp: metav1.NewTime(noon)},
		Spec: Build(credentials).Spec}
}

func TestWhatAnIndexHoldsServesBeforeItIsWritten(t *testing.T) {
	first, second := asking(1, both(names("a", "b"), team("shop"))), asking(2, both(names("b"), team("web"), secret("other")))
	older := v1alpha1.RegistryCredential{}
	for _, test := range []struct {
		name  string
		index *v1alpha1.InjectionIndex
		asks  []v1alpha1.RegistryCredential
		held  []types.UID
	}{
		{name: "all that ask are in it", index: indexOf(first, second), asks: []v1alpha1.RegistryCredential{first, second}, held: []types.UID{"u1", "u2"}},
		{name: "one came meanwhile", index: indexOf(first), asks: []v1alpha1.RegistryCredential{first, second}, held: []types.UID{"u1"}},
		{name: "one went meanwhile", index: indexOf(first, second), asks: []v1alpha1.RegistryCredential{second}, held: []types.UID{"u2"}},
		{name: "it selects one namespace more", index: indexOf(first), asks: []v1alpha1.RegistryCredential{asking(1, both(names("a", "b", "c"), team("shop")))}},
		{name: "it selects one less, and those that it selects are in it", index: indexOf(first), asks: []v1alpha1.RegistryCredential{asking(1, both(names("a"), team("shop")))}, held: []types.UID{"u1"}},
		{name: "it selects by another label", index: indexOf(first), asks: []v1alpha1.RegistryCredential{asking(1, both(names("a", "b"), team("web")))}},
		{name: "it excludes one more", index: indexOf(first), asks: []v1alpha1.RegistryCredential{asking(1, both(names("a", "b"), team("shop"), excluding("x")))}},
		{name: "its Secret has another name", index: indexOf(first), asks: []v1alpha1.RegistryCredential{asking(1, both(names("a", "b"), team("shop"), secret("other")))}},
		{name: "another one selects the same namespaces for another Secret", index: indexOf(second), asks: []v1alpha1.RegistryCredential{asking(1, names("b"))}},
		{name: "one that is attached to ServiceAccounts", index: indexOf(first), asks: []v1alpha1.RegistryCredential{older}},
		{name: "there is no index", index: &v1alpha1.InjectionIndex{}, asks: []v1alpha1.RegistryCredential{first, asking(3, names())}},
	} {
		t.Run(test.name, func(t *testing.T) {
			held := HeldBy(test.index, test.asks)
			var uids []types.UID
			for uid, entry := range held {
				uids = append(uids, uid)
				if !entry.Since.Equal(noon) {
					t.Errorf("%s is served since %v", uid, entry.Since)
				}
			}
			if slices.Sort(uids); !slices.Equal(uids, test.held) {
				t.Errorf("it holds %v, want %v", uids, test.held)
			}
		})
	}
}

// A process that starts knows nothing of its predecessor's writes. If it dated all by the last of them, each start after a change of one
// RegistryCredential would restart each stuck pod, of all of them, to which nothing adds the name.
func TestAStartMovesNoTimeOfWhatTheIndexHolds(t *testing.T) {
	first, second := asking(1, names("a")), asking(2, names("b"))
	all := Build([]v1alpha1.RegistryCredential{first, second})
	later := noon.Add(time.Hour)
	for _, test := range []struct {
		name  string
		after func(*Book)
		// since is from when on the first one is served, and other the second, which the index lacked. Zero where it is not.
		since, other time.Time
		fault        bool
	}{
		{name: "it is written", since: noon, other: later, after: func(b *Book) { b.Written(all, later, false) }},
		{name: "the first read fails", since: noon, other: later, after: func(b *Book) {
			b.Failed(all, false, errors.New("away"))
			b.Found(HeldBy(indexOf(first), []v1alpha1.RegistryCredential{first, second}))
			b.Written(all, later, false)
		}},
		{name: "it cannot be written", since: noon, fault: true, after: func(b *Book) { b.Failed(all, false, errors.New("no such right")) }},
		{name: "it is not written yet", since: noon, after: func(*Book) {}},
		{name: "it was deleted since", since: later, other: later, after: func(b *Book) { b.Written(all, later, true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := NewBook(func(string, bool) {})
			b.Found(HeldBy(indexOf(first), []v1alpha1.RegistryCredential{first, second}))
			test.after(b)
			if got := b.State(State{Known: true}, &first); !got.Standing() || !got.Since.Equal(test.since) {
				t.Errorf("the first: %+v, want since %v", got, test.since)
			}
			got := b.State(State{Known: true}, &second)
			if got.Standing() == test.other.IsZero() || !got.Since.Equal(test.other) || (got.Fault != "") != test.fault {
				t.Errorf("the second: %+v, want since %v", got, test.other)
			}
			if test.fault && !got.Unseen {
				t.Errorf("nothing was lost: %+v", got)
			}
		})
	}
}

func TestWhatWasLostIsLostUntilItIsWritten(t *testing.T) {
	first := asking(1, names("a"))
	content := Build([]v1alpha1.RegistryCredential{first})
	b := NewBook(func(string, bool) {})
	b.Written(content, noon, false)
	b.Failed(content, true, errors.New("no such kind"))
	b.Failed(content, false, errors.New("no such kind"))
	if got := b.State(State{Known: true}, &first); got.Unseen || got.Fault == "" {
		t.Errorf("pods miss the name, and it is said that nobody looked: %+v", got)
	}
	b.Written(content, noon.Add(time.Hour), false)
	b.Failed(content, false, errors.New("away"))
	if got := b.State(State{Known: true}, &first); !got.Standing() || !got.Since.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
}

func TestWhatAnIndexHoldsIsToldToWhomItServes(t *testing.T) {
	first := asking(1, names("a"))
	content := Build([]v1alpha1.RegistryCredential{first})
	told := 0
	b := NewBook(func(string, bool) { told++ })
	b.Found(HeldBy(indexOf(first), []v1alpha1.RegistryCredential{first}))
	b.Written(content, noon.Add(time.Hour), false)
	if told != 1 {
		t.Errorf("it is told %d times", told)
	}
}
