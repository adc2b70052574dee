package vault

import (
	"context"
	"errors"
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
)

// readForExchange reads, and trades what came for a login at a cloud. Where the cloud does not take what another object got, of is when that was read.
func (m *Manager) readForExchange(ctx context.Context, c *connection, place *v1alpha1.VaultSource, path string, request source.Request) (snapshot source.Snapshot, of time.Time, f *failure) {
	where := place.Mount + "/" + place.Path
	if m.options.Exchange == nil {
		return source.Snapshot{}, time.Time{}, outcomeExchangeRegistry.at(where).saying("this operator does no exchange")
	}
	key := inputKey{request.Place(), string(request.Salt)}
	a := m.inputs.take(key, m.options.Now())
	if a == nil {
		c.giveBackWhatIsDue(ctx) // before another is made
		if a, f = c.fetch(ctx, place, path, request); f != nil {
			return source.Snapshot{}, time.Time{}, f
		}
	}
	snapshot, f = m.exchanged(ctx, c, place, a, request)
	switch {
	case f == nil:
	case a.content.LeaseID == "":
		if f.Outcome == outcomeExchangeNotYet { // nothing was made for us that has to become known
			f.Outcome, f.wait = outcomeExchangeRefused, 0
		}
		if f.Outcome != outcomeExchangeUnavailable {
			of = a.read.at
		}
	case f.Outcome == outcomeExchangeNotYet || f.Outcome == outcomeExchangeUnavailable && m.options.Now().Sub(a.read.at) < longestInput:
		m.inputs.keep(key, a, m.options.Now())
	default:
		c.giveBack(ctx, a, f)
	}
	return snapshot, of, f
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
