package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/source"
)

// documented is what an engine answers by its documentation or its source, and what is to be made of it. The answer came at readAt.
type documented struct {
	// Engine and Request are as docs/vault.md names them.
	Engine, Request string
	Source          v1alpha1.VaultSource
	Registries      []v1alpha1.Registry
	Answer          json.RawMessage
	// Cloud are the answers of the cloud by method and address, where the source is exchanged.
	Cloud map[string]json.RawMessage
	Want  struct {
		// Login that is delivered for each registry, as user:password, and its end.
		Login string
		End   time.Time
		// Kind is replaced (each read makes another one), renewed (its lease is prolonged), or rotated (at its place, by the engine).
		Kind string
	}
}

func engines(t *testing.T) map[string]documented {
	t.Helper()
	files, err := filepath.Glob("testdata/engines/*.json")
	if err != nil || len(files) < 24 {
		t.Fatalf("%d files were found, %v", len(files), err)
	}
	all := map[string]documented{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var one documented
		if err := json.Unmarshal(content, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = one
	}
	return all
}

func TestWhatEnginesAnswerIsDelivered(t *testing.T) {
	for file, engine := range engines(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a := &answer{status: 200, body: engine.Answer, read: readContext{at: readAt, token: testToken}}
			if err := decode(a.body, &a.content); err != nil {
				t.Fatal(err)
			}
			if engine.Source.Exchange != nil {
				var err error
				trade := exchange.New(documentedCloud(engine.Cloud), func() time.Time { return readAt })
				if a.exchanged, err = trade.Exchange(t.Context(), engine.Source.Exchange, engine.Registries, payload.Fields(a.content.Data)); err != nil {
					t.Fatal(err)
				}
			}
			request := source.Request{Registries: engine.Registries, Salt: []byte("salt-of-sixteen-b")}
			got, failure := snapshotOf("default", &engine.Source, a, request)
			if failure != nil {
				t.Fatal(failure)
			}
			for key, credential := range got.Config {
				if login := credential.Username() + ":" + credential.Password(); login != engine.Want.Login {
					t.Errorf("for %s it delivers %s, want %s", key, login, engine.Want.Login)
				}
			}
			if len(got.Config) != len(engine.Registries) || len(got.Findings) > 0 {
				t.Errorf("%d entries, findings: %v", len(got.Config), got.Findings)
			}
			if kind := kindOf(got); !got.ExpireTime.Equal(engine.Want.End) || kind != engine.Want.Kind {
				t.Errorf("it ends %s and is %s, want %s and %s", got.ExpireTime, kind, engine.Want.End, engine.Want.Kind)
			}
			if leased := strings.Contains(string(engine.Answer), `"lease_id": ""`); leased == (got.Lease != nil) {
				t.Errorf("its lease is %+v", got.Lease)
			}
		})
	}
}

// documentedCloud answers as a cloud's documentation says, and knows nothing else.
type documentedCloud map[string]json.RawMessage

func (c documentedCloud) RoundTrip(r *http.Request) (*http.Response, error) {
	body, known := c[r.Method+" "+r.URL.String()]
	if !known {
		return nil, fmt.Errorf("the cloud's documentation has no %s %s", r.Method, r.URL)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

func kindOf(s source.Snapshot) string {
	switch {
	case s.Lease.Renews():
		return "renewed"
	case s.Minted:
		return "replaced"
	}
	return "rotated"
}

func TestStaticRolesAnnounceTheirRotation(t *testing.T) {
	for _, name := range []string{"database-static", "ldap-static"} {
		engine := engines(t)["testdata/engines/"+name+".json"]
		got, failure := snapshotFor(t, v1alpha1.EngineDynamic, string(engine.Answer))
		if failure != nil {
			t.Fatal(failure)
		}
		if want := readAt.Add(24833 * time.Second); !got.RotateTime.Equal(want) || got.CreatedTime.IsZero() {
			t.Errorf("%s: rotates %s, want %s; it was put there %s", name, got.RotateTime, want, got.CreatedTime)
		}
	}
}

func TestWhatMakesAStaticRole(t *testing.T) {
	post := &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
	for _, test := range []struct {
		name    string
		path    string
		request *v1alpha1.VaultRequest
		data    map[string]any
		want    bool
	}{
		{"the path of a static role", "static-creds/a", nil, nil, true},
		{"that of LDAP", "static-cred/a", nil, nil, true},
		{"an answer that tells of rotations, at any path", "a/b", nil, map[string]any{"last_vault_rotation": "2026-03-03T12:00:00Z"}, true},
		{"a role", "creds/a", nil, nil, false},
		{"a token of a static role", "static-creds/a/token", post, nil, false},
		{"what is below a static role", "static-creds/a/token", nil, nil, false},
		{"a POST to a static role", "static-creds/a", post, nil, false},
		{"a token of a static account of Google", "static-account/a/token", nil, nil, false},
	} {
		if got := isStatic(&v1alpha1.VaultSource{Path: test.path, Request: test.request}, test.data); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

// The table of the documentation has a row for each.
func TestTheDocumentationListsEachEngine(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "vault.md"))
	if err != nil {
		t.Fatal(err)
	}
	for file, engine := range engines(t) {
		if row := fmt.Sprintf("\n| %s | `%s` |", engine.Engine, engine.Request); !strings.Contains(string(page), row) {
			t.Errorf("%s: docs/vault.md lacks the row%s", file, row)
		}
	}
}
