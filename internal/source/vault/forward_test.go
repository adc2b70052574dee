package vault

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func (r *rig) readForwarded(place v1alpha1.VaultSource, maxAge time.Duration) (source.Snapshot, *source.Error) {
	r.t.Helper()
	request := requestFor(place, maxAge)
	request.Forward = true
	snapshot, err := r.Read(r.t.Context(), request)
	return snapshot, source.AsError(err)
}

// standby answers as a performance standby that is one version behind.
func standby(refuses bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		password := "behind"
		if r.Header.Get("X-Vault-Forward") == "active-node" {
			if refuses {
				answers(400, `{"errors":["forwarding via header X-Vault-Forward disabled in configuration"]}`)(w, r)
				return
			}
			password = "newest"
		}
		answers(200, kv2Answer(map[string]any{"username": "u", "password": password}))(w, r)
	}
}

func TestAForwardedReadComesFromTheActiveNode(t *testing.T) {
	for _, test := range []struct {
		name     string
		refuses  bool
		want     string
		requests int
	}{
		{"where the server allows the header", false, "newest", 2},
		{"and is read plainly where it does not", true, "behind", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", standby(test.refuses))
			rig := newRig(t, server.URL)
			if got := rig.mustRead(atKV2).Config["registry.example"].Password(); got != "behind" {
				t.Fatalf("a plain read gave %s", got)
			}
			forwarded, failure := rig.readForwarded(atKV2, time.Hour)
			if failure != nil {
				t.Fatal(failure)
			}
			if got := forwarded.Config["registry.example"].Password(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := len(server.requests("/v1/secret/data/a")); n != test.requests {
				t.Errorf("%d requests, want %d: a forwarded read is never shared with an earlier one", n, test.requests)
			}
			if shared, failure := rig.readAged(atKV2, time.Hour); failure != nil || shared.Config["registry.example"].Password() != test.want {
				t.Errorf("others do not get the answer of the forwarded read: %v", failure)
			}
		})
	}
}

func TestAnotherBadRequestIsNotAskedAgain(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/robots/creds/a", answers(400, `{"errors":["role is not right"]}`))
	rig := newRig(t, server.URL)
	if _, failure := rig.readForwarded(atDynamic, 0); failure == nil || failure.Reason != v1alpha1.ReasonBadRequest {
		t.Errorf("got %+v", failure)
	}
	if n := len(server.requests("/v1/robots/creds/a")); n != 1 {
		t.Errorf("%d requests", n)
	}
	rig.mustFail(atDynamic, v1alpha1.ReasonBadRequest)
	if n := len(server.requests("/v1/robots/creds/a")); n != 2 {
		t.Errorf("%d requests, the second of which was to be a plain one", n)
	}
}

func TestTheVersionIsVaultsOwn(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	for _, test := range []struct {
		name, metadata string
		want           int64
	}{
		{"a version", `"version":7`, 7},
		{"a version of more digits than a float64 holds", `"version":9007199254740993`, 9007199254740993},
		{"no whole number", `"version":7.5`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server.handle("/v1/secret/data/a", answers(200, fmt.Sprintf(
				`{"data":{"data":{"username":"u","password":"p"},"metadata":{%s,"created_time":"2026-01-02T03:04:05Z"}}}`, test.metadata)))
			if got := rig.mustRead(atKV2).Version; got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	server.handle("/v1/secret/a", answers(200, `{"data":{"username":"u","password":"p","version":3}}`))
	if got := rig.mustRead(atKV1).Version; got != 0 {
		t.Errorf("KV version 1 has version %d", got)
	}
}
