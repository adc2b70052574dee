package vault

import (
	"path"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestPathsAreReadAsWrittenOrNotAtAll(t *testing.T) {
	for _, test := range []struct {
		name, mount, path string
		engine            v1alpha1.Engine
		want              string // empty: refused
	}{
		{"KV v2 is the default", "secret", "a/b", "", "secret/data/a/b"},
		{"KV v2 at a deep mount", "team/kv", "a", v1alpha1.EngineKVv2, "team/kv/data/a"},
		{"KV v1", "kv", "a/b", v1alpha1.EngineKVv1, "kv/a/b"},
		{"a dynamic engine", "gcp", "roleset/x/token", v1alpha1.EngineDynamic, "gcp/roleset/x/token"},
		{"a blank is a letter like any other", "secret", "a b", "", "secret/data/a b"},
		{"dots within a segment", "secret", "a..b/.hidden", "", "secret/data/a..b/.hidden"},
		{"it climbs", "secret", "../../sys/mounts", "", ""},
		{"it climbs within", "secret", "a/../b", "", ""},
		{"a dot alone", "secret", "a/./b", "", ""},
		{"a mount that climbs", "../sys", "mounts", v1alpha1.EngineKVv1, ""},
		{"an empty segment", "secret", "a//b", "", ""},
		{"a slash before", "secret", "/a", "", ""},
		{"a slash behind", "secret", "a/", "", ""},
		{"no path", "secret", "", "", ""},
		{"no mount", "", "a", "", ""},
		{"a query", "secret", "a?version=1", "", ""},
		{"a fragment", "secret", "a#b", "", ""},
		{"an escape", "secret", "a%2e%2e", "", ""},
		{"a glob", "secret", "a*", "", ""},
		{"a plus", "secret", "a+", "", ""},
		{"a backslash", "secret", `a\b`, "", ""},
		{"a line break", "secret", "a\nb", "", ""},
		{"Vault's own sys", "sys", "mounts", v1alpha1.EngineKVv1, ""},
		{"a token's lookup of itself", "auth", "token/lookup-self", v1alpha1.EngineDynamic, ""},
		{"a token's lookup, the mount longer", "auth/token", "lookup-self", v1alpha1.EngineDynamic, ""},
		{"identity", "identity", "oidc/token/x", v1alpha1.EngineDynamic, ""},
		{"cubbyhole", "cubbyhole", "x", v1alpha1.EngineKVv1, ""},
		{"Vault's own sys in a namespace", "team/sys", "mounts", v1alpha1.EngineDynamic, ""},
		{"Vault's own sys in a namespace in a namespace", "team/a/sys", "mounts", v1alpha1.EngineDynamic, ""},
		{"a namespace as the mount, sys as the path", "team", "sys/mounts", v1alpha1.EngineKVv1, ""},
		{"a namespace as the mount, a token's lookup as the path", "team/a", "auth/token/lookup-self", v1alpha1.EngineDynamic, ""},
		{"a namespace that ends in data, sys as the path", "team", "sys/mounts", v1alpha1.EngineKVv2, ""},
		{"a namespace in a namespace, the inner one in the path", "team", "inner/auth/token/lookup-self", v1alpha1.EngineDynamic, ""},
		{"namespaces three deep, sys in the path", "team", "a/b/sys/mounts", v1alpha1.EngineKVv1, ""},
		{"sys alone as the path", "team", "sys", v1alpha1.EngineDynamic, ""},
		{"sys as an escape", "%73ys", "mounts", v1alpha1.EngineDynamic, ""},
		{"a mount in upper case is another mount", "Sys", "mounts", v1alpha1.EngineDynamic, "Sys/mounts"},
		{"a folder called auth within a path", "secret", "platform/auth/a", "", "secret/data/platform/auth/a"},
		{"a path that only begins like sys", "secret", "system/a", "", "secret/data/system/a"},
		{"a mount that only begins like sys", "system", "x", v1alpha1.EngineKVv1, "system/x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, failure := apiPath(&v1alpha1.VaultSource{Mount: test.mount, Path: test.path, Engine: test.engine})
			if got != test.want || (failure == nil) != (test.want != "") {
				t.Errorf("got %q, %v; want %q", got, failure, test.want)
			}
		})
	}
}

func TestPrefixesCompareBySegment(t *testing.T) {
	for _, test := range []struct {
		name, mount, path string
		prefixes          []string
		want              bool
	}{
		{"no prefixes allow all", "secret", "a", nil, true},
		{"an empty list allows nothing", "secret", "a", []string{}, false},
		{"below", "secret", "team/a", []string{"secret/team/"}, true},
		{"the mount", "secret", "a", []string{"secret/"}, true},
		{"a longer name", "secret", "team-b/a", []string{"secret/team/"}, false},
		{"the place itself is not below itself", "secret", "team", []string{"secret/team/"}, false},
		{"another mount", "secret2", "team/a", []string{"secret/"}, false},
		{"mount and path divided otherwise", "secret/team", "a", []string{"secret/team/"}, true},
		{"one of several", "kv", "a", []string{"secret/", "kv/"}, true},
		{"a prefix without a slash allows nothing", "secret", "team/a", []string{"secret/team"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := covered(&v1alpha1.VaultSource{Mount: test.mount, Path: test.path}, test.prefixes); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// A path that is let through means the same to a server that cleans it, and never one of Vault's own.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"secret a", "secret a/b", "sys mounts", "secret ../x", "secret/ x", "a/b c//d", ". x", "x .."} {
		mount, path, _ := strings.Cut(seed, " ")
		f.Add(mount, path, true)
		f.Add(mount, path, false)
	}
	f.Fuzz(func(t *testing.T, mount, below string, versioned bool) {
		engine := v1alpha1.EngineKVv1
		if versioned {
			engine = v1alpha1.EngineKVv2
		}
		got, failure := apiPath(&v1alpha1.VaultSource{Mount: mount, Path: below, Engine: engine})
		if failure != nil {
			return
		}
		if path.Clean("/"+got) != "/"+got {
			t.Errorf("%q is cleaned to %q", got, path.Clean("/"+got))
		}
		if !strings.HasPrefix(got, mount+"/") || !strings.HasSuffix(got, "/"+below) || strings.ContainsAny(got, "?#%\n\x00") {
			t.Errorf("%q and %q became %q", mount, below, got)
		}
		for _, reserved := range reservedMounts {
			if strings.Contains("/"+mount+"/", "/"+reserved+"/") || strings.HasPrefix(below+"/", reserved+"/") {
				t.Errorf("%q is Vault's own", got)
			}
		}
	})
}
