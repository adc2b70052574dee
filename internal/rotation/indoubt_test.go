package rotation

import (
	"testing"
	"time"
)

func TestAValueIsInDoubtUntilAllItsRegistriesAcceptedItAndWhileOneRefusesIt(t *testing.T) {
	for _, test := range []struct {
		name     string
		verified time.Time
		tests    map[string]Test
		want     bool
	}{
		{"no registry said anything", time.Time{}, nil, true},
		{"one accepted it, and not yet all", time.Time{}, map[string]Test{"a": {Verdict: Accepted}}, true},
		{"all accepted it", start, map[string]Test{"a": {Verdict: Accepted}, "b": {Verdict: Accepted}}, false},
		{"all accepted it, and nothing is known any more", start, nil, false},
		{"the first refuses it since", start, map[string]Test{"a": {Verdict: Rejected}, "b": {Verdict: Accepted}}, true},
		{"the second refuses it since", start, map[string]Test{"a": {Verdict: Accepted}, "b": {Verdict: Rejected}}, true},
		{"a registry refuses another value", start, map[string]Test{"other": {Verdict: Rejected}}, false},
	} {
		kept := Kept{Value: Value{Accounts: []Account{{Print: "a"}, {Print: "b"}}, Use: Use{VerifiedTime: test.verified}}, Tests: test.tests}
		if got := kept.InDoubt(); got != test.want {
			t.Errorf("%s: in doubt is %t", test.name, got)
		}
	}
}

func TestAnAcceptanceIsForgottenOnlyWhereItIsFromBeforeTheValueCame(t *testing.T) {
	for at, want := range map[time.Time]Verdict{start.Add(-time.Second): "", start: Accepted, start.Add(time.Second): Accepted} {
		s := State{Kept: Kept{Tests: map[string]Test{"a": {Verdict: Accepted, Time: at}}}}
		s.forgetAccepted(&Waiting{Value: Value{Accounts: []Account{{Print: "a"}}}, FirstSeen: start})
		if got := s.Tests["a"].Verdict; got != want {
			t.Errorf("accepted %s after it came: %q is left", at.Sub(start), got)
		}
	}
}
