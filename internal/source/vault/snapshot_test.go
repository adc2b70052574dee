package vault

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

var readAt = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// snapshotFor makes a snapshot of the JSON of an answer.
func snapshotFor(t *testing.T, engine v1alpha1.Engine, body string, change ...func(*answer, *source.Request)) (source.Snapshot, *failure) {
	t.Helper()
	a := &answer{status: 200, body: []byte(body), read: readContext{at: readAt, token: testToken}}
	if err := decode(a.body, &a.content); err != nil {
		t.Fatal(err)
	}
	request := source.Request{Registries: []v1alpha1.Registry{"registry.example"}, Salt: []byte("salt-of-sixteen-b")}
	for _, c := range change {
		c(a, &request)
	}
	return snapshotOf("default", &v1alpha1.VaultSource{Mount: "m", Path: "p", Engine: engine}, a, request)
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func jwtThatEnds(at time.Time) string {
	return strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(
		base64Of(`{"alg":"RS256"}`)+"."+strings.TrimRight(base64Of(fmt.Sprintf(`{"exp":%d}`, at.Unix())), "=")+".c2ln"), "=")
}

func TestTheEndOfACredentialIsFound(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	login := `"username":"u","password":"p"`
	kv2 := func(data, custom string) string {
		return `{"data":{"data":{` + login + data + `},"metadata":{"version":1,"created_time":"2026-01-02T03:04:05Z","custom_metadata":` + custom + `}}}`
	}
	for _, test := range []struct {
		name   string
		engine v1alpha1.Engine
		body   string
		want   time.Time
		minted bool
	}{
		{"nothing says so", v1alpha1.EngineKVv2, kv2("", "null"), time.Time{}, false},
		{"custom metadata, RFC 3339", v1alpha1.EngineKVv2, kv2("", `{"expires_at":"2026-05-01T00:00:00+02:00"}`), time.Date(2026, 4, 30, 22, 0, 0, 0, time.UTC), false},
		{"custom metadata, seconds since 1970", v1alpha1.EngineKVv2, kv2("", `{"expires_at":"1777586400"}`), time.Unix(1777586400, 0), false},
		{"a moment in the data", v1alpha1.EngineKVv1, `{"data":{` + login + `,"expires_at":"2026-05-01T00:00:00Z"}}`, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), false},
		{"milliseconds", v1alpha1.EngineKVv1, `{"data":{` + login + `,"expires_at":1777586400000}}`, time.Unix(1777586400, 0), false},
		{"a lifetime in KV v2 counts from the write", v1alpha1.EngineKVv2, kv2(`,"expires_in":"3600"`, "null"), created.Add(time.Hour), false},
		{"a lifetime in KV v1 counts from nobody knows when", v1alpha1.EngineKVv1, `{"data":{` + login + `,"ttl":"1h"}}`, time.Time{}, false},
		{"KV v1's lease_duration is no lease", v1alpha1.EngineKVv1, `{"lease_duration":2764800,"data":{` + login + `}}`, time.Time{}, false},
		{"a lifetime of a dynamic engine counts from the read", v1alpha1.EngineDynamic, `{"data":{` + login + `,"token_ttl":3599}}`, readAt.Add(3599 * time.Second), true},
		{"the earlier of two", v1alpha1.EngineDynamic, `{"data":{` + login + `,"token_ttl":3599,"expires_at_seconds":` + fmt.Sprint(readAt.Unix()+60) + `}}`, readAt.Add(time.Minute), true},
		{"a lease", v1alpha1.EngineDynamic, `{"lease_id":"m/p/x","lease_duration":600,"data":{` + login + `}}`, readAt.Add(10 * time.Minute), true},
		{"a dynamic path without an end", v1alpha1.EngineDynamic, `{"data":{` + login + `}}`, time.Time{}, false},
		{"a password that is a token", v1alpha1.EngineKVv1, `{"data":{"username":"u","password":"` + jwtThatEnds(readAt.Add(time.Hour)) + `"}}`, readAt.Add(time.Hour), false},
		{"a secret of KV that tells of a rotation", v1alpha1.EngineKVv1, `{"data":{` + login + `,"last_vault_rotation":"2026-03-03T12:00:00Z","expires_at":"2026-05-01T00:00:00Z"}}`, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), false},
		{"what is no moment is no end", v1alpha1.EngineKVv1, `{"data":{` + login + `,"expires_at":"soon"}}`, time.Time{}, false},
		{"a negative moment is no end", v1alpha1.EngineKVv1, `{"data":{` + login + `,"expires_at":-5}}`, time.Time{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			snapshot, failure := snapshotFor(t, test.engine, test.body)
			if failure != nil {
				t.Fatal(failure)
			}
			if !snapshot.ExpireTime.Equal(test.want) || snapshot.Minted != test.minted {
				t.Errorf("ends %s, minted %t; want %s, %t", snapshot.ExpireTime, snapshot.Minted, test.want, test.minted)
			}
		})
	}
}

