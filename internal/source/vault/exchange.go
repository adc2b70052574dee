package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/source"
)

const (
	// settling is how long a cloud may refuse what an engine made, because not all of it knows yet. Users of AWS take about ten seconds
	// (https://developer.hashicorp.com/vault/docs/secrets/aws), service principals of Azure up to a minute.
	settling = 2 * time.Minute
	// settlingPause is the wait between two tries meanwhile.
	settlingPause = 10 * time.Second
	// longestInput is how long at most an answer is kept that is still to be exchanged.
	longestInput = 10 * time.Minute
)

// inputs are answers of engines that the clouds did not exchange yet. They are kept, because each other read would make another user or
// principal, and that would be as new to the cloud. They are in memory alone: what is in them when the process ends is left to its end.
type inputs struct {
	mu sync.Mutex
	m  map[inputKey]*answer
}

// inputKey is one object at one place: an answer of an engine has one owner, and each object has a salt of its own.
type inputKey struct {
	place source.Place
	salt  string
}

// readForExchange reads, and trades what came for a login at a cloud.
func (m *Manager) readForExchange(ctx context.Context, c *connection, place *v1alpha1.VaultSource, path string, request source.Request) (source.Snapshot, *failure) {
	where := place.Mount + "/" + place.Path
	if m.options.Exchange == nil {
		return source.Snapshot{}, outcomeExchangeRegistry.at(where).saying("this operator does no exchange")
	}
	key := inputKey{request.Place(), string(request.Salt)}
	a := m.inputs.take(key, m.options.Now())
	if a == nil {
		var f *failure
		if a, f = c.fetch(ctx, place, path, request); f != nil {
			return source.Snapshot{}, f
		}
	}
	snapshot, f := m.exchanged(ctx, c, place, a, request)
	switch {
	case f == nil:
	case a.content.LeaseID == "":
		if f.Outcome == outcomeExchangeNotYet { // nothing was made for us that has to become known
			f.Outcome, f.wait = outcomeExchangeRefused, 0
		}
	case f.Outcome == outcomeExchangeNotYet || f.Outcome == outcomeExchangeUnavailable && m.options.Now().Sub(a.read.at) < longestInput:
		m.inputs.keep(key, a)
	default:
		c.giveBack(ctx, a, f)
	}
	return snapshot, f
}

// exchanged makes a snapshot of an answer by way of the cloud.
func (m *Manager) exchanged(ctx context.Context, c *connection, place *v1alpha1.VaultSource, a *answer, request source.Request) (source.Snapshot, *failure) {
	where := place.Mount + "/" + place.Path
	content, f := contentOf(where, place.EngineKind(), a)
	if f != nil {
		return source.Snapshot{}, f
	}
	fields, err := m.options.Exchange.Exchange(ctx, place.Exchange, request.Registries, payload.Fields(content.data))
	if err != nil {
		return source.Snapshot{}, notExchanged(where, err, m.options.Now().Sub(a.read.at))
	}
	done := *a // the answer may be shared
	done.exchanged = fields
	return snapshotOf(c.name, place, &done, request)
}

// notExchanged is the outcome that an error of internal/exchange is. age is that of what was to be exchanged.
func notExchanged(where string, err error, age time.Duration) *failure {
	f := outcomeExchangeUnavailable.at(where)
	switch {
	case errors.Is(err, exchange.ErrInput):
		f = outcomeExchangeInput.at(where)
	case errors.Is(err, exchange.ErrRegistry):
		f = outcomeExchangeRegistry.at("spec.registries")
	case errors.Is(err, exchange.ErrRefused) && age < settling:
		f = outcomeExchangeNotYet.at(where)
		f.wait = settlingPause
	case errors.Is(err, exchange.ErrRefused):
		f = outcomeExchangeRefused.at(where)
	}
	var says *exchange.Error
	if errors.As(err, &says) {
		f.wait = max(f.wait, says.RetryAfter)
		f.detail = says.Message
	}
	return f.because(err)
}

// take gives the answer that is still to be exchanged, nil where there is none. Those that are too old are forgotten.
func (i *inputs) take(key inputKey, now time.Time) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	for other, kept := range i.m {
		if now.Sub(kept.read.at) > longestInput {
			delete(i.m, other)
		}
	}
	kept := i.m[key]
	delete(i.m, key)
	return kept
}

func (i *inputs) keep(key inputKey, a *answer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m == nil {
		i.m = map[inputKey]*answer{}
	}
	i.m[key] = a
}
