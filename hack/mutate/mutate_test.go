package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A package of its own is mutated, whose test sees some changes and not others.
const decides = `package toy

import (
	"errors"
	"strings"
	"sync"
)

type options struct{ uid, version *string }

func Decide(name string, count int) (string, error) {
	if name == "" {
		return "", errors.New("no name")
	}
	if count > 5 && count < 8 {
		return "many", nil
	}
	return strings.ToLower(strings.TrimSpace(name + "!")), nil
}

func exactly(uid, version string) options { return options{uid: &uid, version: &version} }

func choose(uid, version *string) options { return options{uid: uid, version: version} }

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) with(n int) *counter {
	c.n += n
	return c
}

func (c *counter) fill() { c.with(2) }
`

func toy(t *testing.T, text string) *source {
	t.Helper()
	return toyOf(t, decides, text)
}

func toyOf(t *testing.T, code, text string) *source {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module "+module+"\n\ngo 1.26\n")
	write("internal/toy/toy.go", code)
	write("internal/toy/toy_test.go", text)
	s, err := load(root, "internal/toy")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEachKindOfChangeIsFoundAndCompiles(t *testing.T) {
	s := toy(t, "package toy\n")
	mutants := find(s)
	validate(s, mutants)
	var ids []string
	for _, m := range mutants {
		if m.invalid {
			t.Errorf("does not compile: %s", m.id)
		}
		ids = append(ids, strings.TrimPrefix(m.id, "internal/toy "))
	}
	for _, want := range []string{
		`Decide: always: name == ""`, `Decide: never: name == ""`, `Decide: drop return: return "", errors.New("no name")`,
		`Decide: forget error: errors.New("no name")`, `Decide: never: count > 5 && count < 8`, `Decide: always: count > 5`,
		`Decide: boundary: count < 8`, `Decide: skip call: strings.ToLower(strings.TrimSpace(name + "!"))`, `choose: zero version: version`,
		`counter.add: drop lock: c.mu.Lock()`, `counter.add: drop count: c.n++`,
		`counter.fill: drop call: c.with(2)`,
	} {
		if !slices.Contains(ids, want) {
			t.Errorf("not found: %s in\n%s", want, strings.Join(ids, "\n"))
		}
	}
	if without := `counter.fill: skip call: c.with(2)`; slices.Contains(ids, without) {
		t.Errorf("found, and makes no difference, because nobody takes the result: %s", without)
	}
}

func TestAMutantIsNoticedByATestThatLooksAndLivesWhereNoneDoes(t *testing.T) {
	s := toy(t, `package toy

import "testing"

func TestDecide(t *testing.T) {
	if got, err := Decide("A", 7); got != "many" || err != nil {
		t.Error(got, err)
	}
	if got, _ := Decide("A", 6); got != "many" {
		t.Error(got)
	}
}
`)
	root := filepath.Dir(filepath.Dir(s.dir))
	one := &subject{source: s, mutants: find(s)}
	validate(s, one.mutants)
	for _, m := range one.mutants {
		if !m.race {
			one.chosen = append(one.chosen, m)
		}
	}
	lived, err := one.round(context.Background(), options{root: root, cache: t.TempDir(), workers: 2}, t.TempDir(), s.name, one.chosen, false)
	if err != nil {
		t.Fatal(err)
	}
	lives := func(id string) bool {
		return slices.ContainsFunc(lived, func(m *mutant) bool { return m.id == "internal/toy "+id })
	}
	for _, id := range []string{`Decide: always: name == ""`, `Decide: never: count > 5 && count < 8`, `Decide: drop return: return "many", nil`} {
		if lives(id) {
			t.Errorf("lived, though a test fails: %s", id)
		}
	}
	for _, id := range []string{`Decide: boundary: count > 5`, `Decide: boundary: count < 8`, `Decide: skip call: strings.ToLower(strings.TrimSpace(name + "!"))`, `choose: zero version: version`} {
		if !lives(id) {
			t.Errorf("noticed, though no test looks: %s", id)
		}
	}
}

func TestAMutantKeepsItsNameWhenLinesMove(t *testing.T) {
	names := func(s *source) (all []string) {
		for _, m := range find(s) {
			all = append(all, m.id)
		}
		return all
	}
	s := toy(t, "package toy\n")
	path := filepath.Join(s.dir, "toy.go")
	if err := os.WriteFile(path, []byte(strings.Replace(decides, "func exactly", "\n\n// A comment.\n\nfunc exactly", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	moved, err := load(filepath.Dir(filepath.Dir(s.dir)), "internal/toy")
	if err != nil {
		t.Fatal(err)
	}
	if before, after := names(s), names(moved); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
}

func TestParseEquivalents(t *testing.T) {
	got, err := parseEquivalents("# about\na: b\n  why\n  and more\n\nc: d\n  other\n")
	if err != nil || got["a: b"] != "why and more" || got["c: d"] != "other" || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	for name, text := range map[string]string{"without a reason": "a\nb\n  why\n", "the last one without": "a\n", "twice": "a\n  why\na\n  why\n"} {
		if _, err := parseEquivalents(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestParseDiff(t *testing.T) {
	got := parseDiff("+++ b/internal/x/a.go\n@@ -1 +2 @@ func\n-a\n+b\n@@ -5,0 +7,3 @@\n+++ b/b.go\n@@ -1,2 +0,0 @@\n")
	want := []change{{"internal/x/a.go", 2, 2}, {"internal/x/a.go", 7, 9}, {"b.go", 0, -1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAGroupStandsForItsPackages(t *testing.T) {
	if got := expand([]string{"controllers", "internal/memo"}); !slices.Equal(got, append(slices.Clone(controllers), "internal/memo")) {
		t.Errorf("got %q", got)
	}
	if got := expand(nil); len(got) != len(pure)+len(controllers)+len(wiring) {
		t.Errorf("without a name there are %d", len(got))
	}
}

// What lint calls pure decides something, and its own tests must notice what is changed in it.
func TestEveryPurePackageIsMutated(t *testing.T) {
	rules, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, match := range regexp.MustCompile(`"\*\*/(internal/\w+)/\*\.go"`).FindAllSubmatch(regexp.MustCompile(`(?m)^ +pure:\n.*\n +files: .*$`).Find(rules), -1) {
		if found++; !slices.Contains(pure, string(match[1])) {
			t.Errorf("%s is pure, and not among those that are mutated", match[1])
		}
	}
	if found < 10 {
		t.Errorf("lint knows %d pure packages: this test does not find them", found)
	}
}
