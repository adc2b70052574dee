package vault

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// eventOf is a message as Vault sends it; metadata are pairs of key and value.
func eventOf(kind, namespace, mount string, metadata ...string) []byte {
	fields := map[string]string{}
	for i := 0; i < len(metadata); i += 2 {
		fields[metadata[i]] = metadata[i+1]
	}
	message, err := json.Marshal(map[string]any{
		"id": "a3be9fb1-b514-519f-5b25-b6f144a8c1ce", "source": "vault://host", "specversion": "1.0", "type": "*",
		"datacontentype": "application/cloudevents", "time": "2026-09-12T15:19:49.394915-07:00",
		"data": map[string]any{
			"event":      map[string]any{"id": "a3be9fb1-b514-519f-5b25-b6f144a8c1ce", "metadata": fields},
			"event_type": kind, "namespace": namespace,
			"plugin_info": map[string]any{"mount_class": "secret", "mount_accessor": "kv_5dc4d18e", "mount_path": mount, "plugin": "kv"},
		},
	})
	if err != nil {
		panic(err)
	}
	return message
}

func TestWhichPathsAnEventNames(t *testing.T) {
	for _, test := range []struct {
		name    string
		message []byte
		want    []string // read there
		not     []string
	}{
		{"Vault 1.14 tells the path below the mount", eventOf("kv-v2/data-write", "", "secret/", "path", "data/a/b", "operation", "data-write"),
			[]string{"secret/data/a/b"}, []string{"secret/data/a"}},
		{"later ones tell it with the mount", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "data_path", "secret/data/a", "modified", "true"),
			[]string{"secret/data/a"}, []string{"secret/data/b"}},
		{"the path has no data/", eventOf("kv-v2/data-patch", "", "secret/", "path", "secret/a"), []string{"secret/data/a"}, nil},
		{"a mount has several segments", eventOf("kv-v2/data-write", "", "a/b/", "path", "a/b/data/c"), []string{"a/b/data/c"}, nil},
		{"a path begins as its mount does", eventOf("kv-v2/data-write", "", "data/", "path", "data/a"), []string{"data/data/a"}, nil},
		{"a namespace comes before", eventOf("kv-v2/data-write", "team/one/", "secret/", "path", "secret/data/a"),
			[]string{"team/one/secret/data/a"}, []string{"secret/data/a"}},
		{"the namespace is the root by its name", eventOf("kv-v2/data-write", "root", "secret/", "path", "secret/data/a"), []string{"secret/data/a"}, nil},
		{"versions are destroyed", eventOf("kv-v2/destroy", "", "secret/", "path", "secret/destroy/a", "modified", "true"), []string{"secret/data/a"}, nil},
		{"a version is given back", eventOf("kv-v2/undelete", "", "secret/", "path", "undelete/a"), []string{"secret/data/a"}, nil},
		{"all of it is deleted", eventOf("kv-v2/metadata-delete", "", "secret/", "path", "metadata/a"), []string{"secret/data/a"}, nil},
		{"KV version 1", eventOf("kv-v1/write", "", "kv/", "path", "kv/a/b"), []string{"kv/a/b"}, []string{"kv/data/a/b"}},
		{"KV version 1 in Vault 1.14", eventOf("kv-v1/write", "", "kv/", "path", "a/b"), []string{"kv/a/b"}, nil},
		{"a static role of a database is rotated when it is time", eventOf("database/rotate", "", "db/", "path", "db", "name", "robot", "modified", "true"),
			[]string{"db/static-creds/robot"}, []string{"db/static-creds/other"}},
		{"so, by hand", eventOf("database/rotate", "", "db/", "path", "db/rotate-role/robot", "name", "robot", "modified", "true"), []string{"db/static-creds/robot"}, nil},
		{"a static role of LDAP", eventOf("ldap/rotate", "", "ldap/", "path", "", "name", "robot"), []string{"ldap/static-cred/robot"}, nil},
		{"the path has slashes around it", eventOf("kv-v2/data-write", "", "/secret/", "path", "/secret/data/a/"), []string{"secret/data/a"}, nil},
		{"a secret has the name of a part of the API", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data"), []string{"secret/data/data"}, []string{"secret/data"}},
		{"a folder of KV is none of the API's", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/a/b"), []string{"secret/data/a/b"}, []string{"secret/data/b"}},
		{"the namespace is the root, written as one", eventOf("kv-v2/data-write", "root/", "secret/", "path", "secret/data/a"), []string{"secret/data/a"}, nil},
		{"KV version 1 names something", eventOf("kv-v1/write", "", "kv/", "path", "kv/a", "name", "robot"), []string{"kv/a"}, []string{"kv/static-creds/robot"}},
		{"an engine names no role", eventOf("database/config-write", "", "db/", "path", "db/config"), []string{"db/config"}, []string{"db/static-creds"}},
		{"a mount is named, and no path", eventOf("kv-v1/write", "", "kv/a/", "path", ""), nil, []string{"kv/a"}},
		{"the path has a slash too many behind the mount", eventOf("kv-v2/data-write", "", "secret/", "path", "secret//data/a"), []string{"secret/data/a"}, nil},
		{"nothing was modified", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "modified", "false"), nil, []string{"secret/data/a"}},
		{"a rotation failed", eventOf("database/rotate-fail", "", "db/", "path", "db/x", "name", "robot"), nil, []string{"db/static-creds/robot"}},
		{"there is no path", eventOf("lease/issued", "", ""), nil, []string{""}},
		{"it is no JSON", []byte("hello"), nil, []string{""}},
		{"its type is no text", []byte(`{"data":{"event":{"metadata":{"path":"a"}},"event_type":7,"plugin_info":{"mount_path":"kv/"}}}`), nil, []string{"kv/a"}},
		{"the metadata is no text", []byte(`{"data":{"event":{"metadata":{"path":7}},"event_type":"kv-v2/data-write"}}`), nil, []string{"7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := parseEvent(test.message).paths
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
			for _, not := range test.not {
				if slices.Contains(got, not) {
					t.Errorf("%q is in %q", not, got)
				}
			}
			if len(test.want) == 0 && len(got) > 0 {
				t.Errorf("it names %q", got)
			}
		})
	}
}

