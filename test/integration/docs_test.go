package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/watchdog"
)

// page reads one page of the documentation, by its path in the repository.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are the first page and all under docs, by their paths.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		matches, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range matches {
			found = append(found, filepath.ToSlash(strings.TrimPrefix(match, filepath.Join("..", "..")+string(filepath.Separator))))
		}
	}
	return found
}

// ofRegcred is a manifest of an object of regcred, and not one of another tool that only speaks of them.
var ofRegcred = regexp.MustCompile("(?m)^apiVersion: regcred.dev/v1alpha1$")

var block = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// blocks of one language in a text.
func blocks(text, language string) []string {
	var found []string
	for _, match := range block.FindAllStringSubmatch(text, -1) {
		if match[1] == language {
			found = append(found, match[2])
		}
	}
	return found
}

func TestDocsManifestsAreAccepted(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	manifests := 0
	for _, path := range pages(t) {
		for i, manifest := range blocks(page(t, path), "yaml") {
			if !ofRegcred.MatchString(manifest) {
				continue
			}
			manifests++
			t.Run(fmt.Sprintf("%s/%d", path, i+1), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "manifest.yaml")
				if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
					t.Fatal(err)
				}
				c.kubectl(t, "apply", "--dry-run=server", "--validate=strict", "-f", file)
			})
		}
	}
	if manifests < 10 {
		t.Errorf("%d manifests were found in the documentation: the search for them is broken", manifests)
	}
}

