package rotation

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/racedetector"
)

// TestModel drives the machine through random histories. After every step it compares with a bookkeeping of its own; from time to time it
// makes the world well and expects the right value in use, and rest.
func TestModel(t *testing.T) {
	racedetector.Skip(t)
	steps := 1_000_000
	if wanted, err := strconv.Atoi(os.Getenv("MODEL_STEPS")); err == nil {
		steps = wanted
	}
	if testing.Short() {
		steps = 50_000
	}
	first, _ := strconv.Atoi(os.Getenv("MODEL_FIRST")) // histories before it are left out
	taken := make([]int, runtime.GOMAXPROCS(0))        // by each processor, in histories that have nothing in common
	var processors sync.WaitGroup
	for one := range taken {
		processors.Go(func() {
			for seed := first + one + 1; taken[one] < steps/len(taken); seed += len(taken) {
				w := newWorld(uint64(seed))
				if err := w.live(60); err != nil {
					t.Errorf("history %d: %v", seed, err)
					return
				}
				taken[one] += w.steps
			}
		})
	}
	processors.Wait()
	t.Logf("%d steps", taken)
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint8(60))
	f.Fuzz(func(t *testing.T, seed uint64, turns uint8) {
		w := newWorld(seed)
		if err := w.live(int(turns)); err != nil {
			t.Fatal(err)
		}
	})
}

// live lets a world turn for a while, and then makes it well.
func (w *world) live(turns int) error {
	w.crashes = true
	for range turns {
		w.turn()
		if err := w.pass(time.Duration(w.rng.IntN(300)) * time.Second); err != nil {
			return err
		}
	}
	w.heal()
	span := 2 * verifyPeriod
	if w.minted { // what is minted in vain is minted ever more rarely
		span += fruitlessInterval
	}
	if err := w.pass(span); err != nil {
		return err
	}
	return w.isWell()
}

// isWell expects the right value in use, accepted, and no more than two steps a minute from then on.
func (w *world) isWell() error {
	s := &w.state
	if !s.Published() || versionOf(&s.Value) != w.current || s.Value.SpecHash != w.spec.SpecHash {
		return fmt.Errorf("the world is well and has version %d; in use is version %d of spec %q: waiting %+v, older %+v, reads %+v", w.current, versionOf(&s.Value), s.Value.SpecHash, s.Waiting, s.Older, s.Reads)
	}
	if verdict, test := s.Of(&w.spec, &s.Value); verdict != Accepted {
		return fmt.Errorf("the value in use works, and is %s: %+v", verdict, test)
	}
	if w.spec.RefreshRequest != "" && s.Reads.Request != w.spec.RefreshRequest {
		return fmt.Errorf("a person asked for a read by %q, and %q was answered last", w.spec.RefreshRequest, s.Reads.Request)
	}
	before := w.steps
	const minutes = 30
	if err := w.pass(minutes * time.Minute); err != nil {
		return err
	}
	if took := w.steps - before; took > 2*minutes {
		return fmt.Errorf("%d steps in %d minutes in which nothing happens", took, minutes)
	}
	return nil
}

// pass lets time go by: the controller comes when the machine said that it would, or when a test ends.
func (w *world) pass(span time.Duration) error {
	end := w.now.Add(span)
	for {
		until, err := w.run()
		if err != nil {
			return err
		}
		if len(w.inFlight) > 0 {
			w.now = w.now.Add(time.Duration(w.rng.IntN(11)) * time.Second)
			if w.crashes && w.rng.IntN(50) == 0 {
				w.restart()
			} else {
				w.land()
			}
			continue
		}
		if until.IsZero() || until.After(end) {
			w.now = end
			return nil
		}
		w.now = until
	}
}

// land ends all tests that are under way. What registries said waits until the controller comes for it.
func (w *world) land() {
	for _, f := range w.inFlight {
		w.answers = append(w.answers, landed{f, w.answer(f.account.Host, f.version)})
	}
	w.inFlight = nil
}

// take notes what registries said.
func (w *world) take() bool {
	next := w.state.Clone()
	for _, l := range w.answers {
		next.NoteAnswer(l.account, l.question, l.answer, w.now)
	}
	next.NoteVerdict(&w.spec, w.now)
	w.unheard, w.answers = w.answers, nil
	return w.keep(next)
}

