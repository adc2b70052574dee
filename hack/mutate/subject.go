package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
)

// subject is a package whose mutants are made.
type subject struct {
	source  *source
	mutants []*mutant
	chosen  []*mutant
}

// choose finds the mutants of packages, and chooses those that are made.
func choose(o options, names []string) ([]*subject, error) {
	lines, err := changedLines(o.root, o.changed)
	if err != nil {
		return nil, err
	}
	wanted, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	var subjects []*subject
	var all []*mutant
	for _, name := range names {
		if lines != nil && !slices.ContainsFunc(lines, func(c change) bool { return filepath.Dir(c.file) == name }) {
			continue
		}
		s, err := load(o.root, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		one := newSubject(s, func(m *mutant) bool { return wanted.MatchString(m.id) && (lines == nil || touched(o.root, lines, m)) })
		subjects, all = append(subjects, one), append(all, one.chosen...)
	}
	if o.sample > 0 && o.sample < len(all) {
		draw(o, subjects, all)
	}
	return subjects, nil
}

// newSubject finds the mutants of a package, and chooses those that are wanted.
func newSubject(s *source, wanted func(*mutant) bool) *subject {
	one := &subject{source: s, mutants: find(s)}
	validate(s, one.mutants)
	for _, m := range one.mutants {
		if !m.invalid && wanted(m) {
			one.chosen = append(one.chosen, m)
		}
	}
	return one
}

// draw leaves a sample of all mutants.
func draw(o options, subjects []*subject, all []*mutant) {
	rand.New(rand.NewPCG(o.seed, o.seed)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	drawn := map[*mutant]bool{}
	for _, m := range all[:o.sample] {
		drawn[m] = true
	}
	for _, one := range subjects {
		one.chosen = slices.DeleteFunc(one.chosen, func(m *mutant) bool { return !drawn[m] })
	}
}

// examine makes the mutants that were chosen.
func (s *subject) examine(ctx context.Context, o options, reasons map[string]string) (tally, error) {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return tally{}, err
	}
	defer os.RemoveAll(work)
	var plain, locks []*mutant
	t := tally{}
	for _, m := range s.chosen {
		switch {
		case reasons[m.id] != "":
			t.equivalent++
		case m.race:
			locks = append(locks, m)
		default:
			plain = append(plain, m)
		}
	}
	s.stale(reasons)
	lived := plain
	for _, folder := range append([]string{s.source.name}, dependents[s.source.name]...) {
		if lived, err = s.round(ctx, o, work, folder, lived, false); err != nil {
			return t, err
		}
	}
	unlocked, err := s.round(ctx, o, work, s.source.name, locks, true)
	if err != nil {
		return t, err
	}
	for _, m := range append(lived, unlocked...) {
		relative, err := filepath.Rel(o.root, m.file)
		if err != nil {
			return t, err
		}
		fmt.Printf("LIVED\t%s:%d\t%s\n", relative, m.line, m.id)
	}
	t.lived = len(lived) + len(unlocked)
	t.noticed = len(plain) + len(locks) - t.lived
	return t, nil
}

// round makes mutants before the tests of one package, and returns those that lived.
func (s *subject) round(ctx context.Context, o options, work, folder string, mutants []*mutant, race bool) ([]*mutant, error) {
	if len(mutants) == 0 {
		return nil, nil
	}
	t, err := build(o.root, work, s.source, s.mutants, folder, race)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%s-%t", environment(s.source.name), environment(folder), race)
	if err := t.survey(ctx, filepath.Join(o.cache, name+".json")); err != nil {
		return nil, err
	}
	known, err := openKept(o.cache, name, t.Digest)
	if err != nil {
		return nil, err
	}
	return s.try(ctx, o, t, known, mutants)
}

// try makes mutants, several at once, and returns those that lived.
func (s *subject) try(ctx context.Context, o options, t *tester, known *kept, mutants []*mutant) ([]*mutant, error) {
	var lived []*mutant
	var wrong error
	var mu sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan *mutant)
	for range o.workers {
		workers.Go(func() {
			for m := range queue {
				result, err := s.one(ctx, t, known, m)
				mu.Lock()
				if err != nil {
					wrong = err
				} else if result.by == "" {
					lived = append(lived, m)
				} else if o.verbose {
					fmt.Printf("%s\t%s\n", result.by, m.id)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		if ctx.Err() != nil {
			break
		}
		queue <- m
	}
	close(queue)
	workers.Wait()
	slices.SortFunc(lived, func(a, b *mutant) int { return a.number - b.number })
	if wrong == nil {
		wrong = ctx.Err()
	}
	return lived, wrong
}

func (s *subject) one(ctx context.Context, t *tester, known *kept, m *mutant) (outcome, error) {
	if before, ok := known.get(m); ok {
		return before, nil
	}
	by, reached, err := t.try(ctx, m, known.hints[m.id])
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return outcome{}, err
	}
	result := outcome{by: by, reached: reached}
	return result, known.keep(m, result)
}

// stale tells of listed mutants that are not there any more.
func (s *subject) stale(reasons map[string]string) {
	for id := range reasons {
		if len(id) > len(s.source.name) && id[:len(s.source.name)+1] == s.source.name+" " &&
			!slices.ContainsFunc(s.mutants, func(m *mutant) bool { return m.id == id }) {
			fmt.Printf("STALE\thack/mutate/equivalent.txt\t%s\n", id)
		}
	}
}
