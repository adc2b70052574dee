package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// slowest is how much processor time a test may take to be used at all.
	slowest = 15 * time.Second
	// quick tests run together, before the others.
	quick = time.Second
	// patience is how many times longer than its processor time a test may take on a busy machine, as one that waits for ever does.
	patience = 8
)

// tester is the test binary of a package with all mutants of a package in it.
type tester struct {
	// dir of the package whose tests these are, and variable that chooses the mutant.
	dir, variable, binary string
	// Digest of the binary.
	Digest string
	// Tests that pass where no mutant is chosen.
	Tests []test
}

type test struct {
	Name string
	// Took is its processor time.
	Took time.Duration
	// Reaches says which mutants it reaches.
	Reaches map[int]bool
}

// build compiles the tests of a package in folder with the mutants of s.
func build(root, work string, s *source, mutants []*mutant, folder string, race bool) (*tester, error) {
	work = filepath.Join(work, environment(s.name)+"-"+environment(folder)+strconv.FormatBool(race))
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	replace := map[string]string{}
	put := func(path, text string) error {
		instead := filepath.Join(work, filepath.Base(path))
		replace[path] = instead
		return os.WriteFile(instead, []byte(text), 0o600)
	}
	if err := put(filepath.Join(s.dir, "zz_mutants.go"), runtimeOf(s, len(mutants)+1)); err != nil {
		return nil, err
	}
	for path, text := range s.texts {
		if err := put(path, string(mutated(text, mutants, path))); err != nil {
			return nil, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return nil, err
	}
	t := &tester{dir: filepath.Join(root, folder), variable: "MUTANT_" + environment(s.name), binary: filepath.Join(work, "tests")}
	arguments, variables := []string{"test", "-c", "-overlay", file, "-o", t.binary}, asPrograms
	if race { // which needs cgo
		arguments, variables = append(arguments, "-race"), []string{"CGO_ENABLED=1", "GOFLAGS="}
	}
	command := exec.Command("go", append(arguments, "./"+folder)...)
	command.Env = append(os.Environ(), variables...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the tests of %s with the mutants of %s: %w\n%s", folder, s.name, err, out)
	}
	content, err := os.ReadFile(t.binary)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	t.Digest = hex.EncodeToString(sum[:8])
	return t, nil
}

// survey runs each test once, without a mutant, and notes what it reaches and how long it takes. One that takes too long is left out, and so
// is one that fails, such as one of the memory that the mutants take. Where many do, as where a server is not built, no figure would say
// anything.
func (t *tester) survey(ctx context.Context, kept string) error {
	if data, err := os.ReadFile(kept); err == nil {
		before := tester{}
		if json.Unmarshal(data, &before) == nil && before.Digest == t.Digest {
			t.Tests = before.Tests
			return nil
		}
	}
	if err := t.lookAtAll(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(kept, data, 0o600)
}

// lookAtAll looks at each test of the binary.
func (t *tester) lookAtAll(ctx context.Context) error {
	list := exec.CommandContext(ctx, t.binary, "-test.list", ".")
	list.Dir = t.dir
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w", t.dir, err)
	}
	var failing []string
	for _, name := range strings.Fields(string(out)) {
		if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
			continue
		}
		one, outcome, err := t.look(ctx, name)
		switch {
		case err != nil:
			return err
		case outcome == held:
			return fmt.Errorf("%s of %s %s, without a mutant: let it wait for the processes that it starts, or mutate while the machine is less busy", name, t.dir, held)
		case outcome == passed:
			t.Tests = append(t.Tests, one)
		case outcome == timedOut:
			fmt.Fprintf(os.Stderr, "left out: %s of %s %s without a mutant\n", name, t.dir, outcome)
		default:
			failing = append(failing, name)
		}
	}
	if len(failing) > 0 {
		fmt.Fprintf(os.Stderr, "left out, because they fail without a mutant: %s of %s\n", strings.Join(failing, ", "), t.dir)
	}
	if len(failing) > len(t.Tests)/10+1 {
		return fmt.Errorf("%d tests fail without a mutant, where %d pass: build the servers that they need", len(failing), len(t.Tests))
	}
	return nil
}

// look runs a test without a mutant.
func (t *tester) look(ctx context.Context, name string) (one test, outcome string, err error) {
	hits := t.binary + ".hits"
	defer os.RemoveAll(hits)
	one = test{Name: name, Reaches: map[int]bool{}}
	if outcome, one.Took, err = t.run(ctx, -1, hits, slowest, name); err != nil || outcome != passed {
		return one, outcome, err
	}
	data, err := os.ReadFile(hits)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return one, outcome, err
	}
	for _, text := range strings.Fields(string(data)) {
		if n, err := strconv.Atoi(text); err == nil {
			one.Reaches[n] = true
		}
	}
	return one, outcome, nil
}

// try makes one mutant. It returns what noticed it, "" where nothing does, and whether any test reaches it.
func (t *tester) try(ctx context.Context, m *mutant, hint string) (by string, reached bool, err error) {
	var fast, slow []string
	var fastTook time.Duration
	times := map[string]time.Duration{}
	for _, one := range t.Tests {
		if !one.Reaches[m.number] {
			continue
		}
		times[one.Name] = one.Took
		if one.Took <= quick {
			fast, fastTook = append(fast, one.Name), fastTook+one.Took
		} else {
			slow = append(slow, one.Name)
		}
	}
	batches := [][]string{}
	if _, known := times[hint]; known {
		batches, times[""] = append(batches, []string{hint}), times[hint]
	}
	if len(fast) > 0 {
		batches = append(batches, fast)
	}
	for _, name := range slow {
		batches = append(batches, []string{name})
	}
	for _, names := range batches {
		took := times[names[0]]
		if len(names) > 1 {
			took = fastTook
		}
		outcome, _, err := t.run(ctx, m.number, "", 5*time.Second+4*took, names...)
		if err != nil {
			return "", true, err
		}
		if outcome != passed {
			return noticed(outcome, names[0]), true, nil
		}
	}
	return "", len(batches) > 0, nil
}

// noticed is what noticed a mutant, with the name of a test where the outcome has none.
func noticed(outcome, test string) string {
	if outcome == timedOut || outcome == held {
		return outcome + " " + test
	}
	return outcome
}
