package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// mutant is one change of the code. All mutants of a package are compiled into one test binary, and the environment says which one
// is made: so each costs the time of the tests that reach it, and no compiler and no linker.
type mutant struct {
	// id tells which mutant it is, by package, function, kind and expression. Lines that move do not change it.
	id      string
	number  int
	file    string
	line    int
	race    bool // only the race detector can tell
	edits   []edit
	invalid bool // it does not compile
}

// edit puts a text before the byte at an offset, in place of some bytes.
type edit struct {
	offset, removed int
	text            string
	// outer orders what begins or ends at the same place: the length of what the edit wraps, negative where it ends. Of two that wrap
	// the same, that of the lower number is the outer one.
	outer, number int
}

// helpers are what the mutated package calls, in a file that it gets in addition.
const helpers = `package %s

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	mutant__active = mutant__chosen()
	mutant__hits   [%d]atomic.Bool
	mutant__file   = mutant__open()
)

func mutant__chosen() int {
	chosen, err := strconv.Atoi(os.Getenv("MUTANT_%[3]s"))
	if err != nil {
		return -1
	}
	limit, err := time.ParseDuration(os.Getenv("MUTANT_CPU"))
	if err != nil {
		return chosen
	}
	var look func() // by a timer: a goroutine would be a leak to packages that look for some
	look = func() {
		var m runtime.MemStats
		var used syscall.Rusage
		runtime.ReadMemStats(&m)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
		if m.HeapAlloc >= 1<<30 || time.Duration(used.Utime.Nano()+used.Stime.Nano()) >= limit {
			os.Exit(3)
		}
		time.AfterFunc(200*time.Millisecond, look)
	}
	look()
	return chosen
}

func mutant__open() *os.File {
	path := os.Getenv("MUTANT_HITS")
	if path == "" {
		return nil
	}
	file, _ := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return file
}

func mutant__(n int) bool {
	if mutant__file != nil && mutant__hits[n].CompareAndSwap(false, true) {
		_, _ = fmt.Fprintln(mutant__file, n)
	}
	return n == mutant__active
}

func mutant__zero[T any](n int, value T) T {
	if mutant__(n) {
		var zero T
		return zero
	}
	return value
}

func mutant__skip[T any](n int, f func(T) T, value T) T {
	if mutant__(n) {
		return value
	}
	return f(value)
}

func mutant__other[T any](n int, value, other T) T {
	if mutant__(n) {
		return other
	}
	return value
}

func mutant__less[S ~[]E, E any](n, at int, all S) S {
	if mutant__(n) {
		return append(all[:at:at], all[at+1:]...)
	}
	return all
}

func mutant__edit[T any](n int, value T, change func(*T)) T {
	if mutant__(n) {
		change(&value)
	}
	return value
}

func mutant__swap[T any](n, _ int, a, b T) (T, T) {
	if mutant__(n) {
		return b, a
	}
	return a, b
}

func mutant__flip[F any](n, at int, f F) F {
	if !mutant__(n) {
		return f
	}
	called := reflect.ValueOf(f)
	variadic, last := called.Type().IsVariadic(), called.Type().NumIn()-1
	return reflect.MakeFunc(called.Type(), func(in []reflect.Value) []reflect.Value {
		if variadic && at >= last {
			reflect.Swapper(in[last].Interface())(at-last, at+1-last)
		} else {
			in[at], in[at+1] = in[at+1], in[at]
		}
		if variadic {
			return called.CallSlice(in)
		}
		return called.Call(in)
	}).Interface().(F)
}
`

// runtimeOf is the file that the mutated package gets in addition.
func runtimeOf(s *source, mutants int) string {
	return fmt.Sprintf(helpers, s.files[0].Name.Name, mutants, environment(s.name))
}

// environment is the end of the variable that chooses a mutant of a package.
func environment(name string) string { return strings.ReplaceAll(name, "/", "_") }

// mutated is the text of a file with the mutants in it.
func mutated(text []byte, mutants []*mutant, file string) []byte {
	var edits []edit
	for _, m := range mutants {
		if m.file == file && !m.invalid {
			edits = append(edits, m.edits...)
		}
	}
	// What ends comes before what begins; of what begins the longer one comes first, of what ends the shorter one.
	slices.SortStableFunc(edits, func(a, b edit) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(sign(a.outer), sign(b.outer)), cmp.Compare(b.outer, a.outer),
			sign(a.outer)*cmp.Compare(a.number, b.number))
	})
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.offset]...), e.text...)
		at = e.offset + e.removed
	}
	return append(out, text[at:]...)
}

func sign(n int) int { return cmp.Compare(n, 0) }

// finder collects the mutants of one function, or of one variable of the package.
type finder struct {
	*source
	function string
	path     []ast.Node
	found    *[]*mutant
	seen     map[string]int
}

func newFinder(s *source, function string, found *[]*mutant) *finder {
	return &finder{source: s, function: function, found: found, seen: map[string]int{}}
}

// add notes a mutant that is the change kind of node. make gets its number.
func (f *finder) add(node ast.Node, kind string, change func(m *mutant, n int)) *mutant {
	at := f.fset.Position(node.Pos())
	id := fmt.Sprintf("%s %s: %s: %s", f.name, f.function, kind, short(f.text(node)))
	f.seen[id]++
	if again := f.seen[id]; again > 1 {
		id = fmt.Sprintf("%s #%d", id, again)
	}
	m := &mutant{id: id, number: len(*f.found), file: at.Filename, line: at.Line}
	change(m, m.number)
	*f.found = append(*f.found, m)
	return m
}

// wrap puts texts around a node.
func (f *finder) wrap(m *mutant, node ast.Node, before, after string) {
	from, to := f.fset.Position(node.Pos()).Offset, f.fset.Position(node.End()).Offset
	m.edits = append(m.edits, edit{offset: from, text: before, outer: to - from, number: m.number},
		edit{offset: to, text: after, outer: from - to, number: m.number})
	// Lines must stay where they are: that is how what does not compile is found.
	m.invalid = m.invalid || strings.Contains(before+after, "\n")
}

// short is a text on one line, cut where it is long: it names a mutant for people.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 120 {
		text = text[:120]
	}
	return text
}
