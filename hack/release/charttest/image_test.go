package charttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhichImageIsRun: a chart that was packed with a pushed image runs that, unless somebody names another one. Its digest is no value, so that
// an upgrade with the values of the release before runs the program of the new one.
func TestWhichImageIsRun(t *testing.T) {
	t.Parallel()
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	folder := filepath.Join(t.TempDir(), "regcred")
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	metadata, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	stamped := strings.Replace(string(metadata), "\nannotations:\n", "\nannotations:\n  regcred.dev/image: registry.company.io:5000/platform/regcred@"+digest+"\n", 1)
	if err := os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte(stamped), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, folder, values, want string }{
		{"as it was pushed", folder, "", "registry.company.io:5000/platform/regcred@" + digest},
		{"with the values of the release before", folder, "image: {repository: '', tag: '', digest: ''}", "registry.company.io:5000/platform/regcred@" + digest},
		{"from a mirror", folder, "image: {repository: 'mirror.company.io:8443/regcred'}", "mirror.company.io:8443/regcred@" + digest},
		{"another tag", folder, "image: {tag: v0.2.0}", "registry.company.io:5000/platform/regcred:v0.2.0"},
		{"another digest", folder, "image: {digest: '" + other + "'}", "registry.company.io:5000/platform/regcred@" + other},
		{"tag and digest", folder, "image: {tag: v0.2.0, digest: '" + other + "'}", "registry.company.io:5000/platform/regcred@" + other},
		{"a clone", chart, "image: {repository: r.io/regcred}", "r.io/regcred:0.0.0-dev"},
		{"a clone, and a tag", chart, "image: {repository: r.io/regcred, tag: v1}", "r.io/regcred:v1"},
		{"a clone, and a digest", chart, "image: {repository: r.io/regcred, digest: '" + digest + "'}", "r.io/regcred@" + digest},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text, err := templateOf(t, test.folder, test.values)
			if err != nil {
				t.Fatal(err)
			}
			containers, _ := at(parse(t, []byte(text))["Deployment regcred-system/regcred"], "spec", "template", "spec", "containers").([]any)
			if got := at(containers[0], "image"); got != test.want {
				t.Errorf("it runs %v, want %s", got, test.want)
			}
		})
	}
}
