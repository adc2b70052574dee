package vault

import (
	"context"
	"testing"
	"time"

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

func (s *sharer) knows(name string) bool { return s.reads[source.Place{Name: name}] != nil }

func TestAnAnswerIsKeptForTheMostPatientOfItsReaders(t *testing.T) {
	s := newSharer(t)
	s.read("a", readAt, time.Minute, 1)
	if s.read("a", readAt.Add(10*time.Second), time.Hour, 1) {
		t.Error("it is read again")
	}
	s.read("b", readAt.Add(30*time.Minute), time.Minute, 1)
	if !s.knows("a") || s.read("a", readAt.Add(time.Hour-1), time.Hour, 1) {
		t.Error("it is forgotten while it is of use")
	}
	s.read("c", readAt.Add(time.Hour), time.Minute, 1)
	if s.knows("a") {
		t.Error("it is kept though it is of no use any more")
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
	s := newSharer(t)
	const half = mostShared / 2
	s.read("first", readAt, time.Hour, half)
	s.read("second", readAt.Add(time.Second), time.Hour, half)
	if !s.knows("first") || !s.knows("second") {
		t.Error("what has room is forgotten")
	}
	s.read("second", readAt.Add(2*time.Second), 0, half) // in the place of the one before
	if !s.knows("first") {
		t.Error("what was replaced counts on")
	}
	s.read("empty", readAt, time.Hour, 0)
	s.read("third", readAt.Add(3*time.Second), time.Hour, 1)
	if s.knows("first") || !s.knows("second") || !s.knows("third") || !s.knows("empty") {
		t.Errorf("kept are %v", s.reads)
	}
	if s.bytes != half+1 {
		t.Errorf("%d bytes are counted, want %d", s.bytes, half+1)
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
