package vault

import (
	"context"
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// sharer is a memory of reads, and counts those that begin.
type sharer struct {
	sharing
	t     *testing.T
	begun int
}

func newSharer(t *testing.T) *sharer {
	return &sharer{t: t, sharing: sharing{usage: &usage{}, gate: &gate{}}}
}

// read reads an answer of some bytes, and reports whether a read began.
func (s *sharer) read(name string, now time.Time, maxAge time.Duration, bytes int) bool {
	s.t.Helper()
	before := s.begun
	_, f := s.do(s.t.Context(), source.Place{Name: name}, now, maxAge, func(context.Context) (*answer, *failure) {
		s.begun++
		return &answer{status: 200, body: make([]byte, bytes)}, nil
	})
	if f != nil {
		s.t.Fatal(f)
	}
	return s.begun > before
}

// readAt is when what a reader gets was read.
func (s *sharer) readAt(now time.Time, maxAge time.Duration) time.Time {
	s.t.Helper()
	a, f := s.do(s.t.Context(), source.Place{Name: "a"}, now, maxAge, func(context.Context) (*answer, *failure) {
		return &answer{status: 200, read: readContext{at: now}}, nil
	})
	if f != nil {
		s.t.Fatal(f)
	}
	return a.read.at
}

func (s *sharer) knows(name string) bool { return s.reads[source.Place{Name: name}] != nil }

func TestAnAnswerIsKeptForTheMostPatientOfItsReaders(t *testing.T) {
	s := newSharer(t)
	s.read("a", readAt, time.Minute, 1)
	if s.read("a", readAt.Add(10*time.Second), time.Hour, 1) {
		t.Error("it is read again")
	}
	s.read("a", readAt.Add(20*time.Second), time.Minute, 1) // one with less patience comes last
	s.read("b", readAt.Add(30*time.Minute), time.Minute, 1)
	if !s.knows("a") || s.read("a", readAt.Add(time.Hour-1), time.Hour, 1) {
		t.Error("it is forgotten while it is of use")
	}
	s.read("c", readAt.Add(time.Hour), time.Minute, 1)
	if s.knows("a") {
		t.Error("it is kept though it is of no use any more")
	}
}

func TestAnAnswerIsThereForAMorePatientReaderForAWhile(t *testing.T) {
	s := newSharer(t)
	s.read("a", readAt, 10*time.Second, 1)
	s.read("b", readAt.Add(20*time.Second), 10*time.Second, 1)
	s.read("c", readAt.Add(40*time.Second), 10*time.Second, 1)
	if s.read("a", readAt.Add(59*time.Second), time.Hour, 1) {
		t.Error("it is read again")
	}
}

func TestAClockThatGoesBackMakesNoAnswerFresh(t *testing.T) {
	s := newSharer(t)
	s.read("a", readAt, time.Hour, 1)
	if !s.read("a", readAt.Add(-time.Minute), 0, 1) {
		t.Error("who wants a fresh answer has an old one")
	}
}

func TestOfTooManyBytesTheOldestAnswersAreForgotten(t *testing.T) {
	const half = mostShared / 2
	for range 20 { // a map gives them in another order each time
		s := newSharer(t)
		s.read("empty", readAt, time.Hour, 0)
		s.read("first", readAt.Add(time.Second), time.Hour, half)
		s.read("second", readAt.Add(2*time.Second), time.Hour, half)
		if !s.knows("first") || !s.knows("second") {
			t.Error("what has room is forgotten")
		}
		s.read("second", readAt.Add(3*time.Second), 0, half) // in the place of the one before
		if !s.knows("first") {
			t.Error("what was replaced counts on")
		}
		s.read("third", readAt.Add(4*time.Second), time.Hour, 1)
		if s.knows("first") || !s.knows("second") || !s.knows("third") || !s.knows("empty") {
			t.Errorf("kept are %v", s.reads)
		}
		if s.bytes != half+1 {
			t.Errorf("%d bytes are counted, want %d", s.bytes, half+1)
		}
	}
}

// A read that was overtaken by a fresher one is not in the memory: it must not count there either.
func TestAnAnswerThatNobodyWillFindIsNotCounted(t *testing.T) {
	s := newSharer(t)
	goOn := make(chan struct{})
	slow, _ := s.begin(t.Context(), source.Place{Name: "a"}, readAt, time.Hour, func(context.Context) (*answer, *failure) {
		<-goOn
		return &answer{body: make([]byte, 1000)}, nil
	})
	s.read("a", readAt.Add(time.Second), 0, 10)
	close(goOn)
	<-slow.done
	if s.bytes != 10 {
		t.Errorf("%d bytes are counted", s.bytes)
	}
}

// Two objects of one place that begin at any time apart, and are read a little late each time, come to share every read. A busy operator
// is late; where that kept two apart, a path cost two reads in each period, for ever.
func TestTwoReadersOfOnePlaceComeToShareTheirReads(t *testing.T) {
	const period, step = time.Minute, 200 * time.Millisecond
	for apart := time.Duration(0); apart < period; apart += step {
		for _, late := range []time.Duration{0, step, time.Second} {
			s := newSharer(t)
			readers := []struct{ due, read time.Time }{{due: readAt}, {due: readAt.Add(apart)}}
			for now := readAt; now.Sub(readAt) < 4*period; now = now.Add(step) {
				for i := range readers {
					o := &readers[i]
					if now.Before(o.due) {
						continue
					}
					o.read = s.readAt(now, min(schedule.Shared(period), now.Sub(o.read)))
					o.due = schedule.Next(schedule.LastRead{Time: o.read}, period, 0).Add(late)
				}
			}
			if !readers[0].read.Equal(readers[1].read) {
				t.Errorf("%s apart and %s late: after four periods each still reads alone", apart, late)
			}
		}
	}
}
