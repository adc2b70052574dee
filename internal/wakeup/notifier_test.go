package wakeup

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestNotifierTellsAllListeners(t *testing.T) {
	var notifier Notifier
	var one, two heard
	notifier.Notify("nobody listens yet")
	notifier.Listen(one.note)
	notifier.Listen(two.note)
	notifier.Notify("a")
	for _, h := range []*heard{&one, &two} {
		if diff := cmp.Diff([]string{"a"}, h.take()); diff != "" {
			t.Error(diff)
		}
	}
}

// A controller begins to listen when it is set up, while others may have begun their work.
func TestOneMayBeginToListenWhileOthersAreTold(t *testing.T) {
	var notifier Notifier
	var all sync.WaitGroup
	hears := make([]heard, 8)
	for i := range hears {
		all.Go(func() {
			notifier.Listen(hears[i].note)
			notifier.Notify("a")
		})
	}
	all.Wait()
	for i := range hears {
		if len(hears[i].take()) == 0 {
			t.Errorf("listener %d was forgotten", i)
		}
	}
}

// A listener may tell others of something itself.
func TestAListenerMayTellOthers(t *testing.T) {
	var notifier Notifier
	var told heard
	notifier.Listen(func(credential string) {
		if told.note(credential); credential == "a" {
			notifier.Notify("b")
		}
	})
	notifier.Notify("a")
	if diff := cmp.Diff([]string{"a", "b"}, told.take()); diff != "" {
		t.Error(diff)
	}
}
