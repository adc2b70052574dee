package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What puts things together: tables, literals of structs, and calls with arguments of one type.
const wires = `package toy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

var checks = []func(int) bool{isOdd, isLarge}

var rules = []struct {
	says, Help string
	holds      func(int) bool
}{
	{says: "odd", Help: "what is odd", holds: func(n int) bool { return n%2 == 1 }},
	{says: "large", Help: "what is large", holds: isLarge},
}

var places = map[string][]string{"a": {"b", "c"}}

func isOdd(n int) bool   { return n%2 == 1 }
func isLarge(n int) bool { return n > 100 }

type names []string

type part struct {
	limits  *limits
	out     io.Writer
	changed func(string)
	own     limits
	name    string
	names   names
	Message []string
}

type limits struct{ least, most int }

func (l *limits) set(name string, least, most int) { l.least, l.most = least, most }

func assemble(name, other string) *part {
	p := &part{
		limits: &limits{least: 1}, out: os.Stderr, changed: func(string) {}, own: limits{most: 2}, name: name,
		names: names{name, other, "third"}, Message: []string{"say", "this"},
	}
	p.limits.set(name, 1, 2)
	return p
}

func order(a, b string, more ...string) []string { return append([]string{a, b}, more...) }

func pairs(a, b string) []string { return order("0", "1", a, b) }

func said(form string, values ...any) string { return fmt.Sprintf(form, values...) }

func with(options ...func(int) bool) int { return len(options) }

func calls(a, b string, n int) (string, error) {
	all := order(a, b, b, a)
	all = order("x", "x", "y", "y")
	_ = make([]int, n, 2*n)
	_ = append(all, a, b)
	_ = max(n, 2) + cmp.Compare(n, 2)
	_ = strings.EqualFold(a, b)
	_ = with(isOdd, isLarge)
	_ = order(a, "", "x", "y")
	_ = said("%s %s", a, b)
	_ = cmp.Compare(a, b)
	return strings.TrimPrefix(a, b), errors.Join(fmt.Errorf("%s and %s: %v", a, b, []string{a, b}), fmt.Errorf("%s", order(a, b)))
}
`

func TestWhatPutsThingsTogetherIsChanged(t *testing.T) {
	s := toyOf(t, wires, "package toy\n")
	mutants := find(s)
	validate(s, mutants)
	var ids []string
	for _, m := range mutants {
		if m.invalid {
			t.Errorf("does not compile: %s", m.id)
		}
		ids = append(ids, strings.TrimPrefix(m.id, "internal/toy "))
	}
	want := []string{
		`checks: drop element: isOdd`, `checks: drop element: isLarge`,
		`rules: drop element: {says: "odd", Help: "what is odd", holds: func(n int) bool { return n%2 == 1 }}`,
		`rules: drop element: {says: "large", Help: "what is large", holds: isLarge}`,
		`rules: drop element: holds: func(n int) bool { return n%2 == 1 }`, `rules: zero says: "odd"`, `rules: zero says: "large"`,
		`rules: zero holds: isLarge`,
		`assemble: drop element: limits: &limits{least: 1}`, `assemble: drop element: changed: func(string) {}`,
		`assemble: drop element: own: limits{most: 2}`, `assemble: drop element: names: names{name, other, "third"}`,
		`assemble: drop element: name`, `assemble: drop element: other`, `assemble: drop element: "third"`,
		`assemble: zero out: os.Stderr`, `assemble: zero name: name`,
		`assemble: swap in p.limits.set: 1, 2`,
		`order: drop element: a`, `order: drop element: b`,
		`pairs: swap in order: "0", "1"`, `pairs: swap in order: a, b`,
		`calls: swap in order: a, b`, `calls: swap in order: b, a`, `calls: swap in order: a, ""`, `calls: swap in cmp.Compare: n, 2`,
		`calls: swap in cmp.Compare: a, b`, `calls: swap in strings.TrimPrefix: a, b`,
	}
	found := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return !strings.Contains(id, ": drop element: ") && !strings.Contains(id, ": swap in ") && !strings.HasPrefix(id, "rules: zero ")
	})
	for _, id := range want {
		if !slices.Contains(ids, id) {
			t.Errorf("not found: %s", id)
		}
	}
	for _, id := range found {
		if !slices.Contains(want, id) {
			t.Errorf("found, and changes words, sizes or nothing: %s", id)
		}
	}
}

func TestWhatPutsThingsTogetherIsNoticedWhereATestLooks(t *testing.T) {
	s := toyOf(t, wires, `package toy

import (
	"slices"
	"testing"
)

func TestAll(t *testing.T) {
	if got := order("a", "b", "c", "d"); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Error(got)
	}
	if got := pairs("2", "3"); !slices.Equal(got, []string{"0", "1", "2", "3"}) {
		t.Error(got)
	}
	if len(checks) != 2 || !checks[0](1) {
		t.Error("not all checks")
	}
	p := assemble("a", "b")
	if p.out == nil || p.limits == nil || p.limits.least > p.limits.most || len(p.names) != 3 {
		t.Error(p)
	}
	if got, _ := calls("ab", "a", 2); got != "b" {
		t.Error(got)
	}
}
`)
	one := &subject{source: s, mutants: find(s)}
	validate(s, one.mutants)
	root := filepath.Dir(filepath.Dir(s.dir))
	lived, err := one.round(context.Background(), options{root: root, cache: t.TempDir(), workers: 2}, t.TempDir(), s.name, one.mutants, false)
	if err != nil {
		t.Fatal(err)
	}
	for id, lives := range map[string]bool{
		"checks: drop element: isOdd":                                      false,
		"checks: drop element: isLarge":                                    false,
		"rules: drop element: holds: func(n int) bool { return n%2 == 1 }": true,
		"assemble: zero out: os.Stderr":                                    false, // nil itself, and no *os.File that is nil
		"assemble: drop element: limits: &limits{least: 1}":                false,
		"assemble: drop element: changed: func(string) {}":                 true,
		"assemble: drop element: own: limits{most: 2}":                     true,
		"assemble: drop element: other":                                    false,
		"assemble: swap in p.limits.set: 1, 2":                             false,
		"order: drop element: a":                                           false,
		`pairs: swap in order: "0", "1"`:                                   false,
		"pairs: swap in order: a, b":                                       false,
		"calls: swap in order: a, b":                                       true,
		"calls: swap in order: b, a":                                       true,
		"calls: swap in strings.TrimPrefix: a, b":                          false,
		"calls: swap in cmp.Compare: a, b":                                 true,
	} {
		if got := slices.ContainsFunc(lived, func(m *mutant) bool { return m.id == "internal/toy "+id }); got != lives {
			t.Errorf("%s: lived is %t, want %t", id, got, lives)
		}
	}
}
