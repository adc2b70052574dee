package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An image that the registry's key would serve if it had the image's port is told until the registry took or refused the login.
func TestForHowLongAnImageThatIsNearlyServedIsTold(t *testing.T) {
	account := Account{Print: "one", Host: hostA}
	for _, test := range []struct {
		name    string
		answers []Answer
		want    string
	}{
		{"it was found", []Answer{{Verdict: Unknown, NearMiss: "a:5000/x"}}, "a:5000/x"},
		{"the registry said nothing since", []Answer{{Verdict: Unknown, NearMiss: "a:5000/x"}, {Verdict: Unknown}}, "a:5000/x"},
		{"another one was found", []Answer{{Verdict: Unknown, NearMiss: "a:5000/x"}, {Verdict: Unknown, NearMiss: "a:5000/y"}}, "a:5000/y"},
		{"the registry took the login since", []Answer{{Verdict: Unknown, NearMiss: "a:5000/x"}, {Verdict: Accepted}}, ""},
		{"the registry refused it since", []Answer{{Verdict: Unknown, NearMiss: "a:5000/x"}, {Verdict: Rejected}}, ""},
		{"it was found by the test that took the login", []Answer{{Verdict: Accepted, NearMiss: "a:5000/x"}}, "a:5000/x"},
	} {
		var s State
		for n, answer := range test.answers {
			s.NoteAttempt(account, minute(n))
			s.NoteAnswer(account, "q", answer, minute(n))
		}
		if got := s.Tests["one"].NearMiss; got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestWhatIsKeptOfATest(t *testing.T) {
	account := Account{Print: "one", Host: hostA}
	known := Test{Question: "q", Verdict: Rejected, Since: minute(1), Time: minute(2), Repeats: 2, Message: "401", Attempt: minute(2), Asked: "q", Registry: hostA}
	for _, test := range []struct {
		name  string
		known Test
		note  func(s *State)
		want  Test
	}{
		{"a first test under way", Test{}, func(s *State) { s.NoteAttempt(account, minute(5)) }, Test{Attempt: minute(5), Registry: hostA}},
		{"a first answer that says nothing", Test{}, func(s *State) {
			s.NoteAttempt(account, minute(5))
			s.NoteAnswer(account, "q", Answer{Verdict: Unknown, Message: "503"}, minute(6))
		}, Test{Question: "q", Attempt: minute(5), Asked: "q", Registry: hostA, Silent: 1, Said: "503"}},
		{"so, to another question: what was said is void, and it waits as if it were new", known, func(s *State) {
			s.NoteAttempt(account, minute(5))
			s.NoteAnswer(account, "r", Answer{Verdict: Unknown, Message: "429", RetryAfter: time.Minute}, minute(6))
		}, Test{Question: "r", Since: minute(5), Attempt: minute(5), Asked: "r", Registry: hostA, Silent: 1, Said: "429", NotBefore: minute(7)}},
		{"another refusal", known, func(s *State) {
			s.NoteAttempt(account, minute(5))
			s.NoteAnswer(account, "q", Answer{Verdict: Rejected, Message: "403"}, minute(6))
		}, Test{Question: "q", Verdict: Rejected, Since: minute(1), Time: minute(6), Repeats: 3, Message: "403", Attempt: minute(5), Asked: "q", Registry: hostA}},
		{"it was said beside the test of another value", known, func(s *State) { s.NoteAside(account, "q", Answer{Verdict: Rejected}, minute(6)) },
			Test{Question: "q", Verdict: Rejected, Since: minute(1), Time: minute(6), Repeats: 3, Message: "401", Attempt: minute(2), Asked: "q", Registry: hostA}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := State{Kept: Kept{Tests: map[string]Test{"one": test.known}}}
			test.note(&s)
			if diff := cmp.Diff(test.want, s.Tests["one"]); diff != "" {
				t.Errorf("wanted (-) and kept (+):\n%s", diff)
			}
		})
	}
}

func TestSeveralTestsAreUnderWay(t *testing.T) {
	var s State
	s.NoteAttempt(Account{Print: "a", Host: hostA}, minute(1))
	s.NoteAttempt(Account{Print: "b", Host: hostB}, minute(2))
	if diff := cmp.Diff(map[string]time.Time{"a": minute(1), "b": minute(2)}, s.Testing); diff != "" {
		t.Error(diff)
	}
	s.NoteAnswer(Account{Print: "a", Host: hostA}, "q", Answer{Verdict: Accepted}, minute(3))
	if diff := cmp.Diff(map[string]time.Time{"b": minute(2)}, s.Testing); diff != "" {
		t.Error(diff)
	}
}

// What is known of a value that is there is kept whole for as long as it is there, however many others come and go.
func TestWhoseTestsAreKeptWhole(t *testing.T) {
	value := func(print string) Value { return Value{Accounts: []Account{{Print: print}}} }
	s := State{Kept: Kept{Value: value("in use"), Waiting: &Waiting{Value: value("waits")}, Previous: &Previous{Value: value("before")}}, Memory: Memory{Older: &Older{Value: value("older")}}}
	digests := map[string]string{"a": "sha256:1"}
	prints := []string{"in use", "waits", "before", "older"}
	for i := range strangers {
		prints = append(prints, fmt.Sprint("stranger ", i))
	}
	s.Tests = map[string]Test{}
	for _, print := range prints {
		s.Tests[print] = Test{Attempt: start, Digests: digests, NearMiss: "x", Elsewhere: []string{"y"}}
	}
	s.keepTest("another", Test{Attempt: start.Add(strangerTime - 1)})
	for print, test := range s.Tests {
		whole := len(test.Digests) > 0 && test.NearMiss != "" && len(test.Elsewhere) > 0
		if want := slices.Contains(prints[:4], print); whole != want {
			t.Errorf("what is known of %q is kept whole: %t", print, whole)
		}
	}
	if len(s.Tests) != len(prints)+1 {
		t.Errorf("%d tests are kept of %d", len(s.Tests), len(prints)+1)
	}
	s.keepTest("another", Test{Attempt: start.Add(strangerTime)})
	if len(s.Tests) != 4+1 {
		t.Errorf("%d tests are kept of 5 that concern values that are there", len(s.Tests))
	}
}
