package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/source"
)

// snapshotOf makes a snapshot of a good answer.
func snapshotOf(connection string, place *v1alpha1.VaultSource, a *answer, request source.Request) (source.Snapshot, *failure) {
	where := place.Mount + "/" + place.Path
	content, f := contentOf(where, place.EngineKind(), a)
	if f != nil {
		return source.Snapshot{}, f
	}
	data, want := content.data, content.wanted(place, a, request)
	if a.exchanged != nil { // another login each time, whatever the version of what it was made of
		data, want.Keys, content.revision = a.exchanged, payload.Keys{DockerConfig: exchange.ConfigField}, ""
		want.From = payload.Fields(content.data)
	}
	made, err := payload.Render(data, want)
	if err != nil {
		return source.Snapshot{}, unusable(where, err)
	}
	if holds(made.Config, a.read.token) {
		return source.Snapshot{}, outcomeOwnToken.at(where)
	}
	snapshot := source.Snapshot{
		Config: made.Config, Revision: content.revision, ReadTime: a.read.at, CreatedTime: content.created, Version: content.version, Findings: made.Findings,
	}
	if snapshot.Revision == "" {
		snapshot.Revision = payload.Revision(request.Salt, made.Config)
	}
	snapshot.ExpireTime = made.Expire
	switch {
	case place.EngineKind() != v1alpha1.EngineDynamic:
	case a.content.LeaseID != "":
		lease := leaseOf(connection, a, made.Expire)
		snapshot.Lease, snapshot.ExpireTime = lease, lease.End()
	case a.exchanged == nil && isStatic(place, content.data):
		// Its end is the next rotation: nobody has to act, and a read makes no other.
		snapshot.RotateTime, snapshot.ExpireTime = made.Expire, time.Time{}
		snapshot.CreatedTime = lastRotation(content.data)
	}
	snapshot.Minted = isMinted(place, a, snapshot.ExpireTime)
	return snapshot, nil
}

// isMinted reports whether each read makes another value: an engine or a cloud makes those that end, and a POST also one of which nobody
// says when it ends. A GET without an end may as well give the same again.
func isMinted(place *v1alpha1.VaultSource, a *answer, end time.Time) bool {
	makes := place.EngineKind() == v1alpha1.EngineDynamic || a.exchanged != nil
	return makes && (!end.IsZero() || place.Posts())
}

// holds reports whether the token by which a value was read is part of it. There is one: no session is without.
func holds(config dockerconfig.Config, token string) bool {
	for _, credential := range config {
		if credential.Password() == token || credential.Username() == token {
			return true
		}
	}
	return false
}

// leaseOf is the lease of an answer that has one. The value ends at the limit whatever becomes of the lease.
func leaseOf(connection string, a *answer, limit time.Time) *source.Lease {
	term, renewable := lifetime(a.content.LeaseDuration), a.content.Renewable
	if term == 0 { // no engine says so, and nobody knows when it ends
		term, renewable = longestLife, false
	}
	return &source.Lease{
		Connection: connection, ID: a.content.LeaseID, Renewable: renewable, Term: term, Duration: term, Obtained: a.read.at,
		LoginEnds: a.read.tokenExpires, Limit: limit,
	}
}

// unusable is the outcome that an error of internal/payload is.
func unusable(where string, err error) *failure {
	for _, row := range []struct {
		reason  error
		outcome Outcome
	}{{payload.ErrKeyMissing, outcomeKeyMissing}, {payload.ErrRegistryMissing, outcomeRegistryMissing}} {
		if errors.Is(err, row.reason) {
			return row.outcome.at(where).because(err).saying(err.Error())
		}
	}
	if errors.Is(err, payload.ErrBadRegistry) {
		return outcomeBadRegistry.at("spec.registries").because(err).saying(err.Error())
	}
	return outcomeMalformed.at(where).because(err).saying(err.Error())
}

// wanted is what is to be made of the content.
func (p *kept) wanted(place *v1alpha1.VaultSource, a *answer, request source.Request) payload.Want {
	want := payload.Want{
		Registries: request.Registries, PerHost: request.PerHost, Keys: payload.Keys(place.KeyNames()), Username: place.Username,
		Where: place.Mount + "/" + place.Path, Store: storeCommand(place), Written: p.created,
	}
	want.About, _ = p.metadata["custom_metadata"].(map[string]any)
	if place.EngineKind() == v1alpha1.EngineDynamic {
		want.Written = a.read.at // each read makes a credential
	}
	return want
}

// storeCommand is how people store a file under a key. A patch leaves the other keys as they are; version 1 has none.
func storeCommand(place *v1alpha1.VaultSource) func(key, file string) string {
	verb := "patch"
	switch place.EngineKind() {
	case v1alpha1.EngineDynamic:
		return nil
	case v1alpha1.EngineKVv1:
		verb = "put"
	}
	return func(key, file string) string {
		return foreign.Command("vault kv %s -mount=%s %s %s=@%s", verb, place.Mount, place.Path, key, file)
	}
}

// kept is the secret itself, whatever the engine wraps around it.
type kept struct {
	data     map[string]any
	metadata map[string]any // of KV v2
	revision string         // empty where the engine has no versions, or gives none that is a count
	created  time.Time
	version  int64 // of KV v2
}

func contentOf(where string, engine v1alpha1.Engine, a *answer) (*kept, *failure) {
	if a.content.WrapInfo != nil || a.content.Auth != nil {
		return nil, outcomeWrongEngine.at(where).saying("the answer is a wrapped secret or a login, not data")
	}
	p := &kept{data: a.content.Data}
	if engine == v1alpha1.EngineKVv2 {
		if f := p.unwrap(where); f != nil {
			return nil, f
		}
	} else if nested(a.content.Data) {
		return nil, outcomeWrongEngine.at(where).saying(isVersion2)
	}
	if len(p.data) == 0 {
		return nil, outcomeEmpty.at(where)
	}
	return p, nil
}

// unwrap takes data, version and times out of an answer of KV v2.
func (p *kept) unwrap(where string) *failure {
	if !nested(p.data) {
		return outcomeWrongEngine.at(where).saying("the answer is none of KV version 2: set engine KVv1 or Dynamic")
	}
	p.metadata, _ = p.data["metadata"].(map[string]any)
	p.data, _ = p.data["data"].(map[string]any)
	created, _ := p.metadata["created_time"].(string)
	p.created, _ = time.Parse(time.RFC3339Nano, created) // zero where Vault says nothing
	written, _ := p.metadata["version"].(json.Number)
	// Vault counts from 1 on. What is no such count may be of any length, and names nothing: then the value is named by its content.
	if version, err := written.Int64(); err == nil && version > 0 {
		// The time too: a secret that was deleted with its metadata and written again counts from 1 again.
		sum := sha256.Sum256([]byte(created))
		p.version, p.revision = version, fmt.Sprintf("%d-%s", version, hex.EncodeToString(sum[:4]))
	}
	return nil
}

// nested reports whether data has the form of KV v2: data and metadata with a version.
func nested(data map[string]any) bool {
	metadata, ok := data["metadata"].(map[string]any)
	if !ok {
		return false
	}
	_, versioned := metadata["version"].(json.Number)
	_, has := data["data"]
	return versioned && has
}
