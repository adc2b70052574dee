package rotation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTheRecordStaysSmall(t *testing.T) {
	s := begin(t)
	s.minted, s.two, s.third = true, true, true
	s.respec()
	s.longAnswers = strings.Repeat("x", 300)
	for i := range 500 { // a source that changes between ever new wrong values, whose leases nobody can give back
		s.rotate()
		if i%10 == 0 {
			s.takes[hostA][s.current], s.takes[hostB][s.current], s.takes[hostC][s.current] = true, true, true
		}
		s.state.Delivered = false
		s.after(2 * time.Minute)
	}
	encoded, err := json.Marshal(s.stored)
	if err != nil {
		t.Fatal(err)
	}
	if len(encoded) > 64<<10 {
		t.Errorf("the record has %d bytes: %d tests, %d leases", len(encoded), len(s.stored.Tests), len(s.stored.Obsolete))
	}
	if most := strangers + 4*3; len(s.stored.Tests) > most {
		t.Errorf("%d tests are kept", len(s.stored.Tests))
	}
	if len(s.stored.Obsolete) > maxObsolete {
		t.Errorf("%d leases are kept", len(s.stored.Obsolete))
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
	if len(s.state.Tests[inUse.Print].Digests) != 0 && s.state.Tests[latest].Digests == nil {
		t.Error("the latest lost its digests")
	}
	s.state.NoteAttempt(inUse, s.now.Add(strangerTime+24*time.Hour))
	if len(s.state.Tests) != 1 {
		t.Errorf("tests of long ago are kept: %d", len(s.state.Tests))
	}
}
