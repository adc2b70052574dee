package charttest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheChartIsADependency: a platform team installs several charts as one, under a name of theirs, with values for all, and turns each on and off.
func TestTheChartIsADependency(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Chart.yaml", "apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies:\n- {name: regcred, version: 0.0.0-dev, alias: pulls, condition: pulls.enabled}\n")
	write("values.yaml", "pulls: {enabled: true, image: {repository: registry.company.io/regcred}}\nglobal: {team: platform}\n")
	if err := os.CopyFS(filepath.Join(folder, "charts", "regcred"), os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	render := func(arguments ...string) (objects, error) {
		text, err := templateOf(t, folder, "", arguments...)
		if err != nil {
			return nil, err
		}
		found := parse(t, []byte(text))
		for _, o := range found {
			dropLabels(o)
		}
		return found, nil
	}
	want := mustTemplate(t, "image: {repository: registry.company.io/regcred}\n")
	for _, o := range want {
		dropLabels(o)
	}
	got, err := render()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alone (-) and as a dependency (+):\n%s", diff)
	}
	if got, err := render("--set", "pulls.enabled=false"); err != nil || len(got) != 0 {
		t.Errorf("turned off, it renders %d objects: %v", len(got), err)
	}
	for _, values := range []string{"pulls.secretNames=null", "pulls.vault=null", "pulls.protectedNamespaces=null"} {
		got, err := render("--set", values)
		if err == nil && !cmp.Equal(want, got) {
			t.Errorf("with %s it is rendered, and not as by default", values)
		}
	}
	if _, err := template(t, image+"enabled: false\n"); err == nil || !strings.Contains(err.Error(), "/enabled") {
		t.Errorf("enabled: false is taken where it turns nothing off: %v", err)
	}
}

// TestLabelsFitWhateverTheNames: a dependency has the name that others give it, and a version may be long.
func TestLabelsFitWhateverTheNames(t *testing.T) {
	t.Parallel()
	value := regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	for _, version := range []string{"1.2.3", "1.2.3-rc.1+build.5", "1.2.3-" + strings.Repeat("a", 53) + ".b", "1.2.3-" + strings.Repeat("a", 49) + ".b." + strings.Repeat("c", 80)} {
		folder := filepath.Join(t.TempDir(), "regcred")
		if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
			t.Fatal(err)
		}
		metadata, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte(strings.ReplaceAll(string(metadata), "0.0.0-dev", version)), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := templateOf(t, folder, image, "--name-template", strings.Repeat("r", 53))
		if err != nil {
			t.Fatal(err)
		}
		for key, o := range parse(t, []byte(text)) {
			labels, _ := at(o, "metadata", "labels").(object)
			for label, text := range labels {
				if text, ok := text.(string); !ok || !value.MatchString(text) {
					t.Errorf("%s: the label %s has the value %q", key, label, text)
				}
			}
		}
	}
}
