package vault

import (
	"context"
	"net/http"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// Read reads a credential. The error is a *source.Error that says what to do, and never a reason to change what is
// published. A Dynamic path is read for each caller alone, because a lease has one owner; other reads are shared between
// objects as far as request.MaxAge allows.
func (m *Manager) Read(ctx context.Context, request source.Request) (source.Snapshot, error) {
	place := request.Source.Vault
	if place == nil {
		return source.Snapshot{}, source.Stalled(v1alpha1.ReasonMalformed, "spec.source.vault is not set: say where in Vault the credential is")
	}
	snapshot, f := m.read(ctx, request)
	if m.note(place.ConnectionName(), f) {
		m.options.Troubled(place.ConnectionName())
	}
	if f != nil {
		m.options.Metrics.Read(place.ConnectionName(), f.Reason)
		return source.Snapshot{}, f.exported()
	}
	m.options.Metrics.Read(place.ConnectionName(), outcomeRead.Reason)
	return snapshot, nil
}

func (m *Manager) read(ctx context.Context, request source.Request) (source.Snapshot, *failure) {
	place := request.Source.Vault
	path, f := apiPath(place)
	if f != nil {
		return source.Snapshot{}, f
	}
	c, f := m.connection(ctx, place.ConnectionName())
	if f != nil {
		return source.Snapshot{}, f
	}
	defer c.usage.leave()
	if !covered(place, c.spec.PathPrefixes) {
		return source.Snapshot{}, outcomePathRefused.at(place.Mount + "/" + place.Path).saying(
			"spec.pathPrefixes of VaultConnection " + c.name + " does not cover it")
	}
	c.events.interests.read(c, place, path, request, nil)
	began := m.options.Now()
	snapshot, of, f := m.readOnce(ctx, c, place, path, request)
	if !of.IsZero() && began.Sub(of) >= failureMemory { // not what was asked for here: of an engine that is slow another login would be made
		// Somebody corrected it since, perhaps: whoever writes a key and then names it in a spec is not to be told that it is missing.
		request.MaxAge = failureMemory
		snapshot, _, f = m.readOnce(ctx, c, place, path, request)
	}
	return snapshot, f
}

// readOnce reads a credential. Where what came is of no use here, of is when that was asked for, perhaps by another object.
func (m *Manager) readOnce(ctx context.Context, c *connection, place *v1alpha1.VaultSource, path string, request source.Request) (snapshot source.Snapshot, of time.Time, f *failure) {
	if place.Exchange != nil {
		return m.readForExchange(ctx, c, place, path, request)
	}
	a, f := c.fetch(ctx, place, path, request)
	if f != nil {
		return source.Snapshot{}, time.Time{}, f
	}
	if snapshot, f = snapshotOf(c.name, place, a, request); f != nil {
		c.giveBack(ctx, a, f)
		return source.Snapshot{}, a.read.at, f
	}
	c.events.interests.read(c, place, path, request, a.content.Data)
	return snapshot, time.Time{}, nil
}

// fetch reads the path, or shares the read of another object.
func (c *connection) fetch(ctx context.Context, place *v1alpha1.VaultSource, path string, request source.Request) (*answer, *failure) {
	where := place.Mount + "/" + place.Path
	ask, maxAge := readerFor(place, request.Forward), request.MaxAge
	if request.Forward {
		maxAge = 0
	} else if request.State != "" {
		ask = afterState(request.State, ask)
	}
	if place.EngineKind() == v1alpha1.EngineDynamic {
		a, f := c.read(ctx, where, path, ask)
		return a, aboutRequest(place, path, a, aboutRole(a, c.secondLook(ctx, place, f)))
	}
	return c.sharing.do(ctx, request.Place(), c.now(), maxAge, func(ctx context.Context) (*answer, *failure) {
		a, f := c.read(ctx, where, path, ask)
		switch {
		case f != nil:
			f = c.secondLook(ctx, place, f)
		case a.content.LeaseID != "": // KV makes none, and whoever shares the answer would not follow it
			f = outcomeWrongEngine.at(where).saying("the answer has a lease, so the mount is none of KV: set engine Dynamic")
			c.giveBack(ctx, a, f)
		}
		return a, forgottenEngine(place, path, f.withPath(path))
	})
}

// Release revokes a lease whose credential is no longer used anywhere. A lease that is gone already is no error. The
// error is a *source.Error; the lease then expires.
func (m *Manager) Release(ctx context.Context, lease source.Lease) error {
	c, f := m.connection(ctx, lease.Connection)
	if f != nil {
		return f.exported()
	}
	defer c.usage.leave()
	if f := c.throughGate(ctx, func() *failure { return c.revoke(ctx, lease.ID) }); f != nil {
		return f.exported()
	}
	return nil
}

func (c *connection) revoke(ctx context.Context, lease string) *failure {
	place := c.place() + ": sys/leases/revoke"
	a, failure := c.asUs(ctx, place, func(s *session) (*answer, *failure) {
		a, f := c.send(ctx, place, func(ctx context.Context) (*answer, error) {
			return put(ctx, s.client, "sys/leases/revoke", map[string]any{"lease_id": lease})
		})
		if f == nil || a != nil && a.status == http.StatusBadRequest {
			c.tokens.forgetLease(s, lease)
		}
		return a, f
	})
	switch {
	case failure == nil, a != nil && a.status == http.StatusBadRequest: // not a lease any more
		return nil
	case failure.Outcome == outcomeDenied:
		return failure.saying("an old lease cannot be revoked, and expires: grant update on sys/leases/revoke")
	default:
		return failure
	}
}
