package injection

import (
	"context"
	"sync"
	"time"
)

const (
	// whileStanding and whileMissing are how often the policy is looked at.
	whileStanding, whileMissing = time.Minute, 10 * time.Second
	// oneLook bounds a look.
	oneLook = 10 * time.Second
)

// Watcher looks at the policy once somebody asked for its state, and goes on from then on. It is a manager.Runnable of the leader. Make
// it with New.
type Watcher struct {
	// look gives the state after a look, from that before.
	look func(ctx context.Context, before State) State
	// changed is called after each look that found another state.
	changed func(State)

	mu    sync.Mutex
	state State
	ask   func()
	asked chan struct{}
}

// New returns a watcher that looks with look, and calls changed where the state is another than before.
func New(look func(ctx context.Context, before State) State, changed func(State)) *Watcher {
	asked := make(chan struct{})
	return &Watcher{look: look, changed: changed, asked: asked, ask: sync.OnceFunc(func() { close(asked) })}
}

// State is what was last found. The first call asks for the first look and returns before it is made.
func (w *Watcher) State() State {
	w.ask()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Start runs until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-w.asked:
	}
	for {
		wait := whileMissing
		if w.round(ctx).Standing() {
			wait = whileStanding
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (w *Watcher) round(ctx context.Context) State {
	bounded, cancel := context.WithTimeout(ctx, oneLook)
	defer cancel()
	before := w.State()
	after := w.look(bounded, before)
	w.mu.Lock()
	w.state = after
	w.mu.Unlock()
	if after != before {
		w.changed(after)
	}
	return after
}
