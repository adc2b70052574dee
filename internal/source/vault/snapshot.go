package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// snapshotOf makes a snapshot of a good answer.
func snapshotOf(connection string, place *v1alpha1.VaultSource, a *answer, request source.Request) (source.Snapshot, *failure) {
	where := place.Mount + "/" + place.Path
	p, f := payloadOf(where, place.EngineKind(), a)
	if f != nil {
		return source.Snapshot{}, f
	}
	r := rendering{where: where, place: place, data: p.data, registries: request.Registries}
	config, f := r.config()
	if f != nil {
		return source.Snapshot{}, f
	}
	for _, credential := range config {
		if a.read.token != "" && (credential.Password() == a.read.token || credential.Username() == a.read.token) {
			return source.Snapshot{}, outcomeOwnToken.at(where)
		}
	}
	snapshot := source.Snapshot{
		Config: config, Revision: p.revision, ReadTime: a.read.at, CreatedTime: p.created, Version: p.version, Findings: r.findings,
	}
	if snapshot.Revision == "" {
		snapshot.Revision = digest(request.Salt, config.Render())
	}
	if id := a.content.LeaseID; id != "" && place.EngineKind() == v1alpha1.EngineDynamic {
		snapshot.Lease = &source.Lease{
			Connection: connection, ID: id, Renewable: a.content.Renewable,
			Duration: time.Duration(a.content.LeaseDuration) * time.Second, Obtained: a.read.at,
		}
	}
	snapshot.ExpireTime = p.ends(config, a, snapshot.Lease)
	snapshot.Minted = place.EngineKind() == v1alpha1.EngineDynamic && !snapshot.ExpireTime.IsZero()
	return snapshot, nil
}

// payload is the secret itself, whatever the engine wraps around it.
type payload struct {
	engine   v1alpha1.Engine
	data     map[string]any
	metadata map[string]any // of KV v2
	revision string         // empty where the engine has no versions
	created  time.Time
	version  int64 // of KV v2
}

func payloadOf(where string, engine v1alpha1.Engine, a *answer) (*payload, *failure) {
	if a.content.WrapInfo != nil || a.content.Auth != nil {
		return nil, outcomeWrongEngine.at(where).saying("the answer is a wrapped secret or a login, not data")
	}
	p := &payload{engine: engine, data: a.content.Data}
	if engine == v1alpha1.EngineKVv2 {
		if f := p.unwrap(where); f != nil {
			return nil, f
		}
	} else if nested(a.content.Data) {
		return nil, outcomeWrongEngine.at(where).saying("the mount is KV version 2: set engine KVv2, and leave data/ out of the path")
	}
	if len(p.data) == 0 {
		return nil, outcomeEmpty.at(where)
	}
	return p, nil
}

// unwrap takes data, version and times out of an answer of KV v2.
func (p *payload) unwrap(where string) *failure {
	if !nested(p.data) {
		return outcomeWrongEngine.at(where).saying("the answer is none of KV version 2: set engine KVv1 or Dynamic")
	}
	p.metadata, _ = p.data["metadata"].(map[string]any)
	p.data, _ = p.data["data"].(map[string]any)
	created, _ := p.metadata["created_time"].(string)
	p.created, _ = time.Parse(time.RFC3339Nano, created) // zero where Vault says nothing
	version, _ := p.metadata["version"].(json.Number)
	p.version, _ = version.Int64() // zero where it is no whole number
	// The time too: a secret that was deleted with its metadata and written anew counts from 1 again.
	sum := sha256.Sum256([]byte(created))
	p.revision = fmt.Sprintf("%s-%s", version, hex.EncodeToString(sum[:4]))
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

// digest names a value without giving it away: keyed, because a plain hash of a short password can be guessed.
func digest(salt, value []byte) string {
	mac := hmac.New(sha256.New, salt)
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