// TestEveryRuleHasATest: each of the rules 1 to 35 of docs/design/domain.md stands there, and has a test that begins with its number.
func TestEveryRuleHasATest(t *testing.T) {
	const rules = 35
	named := map[string]bool{}
	name := regexp.MustCompile(`"rule (\d+): [^"]+"`)
	for _, folder := range []string{"internal", "controllers", "test"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, match := range name.FindAllSubmatch(text, -1) {
				named[string(match[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	book := page(t, "docs/design/domain.md")
	for i := 1; i <= rules; i++ {
		if number := strconv.Itoa(i); !strings.Contains(book, "\n"+number+". ") || !named[number] {
			t.Errorf("rule %s stands in docs/design/domain.md: %t, has a test: %t", number, strings.Contains(book, "\n"+number+". "), named[number])
		}
	}
}

// TestEveryTestThatIsNamedExists: what SECURITY.md and the page about rotation say is shown by tests.
func TestEveryTestThatIsNamedExists(t *testing.T) {
	there := map[string]bool{}
	for _, folder := range []string{"internal", "controllers", "test", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, match := range regexp.MustCompile(`(?m)^func (Test\w+|\w+Attempts)\(`).FindAllSubmatch(text, -1) {
				there[string(match[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for document, least := range map[string]int{"SECURITY.md": 50, "docs/design/rotation.md": 30} {
		names := regexp.MustCompile("`(Test\\w+|\\w+Attempts)`").FindAllStringSubmatch(page(t, document), -1)
		if len(names) < least {
			t.Errorf("%s names %d tests: the search for them is broken", document, len(names))
		}
		for _, name := range names {
			if !there[name[1]] {
				t.Errorf("%s names %s, and there is no such test", document, name[1])
			}
		}
	}
}

// TestDocsSayWhatTheCodeKnows compares lists in the documentation with those in the code.
func TestDocsSayWhatTheCodeKnows(t *testing.T) {
	t.Run("outcomes of Vault", func(t *testing.T) {
		text := page(t, "docs/vault.md")
		for _, o := range vault.Outcomes() {
			stalled := ""
			if o.Stalled {
				stalled = "yes"
			}
			row := fmt.Sprintf("| %s | `%s` | %s | %s | %s |", o.When, o.Reason, o.Retry, stalled, o.Message)
			if !strings.Contains(text, row) {
				t.Errorf("docs/vault.md lacks the row\n%s", row)
			}
		}
	})
	t.Run("metrics", func(t *testing.T) {
		registry := recordingRegistry{}
		telemetry.New(&registry)
		telemetry.OfProcess(&registry, fence.New(fence.Terms{}), &watchdog.Watchdog{})
		mentions(t, "docs/metrics.md", registry.names(), 10)
	})
	t.Run("flags", func(t *testing.T) {
		flag := regexp.MustCompile(`flags\.\w+\(&[\w.]+, "([a-z-]+)"`)
		var names []string
		for _, match := range flag.FindAllStringSubmatch(page(t, "cmd/regcred/options.go"), -1) {
			names = append(names, "--"+match[1])
		}
		mentions(t, "docs/flags.md", names, 15)
	})
	t.Run("reasons of conditions", func(t *testing.T) {
		mentions(t, "docs/registrycredential.md", constants(t, "api/v1alpha1/conditions.go", "Reason", ""), 40, "docs/vaultconnection.md")
	})
	t.Run("reasons of verdicts", func(t *testing.T) {
		mentions(t, "docs/stuck-pods.md", constants(t, "internal/diagnosis/verdict.go", "", "Reason"), 40)
	})
	t.Run("classes of failed pulls", func(t *testing.T) {
		mentions(t, "docs/stuck-pods.md", constants(t, "internal/pullerror/class.go", "", "Class"), 12)
	})
}

// mentions fails where neither a page nor its companions name something as code. There are at least so many names, or the search
// for them is broken.
func mentions(t *testing.T, path string, names []string, atLeast int, companions ...string) {
	t.Helper()
	if len(names) < atLeast {
		t.Fatalf("%d names were found, and %d at least are known to be there", len(names), atLeast)
	}
	text := page(t, path)
	for _, companion := range companions {
		text += page(t, companion)
	}
	for _, name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s does not mention `%s`", path, name)
		}
	}
}

// constants are the values of string constants in a file whose names begin with a prefix, or that are of a type.
func constants(t *testing.T, path, prefix, kind string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		typed, _ := spec.Type.(*ast.Ident)
		if !ok || literal.Kind != token.STRING || !strings.HasPrefix(spec.Names[0].Name, prefix) || kind != "" && (typed == nil || typed.Name != kind) {
			return true
		}
		if value, err := strconv.Unquote(literal.Value); err == nil {
			values = append(values, value)
		}
		return true
	})
	return values
}

// recordingRegistry learns which metrics there are.
type recordingRegistry struct{ collectors []prometheus.Collector }

func (r *recordingRegistry) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return nil
}

func (r *recordingRegistry) MustRegister(c ...prometheus.Collector) {
	r.collectors = append(r.collectors, c...)
}

func (r *recordingRegistry) Unregister(prometheus.Collector) bool { return false }

func (r *recordingRegistry) names() []string {
	descriptions := make(chan *prometheus.Desc, 1000)
	for _, c := range r.collectors {
		c.Describe(descriptions)
	}
	close(descriptions)
	fully := regexp.MustCompile(`fqName: "([^"]+)"`)
	var names []string
	for description := range descriptions {
		names = append(names, fully.FindStringSubmatch(description.String())[1])
	}
	return names
}

// TestTheTableOfVersionsIsTrue: docs/install.md names the versions that the modules of the box and of the tools pin.
func TestTheTableOfVersionsIsTrue(t *testing.T) {
	text := page(t, "docs/install.md")
	for row, pinned := range map[string][2]string{
		"| Kubernetes | %s |":                          {"hack/cluster/kubernetes/go.mod", "k8s.io/kubernetes"},
		"| | %s | `make test-oldest`":                  {"hack/cluster/oldest/go.mod", "k8s.io/kubernetes"},
		"| containerd | %s |":                          {"hack/cluster/containerd/go.mod", "github.com/containerd/containerd/v2"},
		"| Vault | %s |":                               {"hack/cluster/vault/go.mod", "github.com/hashicorp/vault"},
		"| registry | distribution %s |":               {"hack/cluster/registry/go.mod", "github.com/distribution/distribution/v3"},
		"| Helm | %s |":                                {"hack/tools/helm/go.mod", "helm.sh/helm/v4"},
		"| kustomize | %s of its library, and kubectl": {"hack/release/go.mod", "sigs.k8s.io/kustomize/api"},
		"| Prometheus | %s of its library |":           {"hack/monitoring/go.mod", "github.com/prometheus/prometheus"},
	} {
		version := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(pinned[1]) + ` (v\S+)`).FindStringSubmatch(page(t, pinned[0]))
		if version == nil {
			t.Errorf("%s does not pin %s", pinned[0], pinned[1])
		} else if want := fmt.Sprintf(row, version[1]); !strings.Contains(text, "\n"+want) {
			t.Errorf("docs/install.md lacks a row that begins with %s", want)
		}
	}
}
