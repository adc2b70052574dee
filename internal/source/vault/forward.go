package vault

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/api/v1alpha1"
)

// reader is one way of asking for a path.
type reader func(ctx context.Context, client *api.Client, path string) (*answer, error)

// readerFor is the way of asking that a place wants. A POST goes to the active node from wherever it arrives, as every update does.
func readerFor(place *v1alpha1.VaultSource, forward bool) reader {
	query, body := url.Values{}, map[string]any{}
	if place.Request != nil {
		for name, value := range place.Request.Parameters {
			query.Set(name, string(value))
			body[name] = string(value)
		}
	}
	switch {
	case place.Posts():
		return func(ctx context.Context, client *api.Client, path string) (*answer, error) {
			return put(ctx, client, path, body) // Vault and OpenBao take PUT for POST, see buildLogicalRequestNoAuth
		}
	case len(query) > 0:
		return func(ctx context.Context, client *api.Client, path string) (*answer, error) {
			return get(ctx, client, path, query)
		}
	case forward:
		return fromActiveNode
	}
	return plainly
}

// plainly asks the node that the address leads to.
func plainly(ctx context.Context, client *api.Client, path string) (*answer, error) {
	return get(ctx, client, path, nil)
}

// fromActiveNode asks for what the active node holds. An ordinary standby sends every request there, but a performance standby
// (Vault Enterprise) answers reads from its own storage, which may be behind; X-Vault-Forward has it pass the request on.
//
// The header is refused with 400 unless allow_forwarding_via_header is set in the server's configuration, and by Vault's
// community edition always, which has no performance standbys. Then the path is read plainly. OpenBao ignores the header, and its
// standbys may answer reads, too. The other header, X-Vault-Inconsistent, says what to do where a node lacks the state that
// X-Vault-Index names: a reader that wrote nothing has no index, so that it would change nothing (Vault 1.14, http/handler.go,
// forwardBasedOnHeaders).
func fromActiveNode(ctx context.Context, client *api.Client, path string) (*answer, error) {
	a, err := get(ctx, client.WithRequestCallbacks(api.ForwardAlways()), path, nil)
	if err == nil && a.status == http.StatusBadRequest && mentions(a.content.Errors, "forwarding via header") {
		return plainly(ctx, client, path)
	}
	return a, err
}

// firstCatchUp is the wait after the first 412. It doubles with each, up to lastCatchUp.
const firstCatchUp, lastCatchUp = 100 * time.Millisecond, 800 * time.Millisecond

// onceCaughtUp asks again while a node is behind: a moment later it has the state of which a new token tells.
func onceCaughtUp(ask func(context.Context) (*answer, error)) func(context.Context) (*answer, error) {
	return func(ctx context.Context) (*answer, error) {
		for wait := firstCatchUp; ; wait *= 2 {
			a, err := ask(ctx)
			if err != nil || !isBehind(a) || wait > lastCatchUp {
				return a, err
			}
			select {
			case <-ctx.Done():
				return a, nil
			case <-time.After(wait):
			}
		}
	}
}

func isBehind(a *answer) bool {
	f := classify("", a, nil)
	return f != nil && f.Outcome == outcomeBehind
}

// afterState asks for an answer that holds at least the state of which the server told, whichever node gives it: a node that is behind
// answers 412 until it has caught up. Where that takes long, or where the server does not take such a state, the path is read as always: the
// next read finds what is missing.
func afterState(state string, ask reader) reader {
	return func(ctx context.Context, client *api.Client, path string) (*answer, error) {
		asking := client.WithRequestCallbacks(api.RequireState(state))
		a, err := onceCaughtUp(func(ctx context.Context) (*answer, error) { return ask(ctx, asking, path) })(ctx)
		if err != nil || ctx.Err() != nil || a.status != http.StatusPreconditionFailed && a.status != http.StatusBadRequest {
			return a, err
		}
		return ask(ctx, client, path)
	}
}
