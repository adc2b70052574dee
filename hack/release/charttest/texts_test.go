package charttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTextStaysText: a namespace may be called 123, and to YAML that is a number where no quotes say otherwise. So what is no text is the same
// with all names as words and as numbers.
func TestTextStaysText(t *testing.T) {
	t.Parallel()
	const values = `
image: {repository: registry.company.io/regcred}
priorityClassName: NAME1
serviceAccount: {name: NAME2, annotations: {a: NAME3}}
vault: {serviceAccountNames: [NAME4], serviceAccountAnnotations: {a: NAME3}}
secretNames: [NAME5]
serviceAccountNames: ["*"]
imagePullSecrets: [{name: NAME6}]
registries: {cas: {a.io: {configMap: NAME7}, b.io: {secret: NAME8}}}
podRecovery: {repull: true, successorFirst: true, ownerKinds: [{group: a.io, kind: A, resource: NAME9}]}
injection: {enabled: true}
namespaceLabels: {enabled: true, prefix: NAME1/, groups: [NAME2]}
vaultConnections: {NAME3: {address: "https://a", auth: {}}}
registryCredentials: {NAME4: {registries: [a.io], source: {}, target: {secretName: NAME5}}}
podLabels: {a: NAME1}
podAnnotations: {a: NAME1}
metrics:
  reader: {namespace: NAME1, name: NAME2}
  serviceMonitor: {enabled: true, labels: {a: NAME1}, tokenSecret: {name: NAME3, key: NAME4}}
  prometheusRule: {enabled: true, labels: {a: NAME1}}
  dashboard: {enabled: true, labels: {a: NAME1}}
`
	render := func(name string) map[string]int {
		text := regexp.MustCompile(`NAME([0-9])(/?)`).ReplaceAllString(values, `"`+name+`$1$2"`)
		counts := map[string]int{}
		for _, o := range mustTemplate(t, text, "--namespace", name+"1", "--name-template", name+"2") {
			countNoText(o, counts)
		}
		return counts
	}
	want := render("word")
	for _, name := range []string{"12", "1e", "0"} {
		if diff := cmp.Diff(want, render(name)); diff != "" {
			t.Errorf("names such as %q are no text (-with words +with those):\n%s", name+"1", diff)
		}
	}
}

func countNoText(value any, counts map[string]int) {
	switch value := value.(type) {
	case object:
		for _, below := range value {
			countNoText(below, counts)
		}
	case []any:
		for _, below := range value {
			countNoText(below, counts)
		}
	case string:
	default:
		counts[fmt.Sprintf("%T %v", value, value)]++
	}
}

// TestNoKeyIsThereTwice: a key that the chart writes may be a value's, too. YAML knows no such object, and tools that read it strictly refuse it.
func TestNoKeyIsThereTwice(t *testing.T) {
	t.Parallel()
	const labels = "{app.kubernetes.io/name: other, app.kubernetes.io/instance: other, app.kubernetes.io/managed-by: other, helm.sh/chart: other}"
	found := mustTemplate(t, image+"podAnnotations: {kubectl.kubernetes.io/default-container: other}\nmetrics: {serviceMonitor: {enabled: true, labels: "+labels+
		"}, prometheusRule: {enabled: true, labels: "+labels+"}, dashboard: {enabled: true, labels: "+labels+"}}\n")
	for _, key := range []string{"ServiceMonitor regcred-system/regcred", "PrometheusRule regcred-system/regcred", "ConfigMap regcred-system/regcred-dashboard"} {
		of, _ := at(found[key], "metadata", "labels").(object)
		if of["app.kubernetes.io/instance"] != "other" || of["app.kubernetes.io/part-of"] != "regcred" {
			t.Errorf("%s has the labels %v: the value's win, and the others stay", key, of)
		}
	}
	if name := at(found["Deployment regcred-system/regcred"], "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/default-container"); name != "other" {
		t.Errorf("the default container is %v", name)
	}
}

// TestWhatAValueSetsIsSetNowhereElse: the role, the policies and the ports follow the values. A flag or a variable that says something else leaves
// them behind, and whoever reads the values does not see it.
func TestWhatAValueSetsIsSetNowhereElse(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(chart + "/templates/_container.tpl")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`--[a-z][-a-z]*[a-z]`).FindAllString(string(text), -1)
	for _, limit := range regexp.MustCompile(`"([-a-z]+)" \.[a-zA-Z]+`).FindAllStringSubmatch(string(text), -1) {
		flags = append(flags, "--recovery-"+limit[1])
	}
	variables := regexp.MustCompile(`(?m)^- name: ([A-Z_]+)$`).FindAllStringSubmatch(string(text), -1)
	if len(flags) < 19 || len(variables) < 6 {
		t.Fatalf("flags %v and variables %v: not all were found", flags, variables)
	}
	for _, flag := range flags {
		if flag == "--recovery" {
			continue
		}
		for _, argument := range []string{flag, flag + "=a"} {
			if _, err := template(t, image+"extraArgs: ["+argument+"]\n"); err == nil || !strings.Contains(err.Error(), "extraArgs/0") {
				t.Errorf("extraArgs takes %s: %v", argument, err)
			}
		}
	}
	for _, variable := range variables {
		if _, err := template(t, image+"extraEnv: [{name: "+variable[1]+", value: a}]\n"); err == nil || !strings.Contains(err.Error(), variable[1]+" is set twice") {
			t.Errorf("extraEnv takes %s: %v", variable[1], err)
		}
	}
}

// TestNoValueEndsATextInAPolicy: a limit is a text within an expression within a text of YAML. What either reads as something else than a letter
// makes another policy of it.
func TestNoValueEndsATextInAPolicy(t *testing.T) {
	t.Parallel()
	paths := map[string]bool{"serviceAccount.name": true, "podRecovery.ownerKinds[0].group": true, "podRecovery.ownerKinds[0].kind": true, "podRecovery.ownerKinds[0].resource": true}
	for _, name := range []string{"admission", "injection", "namespace-labels"} {
		text, err := os.ReadFile(filepath.Join(chart, "templates", "generated", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`join "," \.Values\.([A-Za-z.]+)`).FindAllStringSubmatch(string(text), -1) {
			paths[found[1]+"[0]"] = true
		}
		for _, found := range regexp.MustCompile(`\{\{ \.Values\.([A-Za-z.]+) `).FindAllStringSubmatch(string(text), -1) {
			paths[found[1]] = true
		}
	}
	if len(paths) < 11 {
		t.Fatalf("values %v: those in the policies were not found", paths)
	}
	for path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, bad := range []string{`a'b`, `a"b`, `a\u0027b`, `a\\u002cb`, `a\tb`, "a\nb", "a\u2028b", "a\u0085b", "a\x7fb", "a\x01b"} {
				text, _, _ := strings.Cut(path, "[")
				values := image + "podRecovery: {ownerKinds: [{group: a.io, kind: A, resource: a}]}\nnamespaceLabels: {enabled: true}\n"
				if strings.HasSuffix(path, "prefix") {
					bad += "/"
				}
				quoted, err := json.Marshal(bad)
				if err != nil {
					t.Fatal(err)
				}
				_, err = template(t, values, "--set-json", path+"="+string(quoted))
				if err == nil || !strings.Contains(err.Error(), "/"+strings.ReplaceAll(text, ".", "/")) {
					t.Errorf("%s may be %s: %v", path, bad, err)
				}
			}
		})
	}
}
