package charttest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// none may be null although that changes what is rendered: it is how Helm is told to leave out a default.
var none = map[string]bool{"resources": true}

// TestNullOpensNothing: Helm deletes a default where a value is null, as it also is where everything below it is commented out. A list of names
// that is not there is every name to RBAC, and no name to a policy. So null is refused, or it is the same as to say nothing.
func TestNullOpensNothing(t *testing.T) {
	t.Parallel()
	const image = "image: {repository: registry.company.io/regcred}\nnamespaceLabels: {enabled: true}\ninjection: {enabled: true}\nmetrics: {prometheusRule: {enabled: true}, serviceMonitor: {enabled: true}}\n"
	want := mustTemplate(t, image)
	bare, kept := reused(t, image)
	paths := pathsOf("", shipped(t))
	if len(paths) < 80 {
		t.Fatalf("%d values: those of the chart were not found", len(paths))
	}
	for _, path := range paths {
		if none[path] {
			continue
		}
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			text, err := template(t, image, "--set", path+"=null")
			if err != nil {
				// A sentence of the schema or of checks.yaml, and not a template that fell over.
				if strings.Contains(err.Error(), "executing") && !strings.Contains(err.Error(), "checks.yaml") {
					t.Errorf("it is refused without a word about %s: %v", path, err)
				}
				return
			}
			if diff := cmp.Diff(want, parse(t, []byte(text))); diff != "" {
				t.Errorf("null is taken, and is not the default (-default +null):\n%s", diff)
			}
			text, err = templateOf(t, bare, string(kept), "--set-json", path+"=null")
			if err != nil {
				t.Fatalf("the next upgrade with --reuse-values stops at what was taken: %v", err)
			}
			if diff := cmp.Diff(want, parse(t, []byte(text))); diff != "" {
				t.Errorf("with --reuse-values null is not the default (-default +null):\n%s", diff)
			}
		})
	}
}

// reused are a chart without defaults and all values as whoever installs it gave them, as `helm upgrade --reuse-values` has them. A null is then one
// for the schema, too, and not a default that is left out.
func reused(t *testing.T, values string) (folder string, kept []byte) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "regcred")
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "values.yaml"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var given object
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	kept, err := yaml.Marshal(merged(shipped(t), given))
	if err != nil {
		t.Fatal(err)
	}
	return folder, kept
}

// merged puts values over others.
func merged(below, above object) object {
	for key, value := range above {
		over, isObject := value.(object)
		if under, ok := below[key].(object); ok && isObject {
			value = merged(under, over)
		}
		below[key] = value
	}
	return below
}

// shipped are the values of the chart.
func shipped(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile(chart + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values object
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// pathsOf names each value, and each group of values.
func pathsOf(above string, values object) []string {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path := strings.TrimPrefix(above+"."+strings.ReplaceAll(key, ".", `\.`), ".")
		paths = append(paths, path)
		if below, ok := values[key].(object); ok && !free[path] {
			paths = append(paths, pathsOf(path, below)...)
		}
	}
	return paths
}

// free have keys that the chart does not know, so a key that is null is one less.
var free = map[string]bool{"resources": true, "metrics.dashboard.labels": true}

// TestAnEmptyListOpensNothing: a rule without ports is one for every port, as a role without names is one for every name. It holds also where Helm or a
// GitOps tool is told not to ask the schema.
func TestAnEmptyListOpensNothing(t *testing.T) {
	t.Parallel()
	values, lists := shipped(t), 0
	for _, path := range pathsOf("", values) {
		var value any = values
		if !strings.Contains(path, `\.`) {
			value = at(values, strings.Split(path, ".")...)
		}
		if _, ok := value.([]any); !ok {
			continue
		}
		lists++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, arguments := range [][]string{{path + "=[]"}, {path + "=[]", "--skip-schema-validation"}, {path + "=null", "--skip-schema-validation"}} {
				text, err := template(t, image, append([]string{"--set-json"}, arguments...)...)
				if err != nil {
					continue
				}
				if path == "protectedNamespaces" {
					t.Errorf("%v protects no namespace, and is taken", arguments)
				}
				for key, o := range parse(t, []byte(text)) {
					if found := everything("", o); len(found) > 0 {
						t.Errorf("%v: %s has an empty list, which is everything: %v", arguments, key, found)
					}
				}
			}
		})
	}
	if lists < 15 {
		t.Errorf("%d lists: those of the values were not found", lists)
	}
}

