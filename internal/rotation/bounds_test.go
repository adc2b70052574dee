package rotation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/racedetector"
)

func TestTheRecordStaysSmall(t *testing.T) {
	racedetector.Skip(t)
	t.Run("a source that changes between ever new wrong values", func(t *testing.T) {
		s := begin(t)
		s.two, s.third = true, true
		s.respec()
		s.longAnswers = strings.Repeat("x", 300)
		for range 500 {
			s.rotate()
			s.after(2 * time.Minute)
		}
		if seen := s.current; seen < 500 || versionOf(&s.state.Waiting.Value) != seen {
			t.Fatalf("of %d values the last that was read is %d", seen, versionOf(&s.state.Waiting.Value))
		}
		s.small(strangers+4*3, maxObsolete)
	})
	t.Run("leases that nobody can give back", func(t *testing.T) {
		s := leasing(t)
		s.keepsAll = true
		for range 4 * maxObsolete {
			s.mint(hostA)
			s.inUse(s.current)
		}
		s.small(strangers+4, maxObsolete)
	})
}

// small expects no more tests and leases than so many in the record, and no more bytes than a Secret has room for beside much else.
func (s *script) small(tests, leases int) {
	s.t.Helper()
	encoded, err := json.Marshal(s.stored)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(encoded) > 64<<10 || len(s.stored.Tests) > tests || len(s.stored.Obsolete) > leases {
		s.t.Errorf("the record has %d bytes, %d tests and %d leases", len(encoded), len(s.stored.Tests), len(s.stored.Obsolete))
	}
}

func TestWhichTestsAreKept(t *testing.T) {
	s := begin(t)
	inUse := s.state.Accounts[0]
	for i := range 2 * strangers {
		stranger := Account{Print: fmt.Sprintf("stranger-%02d", i), Host: hostA}
		s.state.NoteAttempt(stranger, s.now.Add(time.Duration(i)*time.Minute))
		s.state.NoteAnswer(stranger, "q", Answer{Verdict: Accepted, Digests: map[string]string{"a": "b"}}, s.now.Add(time.Duration(i)*time.Minute))
	}
	latest := fmt.Sprintf("stranger-%02d", 2*strangers-1)
	for name, want := range map[string]bool{inUse.Print: true, latest: true, "stranger-00": false} {
		if _, got := s.state.Tests[name]; got != want {
			t.Errorf("the test of %s is kept: %t", name, got)
		}
	}
	before := fmt.Sprintf("stranger-%02d", 2*strangers-2)
	if len(s.state.Tests[latest].Digests) == 0 || len(s.state.Tests[before].Digests) != 0 {
		t.Errorf("digests are kept of the latest: %v, and of the one before it: %v", s.state.Tests[latest].Digests, s.state.Tests[before].Digests)
	}
	s.state.NoteAttempt(inUse, s.now.Add(strangerTime+24*time.Hour))
	if len(s.state.Tests) != 1 {
		t.Errorf("tests of long ago are kept: %d", len(s.state.Tests))
	}
}