func TestTheStateOfAnEventIsSentBackOnlyAsVaultWritesIt(t *testing.T) {
	for state, want := range map[string]string{
		"djE6N2YzYTQ0NzAtN2UxMi03ODA3LTUxYmQ=": "djE6N2YzYTQ0NzAtN2UxMi03ODA3LTUxYmQ=",
		"a\r\nX-Vault-Token: other":            "",
		strings.Repeat("a", maxState+1):        "",
		strings.Repeat("a", maxState):          strings.Repeat("a", maxState),
		"azAZ09+/=-_":                          "azAZ09+/=-_",
		"a`":                                   "",
		"a{":                                   "",
		"a@":                                   "",
		"a[":                                   "",
		"a:":                                   "",
		"a.":                                   "",
		"a ":                                   "",
		"aé":                                   "",
		"":                                     "",
	} {
		news := parseEvent(eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "vault_index", state))
		if news.state != want {
			t.Errorf("%.40q became %q", state, news.state)
		}
	}
}

// TestEveryPathIsNamedByItsOwnEvent: whatever mount and path a spec has, the event of a write there names it in each form.
func TestEveryPathIsNamedByItsOwnEvent(t *testing.T) {
	for _, mount := range []string{"secret", "data", "a/b", "secret/data", "kv"} {
		for _, path := range []string{"a", "data", "data/a", "a/b/c", "secret/a", "metadata/x", "delete"} {
			read, f := apiPath(&v1alpha1.VaultSource{Mount: mount, Path: path})
			if f != nil {
				t.Fatal(f)
			}
			for form, told := range map[string]string{
				"below the mount": "data/" + path, "with the mount": mount + "/data/" + path, "without data/": mount + "/" + path,
			} {
				got := parseEvent(eventOf("kv-v2/data-write", "ns/", mount+"/", "path", told)).paths
				if want := eventPath("ns", read); !slices.Contains(got, want) {
					t.Errorf("%s, %s: %q is not in %q", fmt.Sprint(mount, " ", path), form, want, got)
				}
				if len(got) > 8 {
					t.Errorf("%q names %d paths", told, len(got))
				}
			}
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(eventOf("kv-v2/data-write", "ns/", "secret/", "path", "secret/data/a", "vault_index", "djE="))
	f.Add(eventOf("database/rotate", "", "db/", "path", "", "name", "robot"))
	f.Add([]byte(`{"data":{"event":{"metadata":null}}}`))
	f.Add(eventOf("database/rotate", "", "", "path", "", "name", "robot"))
	f.Add(eventOf("database/rotate", "/root//", "//", "path", "//", "name", "//"))
	f.Fuzz(func(t *testing.T, message []byte) {
		news := parseEvent(message)
		if len(news.paths) > 16 || len(news.state) > maxState || strings.ContainsAny(news.state, "\r\n") {
			t.Errorf("%d paths, state %q", len(news.paths), news.state)
		}
		for _, path := range news.paths {
			if path == "" || strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
				t.Errorf("the path %q", path)
			}
		}
	})
}
