package rotation

import (
	"testing"
	"time"
)

func TestWhatATestProvedOutlivesAnAnswerBesideAnotherTest(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	account := Account{Print: "in-use", Host: "registry.example"}
	proven := Answer{Verdict: Accepted, Proof: ProofPull, Message: "let it pull", Digests: map[string]string{"app:1": "sha256:1"}}
	tests := []struct {
		name     string
		question string
		aside    Answer
		verdict  Verdict
		proof    Proof
		digests  int
	}{
		{"a login beside another test leaves the pull proven", "same", Answer{Verdict: Accepted, Proof: ProofLogin}, Accepted, ProofPull, 1},
		{"a refusal counts", "same", Answer{Verdict: Rejected, Proof: ProofLogin}, Rejected, ProofLogin, 0},
		{"a login is no answer to another question", "other", Answer{Verdict: Accepted, Proof: ProofLogin}, Accepted, ProofPull, 1},
		{"a refusal is one to any", "other", Answer{Verdict: Rejected, Proof: ProofLogin}, Rejected, ProofLogin, 0},
		{"silence changes nothing", "same", Answer{Verdict: Unknown}, Accepted, ProofPull, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s State
			s.NoteAnswer(account, "same", proven, start)
			s.NoteAside(account, tt.question, tt.aside, start.Add(time.Hour))
			got := s.Tests[account.Print]
			if got.Verdict != tt.verdict || got.Proof != tt.proof || len(got.Digests) != tt.digests {
				t.Errorf("got %+v", got)
			}
			if said := tt.aside.Verdict == Rejected || tt.aside.Verdict == Accepted && tt.question == "same"; got.Time.Equal(start.Add(time.Hour)) != said {
				t.Errorf("answered %s", got.Time)
			}
		})
	}
}

func TestALoginBesideAnotherTestAcceptsNothingThatItsOwnTestDidNot(t *testing.T) {
	account := Account{Print: "in-use", Host: "registry.example"}
	for name, own := range map[string]Verdict{"its own test was refused an image": Rejected, "its own test could not try the image": Unknown} {
		t.Run(name, func(t *testing.T) {
			var s State
			s.NoteAnswer(account, "pull", Answer{Verdict: own, Message: "of its own"}, start)
			before := s.Tests[account.Print]
			s.NoteAside(account, "pull", Answer{Verdict: Accepted, Proof: ProofLogin}, start.Add(time.Minute))
			if got := s.Tests[account.Print]; got.Verdict != before.Verdict || got.Said != before.Said || got.Message != before.Message {
				t.Errorf("got %+v", got)
			}
		})
	}
}