// TestAnEmptyNameOpensNothing: to RBAC an empty name among others is that of a request that names nothing, such as a list of every Secret, and "*" is
// every resource. It holds also where nobody asks the schema.
func TestAnEmptyNameOpensNothing(t *testing.T) {
	t.Parallel()
	for _, values := range []string{
		`secretNames=["regcred",""]`, `secretNames=["regcred",null]`, `serviceAccountNames=["","default"]`, `vault.serviceAccountNames=["regcred-vault",""]`, `protectedNamespaces=["kube-system",""]`,
		`podRecovery.ownerKinds=[{"group":"","kind":"Secret","resource":"secrets"}]`, `podRecovery.ownerKinds=[{"kind":"Secret","resource":"secrets"}]`,
		`podRecovery.ownerKinds=[{"group":"*","kind":"Secret","resource":"secrets"}]`, `podRecovery.ownerKinds=[{"group":"a.io","kind":"A","resource":"*"}]`,
		`podRecovery.ownerKinds=[{"group":"a.io","kind":"A","resource":""}]`, `podRecovery.ownerKinds=[{"group":"a.io","kind":"A"}]`, `podRecovery.ownerKinds=[{"group":null,"kind":"A","resource":"as"}]`,
	} {
		t.Run(values, func(t *testing.T) {
			t.Parallel()
			_, err := template(t, image, "--skip-schema-validation", "--set-json", values)
			if path, _, _ := strings.Cut(values, "="); err == nil || !strings.Contains(err.Error(), path+": ") {
				t.Errorf("it is taken, or refused without a word about %s: %v", path, err)
			}
		})
	}
	if _, err := template(t, image, "--skip-schema-validation", "--set-json", `podRecovery.ownerKinds=[{"group":"core.strimzi.io","kind":"StrimziPodSet","resource":"strimzipodsets"}]`); err != nil {
		t.Errorf("what is right is refused: %v", err)
	}
}

// TestTextIsNoSwitch: a template takes the text "false" for true, which would give rights that somebody turned off. It holds also where nobody asks
// the schema.
func TestTextIsNoSwitch(t *testing.T) {
	t.Parallel()
	values, switches := shipped(t), 0
	for _, path := range pathsOf("", values) {
		var value any = values
		if !strings.Contains(path, `\.`) {
			value = at(values, strings.Split(path, ".")...)
		}
		if _, ok := value.(bool); !ok {
			continue
		}
		switches++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			_, err := template(t, image, "--skip-schema-validation", "--set-string", path+"=false")
			if err == nil || !strings.Contains(err.Error(), path+": write true or false") {
				t.Errorf("text is taken for a switch: %v", err)
			}
		})
	}
	if switches < 16 {
		t.Errorf("%d switches: those of the values were not found", switches)
	}
}

// everything names the lists in an object that are empty, and so stand for everything.
func everything(above string, value any) []string {
	means := map[string]bool{"ports": true, "resourceNames": true, "resources": true, "verbs": true, "apiGroups": true, "from": true, "to": true}
	var found []string
	switch value := value.(type) {
	case object:
		for key, below := range value {
			if list, isList := below.([]any); means[key] && (below == nil || isList && len(list) == 0) {
				found = append(found, above+"."+key)
			}
			found = append(found, everything(above+"."+key, below)...)
		}
	case []any:
		for _, below := range value {
			found = append(found, everything(above, below)...)
		}
	}
	return found
}
