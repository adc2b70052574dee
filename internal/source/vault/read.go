package vault

import (
	"context"
	"fmt"
	"net/http"
	"strings"

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
	c.events.interests.note(eventPath(c.spec.VaultNamespace, path), request.Place(), place.EngineKind() == v1alpha1.EngineDynamic, c.now())
	if place.Exchange != nil {
		return m.readForExchange(ctx, c, place, path, request)
	}
	a, f := c.fetch(ctx, place, path, request)
	if f != nil {
		return source.Snapshot{}, f
	}
	snapshot, f := snapshotOf(c.name, place, a, request)
	if f != nil {
		c.giveBack(ctx, place, a)
	}
	return snapshot, f
}

// giveBack revokes what an engine made and nobody uses. Where that fails, it ends at its own time. Answers of other engines are shared,
// and have no leases.
func (c *connection) giveBack(ctx context.Context, place *v1alpha1.VaultSource, a *answer) {
	if place.EngineKind() == v1alpha1.EngineDynamic && a.content.LeaseID != "" {
		_ = c.revoke(ctx, a.content.LeaseID)
	}
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
		return a, aboutRequest(place, path, a, f)
	}
	return c.sharing.do(ctx, request.Place(), c.now(), maxAge, func(ctx context.Context) (*answer, *failure) {
		a, f := c.read(ctx, where, path, ask)
		if f != nil && f.Outcome == outcomeNeverWritten {
			f = c.secondLook(ctx, place, f)
		}
		return a, f.withPath(path)
	})
}

// withPath adds to a denied read what Vault was asked for: the path that a policy must name, which has data/ in it with KV v2.
func (f *failure) withPath(path string) *failure {
	if f == nil || f.Outcome != outcomeDenied || f.detail != "" {
		return f
	}
	told := *f
	return told.saying("Vault answers 403 to a read of " + path)
}

// aboutRequest adds to a refusal what spec.source.vault.request has to do with it.
func aboutRequest(place *v1alpha1.VaultSource, path string, a *answer, f *failure) *failure {
	switch {
	case f == nil:
	case f.Outcome == outcomeDenied && place.Posts():
		f.saying("Vault answers 403 to a POST to " + path + ", for which the policy grants update and not read")
	case f.Outcome == outcomeDenied:
		return f.withPath(path)
	case f.Outcome == outcomeBadRequest && place.Posts():
		f.saying("the engine does not take this POST: compare spec.source.vault.request with its documentation")
	case f.Outcome == outcomeBadRequest && a != nil && a.status == http.StatusMethodNotAllowed:
		f.saying("the engine does not take GET here: where it documents POST, set spec.source.vault.request")
	}
	return f
}

// secondLook tells a secret that was never written from one in an engine of another version, which answers the same.
// Vault's own command line asks the same endpoint; where the policy does not allow it, the first look stands.
func (c *connection) secondLook(ctx context.Context, place *v1alpha1.VaultSource, first *failure) *failure {
	s, failure := c.tokens.acquire(ctx)
	if failure != nil {
		return first
	}
	defer s.users.Done()
	a, failure := c.sendOnce(ctx, first.place, func(ctx context.Context) (*answer, error) {
		return get(ctx, s.client, "sys/internal/ui/mounts/"+place.Mount, nil)
	})
	if failure != nil || a.content.Data == nil {
		return first
	}
	kind, _ := a.content.Data["type"].(string)
	options, _ := a.content.Data["options"].(map[string]any)
	version, _ := options["version"].(string)
	switch engine := place.EngineKind(); {
	case kind != "kv" && kind != "generic":
		return outcomeWrongEngine.at(first.place).saying(fmt.Sprintf("the mount is of type %q: set engine Dynamic", kind))
	case engine == v1alpha1.EngineKVv2 && version != "2":
		return outcomeWrongEngine.at(first.place).saying("the mount is KV version 1: set engine KVv1")
	case engine == v1alpha1.EngineKVv1 && version == "2":
		return outcomeWrongEngine.at(first.place).saying("the mount is KV version 2: set engine KVv2")
	case engine == v1alpha1.EngineKVv2 && strings.HasPrefix(place.Path, "data/"):
		return outcomeNeverWritten.at(first.place).saying("spec.source.vault.path is written without data/")
	}
	return first
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
	s, failure := c.tokens.acquire(ctx)
	if failure != nil {
		return failure
	}
	defer s.users.Done()
	a, failure := c.send(ctx, c.place()+": sys/leases/revoke", func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "sys/leases/revoke", map[string]any{"lease_id": lease})
	})
	switch {
	case failure == nil, a != nil && a.status == http.StatusBadRequest: // not a lease any more
		c.tokens.mu.Lock()
		delete(s.leases, lease)
		c.tokens.mu.Unlock()
		return nil
	case failure.Outcome == outcomeDenied:
		return failure.saying("an old lease cannot be revoked, and expires: grant update on sys/leases/revoke")
	default:
		return failure
	}
}
