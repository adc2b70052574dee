package style

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// lintRules are those of .golangci.yml that CONTRIBUTING.md promises.
type lintRules struct {
	Linters struct {
		Enable   []string
		Settings struct {
			Funlen    struct{ Lines int }
			Cyclop    struct{ MaxComplexity int }
			Depguard  struct{ Rules map[string]guardRule }
			Forbidigo struct {
				Forbid []struct{ Pattern, Msg string }
			}
		}
		Exclusions struct {
			Rules []struct {
				Path, Text string
				Linters    []string
			}
		}
	}
}

type guardRule struct {
	Files []string
	Deny  []struct{ Pkg string }
}

func (r guardRule) covers(folder string) bool {
	return slices.Contains(r.Files, "**/"+folder+"/*.go") || slices.Contains(r.Files, "**/"+filepath.Dir(folder)+"/**/*.go")
}

func (r guardRule) denies(pkg string) bool {
	return slices.ContainsFunc(r.Deny, func(d struct{ Pkg string }) bool { return d.Pkg == pkg })
}

func readLintRules(t *testing.T) lintRules {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules lintRules
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "max-complexity", "maxComplexity")), &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// guarded reports whether a rule keeps a folder from importing a package.
func (l lintRules) guarded(folder, pkg string) bool {
	for _, rule := range l.Linters.Settings.Depguard.Rules {
		if rule.covers(folder) && rule.denies(pkg) {
			return true
		}
	}
	return false
}

// timed reports whether code of a folder may read a clock.
func (l lintRules) timed(t *testing.T, folder string) bool {
	t.Helper()
	for _, rule := range l.Linters.Exclusions.Rules {
		pattern, err := regexp.Compile(rule.Path)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(rule.Linters, "forbidigo") && rule.Text != "give the source a name" && pattern.MatchString(folder+"/x.go") {
			return true
		}
	}
	return false
}

// folderRow is a row of CONTRIBUTING.md about folders.
var folderRow = regexp.MustCompile("(?m)^\\| ((?:`[a-z/0-9]+`(?:, )?)+) \\| (pure: )?")

func TestLintEnforcesThatPurePackagesArePure(t *testing.T) {
	rules, pure := readLintRules(t), 0
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range folderRow.FindAllStringSubmatch(string(text), -1) {
		if row[2] == "" {
			continue
		}
		for _, folder := range strings.Split(strings.ReplaceAll(row[1], "`", ""), ", ") {
			pure++
			for _, pkg := range []string{"net/http", "k8s.io/client-go", "sigs.k8s.io/controller-runtime", "regcred.dev/regcred/controllers"} {
				if !rules.guarded(folder, pkg) {
					t.Errorf("%s is pure by CONTRIBUTING.md, and no rule of depguard in .golangci.yml keeps it from importing %s", folder, pkg)
				}
			}
			if rules.timed(t, folder) {
				t.Errorf("%s is pure by CONTRIBUTING.md, and .golangci.yml lets it read the clock", folder)
			}
		}
	}
	if pure < 15 {
		t.Errorf("CONTRIBUTING.md names %d pure packages: is the table read?", pure)
	}
}

func TestLintKeepsControllersApart(t *testing.T) {
	rules := readLintRules(t)
	folders, err := os.ReadDir(filepath.Join("..", "..", "controllers"))
	if err != nil || len(folders) < 5 {
		t.Fatalf("%d controllers: %v", len(folders), err)
	}
	for _, folder := range folders {
		if folder.Name() == "operator" { // which puts them together
			continue
		}
		name := "controllers/" + folder.Name()
		for _, pkg := range []string{"regcred.dev/regcred/controllers", "regcred.dev/regcred/internal/source/vault", "sigs.k8s.io/controller-runtime/pkg/builder"} {
			if !rules.guarded(name, pkg) {
				t.Errorf("no rule of depguard in .golangci.yml keeps %s from importing %s", name, pkg)
			}
		}
	}
}

func TestLintBoundsFunctions(t *testing.T) {
	rules := readLintRules(t).Linters
	if s := rules.Settings; s.Cyclop.MaxComplexity != 12 || s.Funlen.Lines > 60 || s.Funlen.Lines == 0 {
		t.Errorf("a function may have %d branches and %d lines", s.Cyclop.MaxComplexity, s.Funlen.Lines)
	}
	for _, linter := range []string{"cyclop", "funlen", "forbidigo", "depguard"} {
		if !slices.Contains(rules.Enable, linter) {
			t.Errorf("%s is not enabled", linter)
		}
	}
	for _, rule := range rules.Exclusions.Rules {
		exempts := slices.Contains(rule.Linters, "cyclop") || slices.Contains(rule.Linters, "funlen")
		if exempts && rule.Path != `_test\.go` {
			t.Errorf("%s is exempt from the bounds of functions, and only tests may be", rule.Path)
		}
	}
	exemption := regexp.MustCompile(`//nolint:[a-z,]*(cyclop|funlen|depguard|forbidigo)`)
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if found := exemption.FindString(string(text)); found != "" {
			t.Errorf("%s: %s: the rule has no exemptions", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
