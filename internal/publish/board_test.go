package publish

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// heard collects for whom a bell rang, and empties itself when it is asked.
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

func TestBoardTellsWhoseDeliveriesChanged(t *testing.T) {
	var news heard
	board := NewBoard(news.note)
	shop, web := Place{"shop", "regcred"}, Place{"web", "regcred"}
	steps := []struct {
		name       string
		place      Place
		deliveries map[string]Delivery
		want       []string
	}{
		{"the first look", shop, map[string]Delivery{"a": {Revision: "1"}, "b": {Revision: "1"}}, []string{"a", "b"}},
		{"the same again", shop, map[string]Delivery{"a": {Revision: "1"}, "b": {Revision: "1"}}, nil},
		{"one changed", shop, map[string]Delivery{"a": {Revision: "2"}, "b": {Revision: "1"}}, []string{"a"}},
		{"another place", web, map[string]Delivery{"a": {Reason: "Contested", Message: "x"}}, []string{"a"}},
		{"one is gone", shop, map[string]Delivery{"a": {Revision: "2"}}, []string{"b"}},
		{"all are gone", shop, nil, []string{"a"}},
		{"they were gone before", shop, nil, nil},
	}
	for _, step := range steps {
		board.Post(step.place, step.deliveries)
		if diff := cmp.Diff(step.want, news.take()); diff != "" {
			t.Errorf("%s: wanted (-) and heard (+):\n%s", step.name, diff)
		}
	}
	if diff := cmp.Diff([]Place{web}, board.Places("a")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]Delivery{"web": {Reason: "Contested", Message: "x"}}, board.Of("a", "regcred")); diff != "" {
		t.Error(diff)
	}
	if others := board.Of("a", "other"); len(others) != 0 {
		t.Errorf("under another Secret name there is nothing, it says %v", others)
	}
}

func TestBoardKeepsACopy(t *testing.T) {
	board := NewBoard(func(string) {})
	deliveries := map[string]Delivery{"a": {Revision: "1"}}
	board.Post(Place{"shop", "regcred"}, deliveries)
	deliveries["a"] = Delivery{Revision: "2"}
	if got := board.Of("a", "regcred")["shop"].Revision; got != "1" {
		t.Errorf("the revision is %s, want 1", got)
	}
}

func TestTallyCountsPods(t *testing.T) {
	var news heard
	tally := NewTally(news.note)
	pod := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	steps := []struct {
		name        string
		pod         string
		credentials []string
		want        []string
		stuckOnA    int
	}{
		{"a pod hangs for want of two", "x", []string{"b", "a", "a"}, []string{"a", "b"}, 1},
		{"it still does", "x", []string{"a", "b"}, nil, 1},
		{"another one hangs", "y", []string{"a"}, []string{"a"}, 2},
		{"the first lacks one only", "x", []string{"b"}, []string{"a"}, 1},
		{"both are cured", "x", nil, []string{"b"}, 1},
		{"both are cured", "y", nil, []string{"a"}, 0},
		{"a pod that never hung", "z", nil, nil, 0},
	}
	for _, step := range steps {
		tally.Note(pod(step.pod), step.credentials...)
		if diff := cmp.Diff(step.want, news.take()); diff != "" {
			t.Errorf("%s: wanted (-) and heard (+):\n%s", step.name, diff)
		}
		if got := tally.Stuck("a"); got != step.stuckOnA {
			t.Errorf("%s: %d pods are stuck, want %d", step.name, got, step.stuckOnA)
		}
	}
}

func TestTallyRaisesEachDoubtOnce(t *testing.T) {
	var news heard
	tally := NewTally(news.note)
	pod := types.NamespacedName{Namespace: "shop", Name: "x"}
	steps := []struct {
		name   string
		do     func()
		want   []string
		doubts int
	}{
		{"a pod is refused with two values", func() { tally.Doubt(pod, "a", "b") }, []string{"a", "b"}, 1},
		{"it is looked at again", func() { tally.Doubt(pod, "a") }, nil, 1},
		{"it is well again", func() { tally.Note(pod) }, nil, 1},
		{"it is refused anew", func() { tally.Doubt(pod, "a") }, []string{"a"}, 2},
		{"a pod that gives no reason", func() { tally.Doubt(pod) }, nil, 2},
	}
	for _, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, news.take()); diff != "" {
			t.Errorf("%s: wanted (-) and heard (+):\n%s", step.name, diff)
		}
		if got := tally.Doubts("a"); got != step.doubts {
			t.Errorf("%s: %d doubts, want %d", step.name, got, step.doubts)
		}
	}
}

func TestBellTellsAllListeners(t *testing.T) {
	var bell Bell
	var one, two heard
	bell.Ring("nobody listens yet")
	bell.Listen(one.note)
	bell.Listen(two.note)
	bell.Ring("a")
	for _, h := range []*heard{&one, &two} {
		if diff := cmp.Diff([]string{"a"}, h.take()); diff != "" {
			t.Error(diff)
		}
	}
}
