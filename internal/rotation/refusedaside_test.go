package rotation

import (
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// A test was under way when a person asked for something else. What it found is the last that a registry said: that the next question has no answer makes no
// value work.
func TestARefusalThatComesAfterTheQuestionChangedIsNotForgotten(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"other images":                   func(spec *Spec) { spec.Images = []string{hostA + "/app:1"} },
		"another mode":                   func(spec *Spec) { spec.Mode = v1alpha1.VerifyLogin },
		"nothing for a while, then less": func(spec *Spec) { spec.Mode = v1alpha1.VerifyDisabled },
	} {
		t.Run(name, func(t *testing.T) {
			spec, s := asking()
			account := accountOf(1, hostA)
			s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(1), Time: minute(1), Attempt: minute(1)})
			s.NoteVerdict(spec, minute(1))
			if s.InDoubt() {
				t.Fatal("it is accepted, and in doubt")
			}
			s.NoteAttempt(account, minute(2))
			asked := spec.Question(account)
			change(spec)
			spec.asked = nil
			s.NoteAnswer(account, asked, Answer{Verdict: Rejected}, minute(3))
			s.NoteVerdict(spec, minute(3))
			if !s.InDoubt() {
				t.Fatal("it is refused, and not in doubt")
			}
			if spec.Mode == v1alpha1.VerifyDisabled {
				spec.Mode, spec.asked = v1alpha1.VerifyLogin, nil
			}
			s.NoteAnswer(account, spec.Question(account), Answer{Verdict: Unknown, Message: "503"}, minute(4))
			s.NoteVerdict(spec, minute(4))
			if !s.InDoubt() {
				t.Error("the registry gave no answer, and its refusal is forgotten")
			}
			s.NoteAnswer(account, spec.Question(account), Answer{Verdict: Accepted}, minute(5))
			if s.NoteVerdict(spec, minute(5)); s.InDoubt() || s.VerdictUnnoted(spec) {
				t.Error("it is accepted, and in doubt, or that is noted again and again")
			}
		})
	}
}

// A record of an earlier version does not say since when a value is refused. The first pass notes it, also where the spec was changed since the answer.
func TestARefusalThatAnEarlierVersionKeptIsNoted(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"the same question": func(*Spec) {},
		"another question":  func(spec *Spec) { spec.Images = []string{hostA + "/app:1"} },
	} {
		spec, s := asking()
		s.VerifiedTime = minute(0)
		s.know(spec, 1, Test{Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1)})
		change(spec)
		spec.asked = nil
		if !s.VerdictUnnoted(spec) {
			t.Errorf("%s: it is refused, and that is not noted", name)
		}
	}
}
