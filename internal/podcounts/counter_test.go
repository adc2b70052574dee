package podcounts

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// heard collects for whom it was notified, and empties itself when it is asked.
type heard struct {
	mu    sync.Mutex
	names []string
}

func (h *heard) note(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names = append(h.names, name)
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := h.names
	h.names = nil
	slices.Sort(names)
	return names
}

func TestCounterCountsPods(t *testing.T) {
	var news heard
	counter := New(news.note)
	pod := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	steps := []struct {
		name        string
		pod         string
		credentials []string
		want        []string
		stuckOnA    int
	}{
		{"a pod is stuck for want of two", "x", []string{"b", "a", "a"}, []string{"a", "b"}, 1},
		{"it still does", "x", []string{"a", "b"}, nil, 1},
		{"another one hangs", "y", []string{"a"}, []string{"a"}, 2},
		{"the first lacks one only", "x", []string{"b"}, []string{"a"}, 1},
		{"it lacks the other one instead", "x", []string{"a"}, []string{"a", "b"}, 2},
		{"it lacks the first one again", "x", []string{"b"}, []string{"a", "b"}, 1},
		{"both are cured", "x", nil, []string{"b"}, 1},
		{"both are cured", "y", nil, []string{"a"}, 0},
		{"a pod that never hung", "z", nil, nil, 0},
	}
	for _, step := range steps {
		counter.Note(pod(step.pod), step.credentials...)
		if diff := cmp.Diff(step.want, news.take()); diff != "" {
			t.Errorf("%s: wanted (-) and heard (+):\n%s", step.name, diff)
		}
		if got := counter.Stuck("a"); got != step.stuckOnA {
			t.Errorf("%s: %d pods are stuck, want %d", step.name, got, step.stuckOnA)
		}
	}
}

func TestCounterRaisesEachDoubtOnce(t *testing.T) {
	var news heard
	counter := New(news.note)
	pod := types.NamespacedName{Namespace: "shop", Name: "x"}
	first, second := Value{"a", "first"}, Value{"a", "second"}
	steps := []struct {
		name   string
		do     func()
		want   []string
		doubts int
	}{
		{"a pod is refused with two values", func() { counter.Doubt(pod, first, Value{"b", "first"}) }, []string{"a", "b"}, 1},
		{"it is looked at again", func() { counter.Doubt(pod, first) }, nil, 1},
		{"it is still stuck", func() { counter.Note(pod, "a"); counter.Doubt(pod, first) }, []string{"a"}, 1},
		{"it is noted once more", func() { counter.Note(pod, "a"); counter.Doubt(pod, first) }, nil, 1},
		{"it lacks another one, too", func() { counter.Note(pod, "a", "c"); counter.Doubt(pod, first) }, []string{"c"}, 1},
		{"it does not any more", func() { counter.Note(pod, "a"); counter.Doubt(pod, first) }, []string{"c"}, 1},
		{"it is refused with the next value, too", func() { counter.Doubt(pod, second) }, []string{"a"}, 2},
		{"it is looked at again with that", func() { counter.Doubt(pod, second) }, nil, 2},
		{"it is well again", func() { counter.Note(pod) }, []string{"a"}, 2},
		{"it is refused another time", func() { counter.Doubt(pod, second) }, []string{"a"}, 3},
		{"a pod that gives no reason", func() { counter.Doubt(pod) }, nil, 3},
	}
	for _, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, news.take()); diff != "" {
			t.Errorf("%s: wanted (-) and heard (+):\n%s", step.name, diff)
		}
		if got := counter.Doubts("a"); got != step.doubts {
			t.Errorf("%s: %d doubts, want %d", step.name, got, step.doubts)
		}
	}
}

func TestACredentialThatIsGoneLeavesNoDoubts(t *testing.T) {
	c := New(func(string) {})
	pod := types.NamespacedName{Namespace: "shop", Name: "web"}
	company, other := Value{"company", "first"}, Value{"other", "first"}
	c.Note(pod, "company", "other")
	c.Doubt(pod, company, other)
	c.Forget("company")
	if c.Doubts("company") != 0 || c.Doubts("other") != 1 {
		t.Errorf("company has %d doubts and other %d, want 0 and 1", c.Doubts("company"), c.Doubts("other"))
	}
	if c.Doubt(pod, company, other); c.Doubts("company") != 1 || c.Doubts("other") != 1 {
		t.Errorf("made again, the pod counts once more for company (%d) and not for other (%d)", c.Doubts("company"), c.Doubts("other"))
	}
}

// A pod can lack several: each of them has it counted.
func TestACureCountsForEachCredentialThatThePodLacked(t *testing.T) {
	var news heard
	c := New(news.note)
	c.Cure("a", "b")
	c.Cure("b")
	if c.Cured("a") != 1 || c.Cured("b") != 2 {
		t.Errorf("%d are cured for a, %d for b", c.Cured("a"), c.Cured("b"))
	}
	if diff := cmp.Diff([]string{"a", "b", "b"}, news.take()); diff != "" {
		t.Error(diff)
	}
}