// hear keeps the model's own account. An answer to another question makes the earlier one void.
func (w *world) hear(l landed) {
	w.asked[l.account.Print+l.question] = true
	for other := range w.heard {
		if strings.HasPrefix(other, l.account.Print) && other != l.account.Print+l.question {
			delete(w.heard, other)
		}
	}
	delete(w.alone, l.account.Print)
	if l.answer.RetryAfter > 0 {
		w.alone[l.account.Print] = w.now.Add(min(l.answer.RetryAfter, maxRetryAfter))
	}
	if l.answer.Verdict == Unknown {
		return
	}
	said := heard{l.answer.Verdict, w.now, w.now}
	if before := w.heard[l.account.Print+l.question]; before.verdict == said.verdict {
		said.since = before.since
	}
	w.heard[l.account.Print+l.question] = said
}

// run is one pass of the controller.
func (w *world) run() (time.Time, error) {
	if w.pending != nil {
		next := *w.pending
		w.pending = nil
		if !w.keep(next) {
			return w.now.Add(30 * time.Second), nil
		}
	}
	if len(w.answers) > 0 && !w.take() {
		return w.now.Add(30 * time.Second), nil
	}
	w.state.Correct(w.now)
	if w.now.Before(w.ran) { // times that lie ahead were noted by a clock that was wrong
		for key, said := range w.heard {
			w.heard[key] = heard{said.verdict, earliest(said.since, w.now), earliest(said.at, w.now)}
		}
		for print, until := range w.alone {
			w.alone[print] = earliest(until, w.now.Add(maxRetryAfter))
		}
	}
	w.ran = w.now
	for range 24 {
		step := Next(&w.spec, &w.state, w.now)
		if step.Do == Rest {
			if w.pending == nil {
				w.status = w.state.Reads.Request
			}
			if !step.Until.IsZero() && !step.Until.After(w.now) {
				return w.now, fmt.Errorf("it rests until %s, which has passed", step.Until)
			}
			return step.Until, nil
		}
		w.steps++
		if err := w.check(step); err != nil {
			return w.now, fmt.Errorf("%s: %w", step.Do, err)
		}
		if !w.do(step) {
			return w.now.Add(30 * time.Second), nil
		}
	}
	return w.now, fmt.Errorf("24 steps in one pass")
}

func (w *world) do(step Step) bool {
	next := w.state.Clone()
	switch step.Do {
	case Read:
		if w.sourceFails {
			next.NoteFault(&w.spec, source.Transient("Unavailable", "down", nil), w.now)
			break
		}
		w.countOlder()
		if step.Cause == CauseRequest {
			w.askedFor, w.answered[w.spec.RefreshRequest] = w.given, true
		}
		next.NoteRead(&w.spec, w.value(w.given), nil, step.Cause, w.now, w.now)
	case Renew:
		w.renew(&next, step.Lease.Lease)
	case Ask:
		next.NoteAttempt(step.Account, w.now)
		if !w.write(next) {
			return false
		}
		version := 0
		_, _ = fmt.Sscanf(step.Account.Print, "%d@", &version)
		w.inFlight = append(w.inFlight, flight{step.Account, w.spec.Question(step.Account), version, w.now})
		return true
	case Publish:
		next.Publish(&w.spec, w.now)
		w.believed = 0
	case Restore:
		next.Restore(&w.spec, w.now)
	case DropPrevious:
		next.DropPrevious(step.End)
	case Release:
		w.tries[step.Lease.ID]++
		if w.keepsAll || w.keeps[step.Lease.ID] {
			next.NoteReleaseFailed(step.Lease.ID, w.now)
			break
		}
		w.released[step.Lease.ID] = true
		next.NoteReleased(step.Lease.ID)
	case GiveUp:
		w.gaveUp[step.Lease.ID] = true
		next.NoteReleased(step.Lease.ID)
	}
	return w.keep(next)
}

// keep writes a state, or lets it wait where that fails.
func (w *world) keep(next State) bool {
	if w.write(next) {
		return true
	}
	w.pending = &next
	w.state.Memory = next.Memory
	return false
}

func (w *world) write(next State) bool {
	if !w.writable && !reflect.DeepEqual(w.stored, next.Kept) {
		return false
	}
	w.state, w.stored = next, next.Kept
	if waits := w.state.Waiting; waits == nil || versionOf(&waits.Value) != w.believed {
		w.believed = 0
	}
	for _, l := range w.unheard {
		w.hear(l)
	}
	w.unheard = nil
	w.forget()
	return true
}

// forget drops what was heard of values that are long gone, as the machine does, which remembers so many of them.
func (w *world) forget() {
	if len(w.state.Tests) < strangers {
		return
	}
	for key := range w.heard {
		print, _, _ := strings.Cut(key, "!")
		if _, kept := w.state.Tests[print+"!"]; !kept {
			delete(w.heard, key)
		}
	}
}
