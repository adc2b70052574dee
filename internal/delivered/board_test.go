package delivered

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rev(revision string) Delivery { return Delivery{Version: Version{Revision: revision}} }

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
		{"the first look", shop, map[string]Delivery{"a": rev("1"), "b": rev("1")}, []string{"a", "b"}},
		{"the same again", shop, map[string]Delivery{"a": rev("1"), "b": rev("1")}, nil},
		{"one changed", shop, map[string]Delivery{"a": rev("2"), "b": rev("1")}, []string{"a"}},
		{"another place", web, map[string]Delivery{"a": {Reason: "Contested", Message: "x"}}, []string{"a"}},
		{"one is gone", shop, map[string]Delivery{"a": rev("2")}, []string{"b"}},
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
	deliveries := map[string]Delivery{"a": rev("1")}
	board.Post(Place{"shop", "regcred"}, deliveries)
	deliveries["a"] = rev("2")
	if got := board.Of("a", "regcred")["shop"].Revision; got != "1" {
		t.Errorf("the revision is %s, want 1", got)
	}
}