func TestALeaseEndsWithTheTokenThatAskedForIt(t *testing.T) {
	body := `{"lease_id":"m/p/x","lease_duration":600,"renewable":true,"data":{"username":"u","password":"p"}}`
	snapshot, failure := snapshotFor(t, v1alpha1.EngineDynamic, body, func(a *answer, _ *source.Request) { a.read.tokenExpires = readAt.Add(time.Minute) })
	if failure != nil {
		t.Fatal(failure)
	}
	if !snapshot.ExpireTime.Equal(readAt.Add(time.Minute)) {
		t.Errorf("ends %s", snapshot.ExpireTime)
	}
	want := source.Lease{
		Connection: "default", ID: "m/p/x", Renewable: true, Term: 10 * time.Minute, Duration: 10 * time.Minute, Obtained: readAt, LoginEnds: readAt.Add(time.Minute),
	}
	if snapshot.Lease == nil || *snapshot.Lease != want {
		t.Errorf("lease %+v", snapshot.Lease)
	}
}

func TestARevisionNamesTheValueAndGivesNothingAway(t *testing.T) {
	kv1 := func(password string) string { return `{"data":{"username":"u","password":"` + password + `"}}` }
	kv2 := func(version int, created string) string {
		return fmt.Sprintf(`{"data":{"data":{"username":"u","password":"p"},"metadata":{"version":%d,"created_time":%q}}}`, version, created)
	}
	revision := func(engine v1alpha1.Engine, body, salt string) string {
		t.Helper()
		snapshot, failure := snapshotFor(t, engine, body, func(_ *answer, r *source.Request) { r.Salt = []byte(salt) })
		if failure != nil {
			t.Fatal(failure)
		}
		return snapshot.Revision
	}
	first := revision(v1alpha1.EngineKVv1, kv1("pw-1"), "salt-1")
	if again := revision(v1alpha1.EngineKVv1, kv1("pw-1"), "salt-1"); again != first {
		t.Errorf("the same value has the revisions %s and %s", first, again)
	}
	if other := revision(v1alpha1.EngineKVv1, kv1("pw-2"), "salt-1"); other == first {
		t.Error("two values have one revision")
	}
	if salted := revision(v1alpha1.EngineKVv1, kv1("pw-1"), "salt-2"); salted == first {
		t.Error("the revision does not depend on the salt: it can be guessed")
	}
	seven := revision(v1alpha1.EngineKVv2, kv2(7, "2026-01-02T03:04:05.1Z"), "")
	if !strings.HasPrefix(seven, "7-") || seven != revision(v1alpha1.EngineKVv2, kv2(7, "2026-01-02T03:04:05.1Z"), "other") {
		t.Errorf("KV v2 has the revision %s", seven)
	}
	if anew := revision(v1alpha1.EngineKVv2, kv2(7, "2026-01-02T03:04:05.2Z"), ""); anew == seven {
		t.Error("a secret that was deleted and written again has the old revision")
	}
}
