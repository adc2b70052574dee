package rotation

import (
	"slices"
	"time"
)

// Verdict says whether a value works at a registry.
type Verdict string

const (
	// Accepted means that the registry takes the value.
	Accepted Verdict = "Accepted"
	// Rejected means that the registry refuses the value.
	Rejected Verdict = "Rejected"
	// Unknown means that the registry said neither.
	Unknown Verdict = "Unknown"
)

// Proof says how a registry showed that it takes a value.
type Proof string

const (
	// ProofPull means that it let the value pull an image.
	ProofPull Proof = "Pull"
	// ProofLogin means that it let the value log in. Some registries log in accounts that may not pull.
	ProofLogin Proof = "Login"
)

// Answer is what one test found out.
type Answer struct {
	Verdict Verdict
	Proof   Proof
	// Message is the answer in words.
	Message string
	// Digests of the images that were asked for, by image.
	Digests map[string]string
	// NearMiss is an image in use that the registry's key would serve if it had the image's port.
	NearMiss string
	// Elsewhere are hosts of images in use, where none of those that were looked at is from the registry.
	Elsewhere []string
	// RetryAfter is how long the registry asks to be left alone.
	RetryAfter time.Duration
}

// Test is what one registry said of one value: the last definite answer, and the last attempt.
type Test struct {
	// Question that the definite answer belongs to.
	Question string `json:"question,omitempty"`
	// Verdict is Accepted or Rejected, empty while neither was said. Since is when it was first said without the other in between,
	// Time when it was last said, Repeats how often. While neither was said, Since is when a question was first asked that took the place
	// of another one.
	Verdict Verdict   `json:"verdict,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Time    time.Time `json:"answered,omitzero"`
	Repeats int       `json:"repeats,omitempty"`
	Proof   Proof     `json:"proof,omitempty"`
	// Message is that of the definite answer.
	Message string `json:"message,omitempty"`
	// Attempt is when the registry was last asked. It is kept before it is asked, so that a crash counts, too. Asked is the question, empty
	// until the end of the attempt is noted: for ever, where the process ended first.
	Attempt time.Time `json:"time,omitzero"`
	Asked   string    `json:"asked,omitempty"`
	// Silent counts the attempts since the definite answer that said nothing, Said is what the last of them found instead.
	Silent int    `json:"silent,omitempty"`
	Said   string `json:"said,omitempty"`
	// NotBefore is until when the registry asked to be left alone.
	NotBefore time.Time `json:"notBefore,omitzero"`
	Registry  string    `json:"registry,omitempty"`
	NearMiss  string    `json:"nearMiss,omitempty"`
	// Elsewhere are hosts of images in use, where the last attempt found none from the registry.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Digests of the images that were asked for, by image: what a repull may pin.
	Digests map[string]string `json:"digests,omitempty"`
}

// Test returns what is known of an account for the present question: nothing where the spec asks for none.
func (k *Kept) Test(spec *Spec, account Account) Test {
	if !spec.verifies() {
		return Test{}
	}
	return k.test(spec, account)
}

// test returns what is known of an account for the present question. The last attempt counts whatever was asked.
func (k *Kept) test(spec *Spec, account Account) Test {
	known := k.Tests[account.Print]
	if known.Question != spec.Question(account) {
		return Test{Attempt: known.Attempt, Asked: known.Asked, NotBefore: known.NotBefore, Registry: known.Registry}
	}
	return known
}

// attempt is when a registry was last asked the present question about an account, zero where it was not, or where the end of that is not
// known. An attempt with another question says nothing, but counts for how soon the registry may be asked again: see Test.Attempt.
func (k *Kept) attempt(spec *Spec, account Account) time.Time {
	known := k.Tests[account.Print]
	if known.Asked != spec.Question(account) {
		return time.Time{}
	}
	return known.Attempt
}

// verdict of an account, Unknown where nothing definite was said.
func (s *State) verdict(spec *Spec, account Account) Verdict {
	if known := s.test(spec, account).Verdict; known != "" {
		return known
	}
	return Unknown
}

// Of sums up what registries say of a value: one that refuses is enough to refuse, one that says nothing leaves it open. The Test is
// that of the registry that decided.
func (s *State) Of(spec *Spec, value *Value) (Verdict, Test) {
	if !spec.verifies() || len(value.Accounts) == 0 {
		return Unknown, Test{}
	}
	for _, wanted := range []Verdict{Rejected, Unknown} {
		for _, account := range value.Accounts {
			if s.verdict(spec, account) == wanted {
				return wanted, s.test(spec, account)
			}
		}
	}
	return Accepted, s.test(spec, value.Accounts[0])
}

// proofOf says how an accepted value was proven: by a pull only where each registry let it pull.
func (s *State) proofOf(spec *Spec, value *Value) Proof {
	for _, account := range value.Accounts {
		if s.test(spec, account).Proof != ProofPull {
			return ProofLogin
		}
	}
	return ProofPull
}

// NoteAttempt notes that a registry is about to be asked about an account.
func (s *State) NoteAttempt(account Account, now time.Time) {
	test := s.Tests[account.Print]
	test.Attempt, test.Asked, test.Registry = now, "", account.Host
	s.keepTest(account.Print, test)
	if s.Testing == nil {
		s.Testing = map[string]time.Time{}
	}
	s.Testing[account.Print] = now
}

// NoteAnswer notes how a test ended. An answer that says nothing changes no definite one.
func (s *State) NoteAnswer(account Account, question string, answer Answer, now time.Time) {
	delete(s.Testing, account.Print)
	test := s.Tests[account.Print]
	test.Asked, test.NotBefore = question, time.Time{}
	if answer.RetryAfter > 0 {
		test.NotBefore = now.Add(min(answer.RetryAfter, maxRetryAfter))
	}
	s.note(test, account, question, answer, now)
}

// note notes an answer in a test.
func (s *State) note(test Test, account Account, question string, answer Answer, now time.Time) {
	if test.Question != question {
		test = voided(test)
	}
	test.Question, test.Registry = question, account.Host
	test.Elsewhere = elsewhere(test.Elsewhere, answer.Elsewhere)
	if answer.NearMiss != "" || answer.Verdict == Accepted || answer.Verdict == Rejected {
		test.NearMiss = answer.NearMiss
	}
	if answer.Verdict != Accepted && answer.Verdict != Rejected {
		test.Silent, test.Said = test.Silent+1, answer.Message
		s.keepTest(account.Print, test)
		return
	}
	if test.Verdict != answer.Verdict {
		test.Verdict, test.Since, test.Repeats = answer.Verdict, now, 0
	}
	test.Repeats++
	test.Silent, test.Said = 0, ""
	test.Time, test.Proof, test.Message, test.Digests = now, answer.Proof, answer.Message, answer.Digests
	s.keepTest(account.Print, test)
}

// elsewhere keeps hosts that were found before while the first of them is still found: where many namespaces are looked at by turns, what is
// said of them must not change each time.
func elsewhere(known, found []string) []string {
	if len(known) > 0 && slices.Contains(found, known[0]) {
		return known
	}
	return found
}

// voided is what is left of a test when another question is asked: nothing that was said. What was refused and is void begins to wait as
// if it were new.
func voided(test Test) Test {
	left := Test{Attempt: test.Attempt, Asked: test.Asked, NotBefore: test.NotBefore}
	if test.Question != "" {
		left.Since = test.Attempt
	}
	return left
}

// NoteAside notes what a registry said of a value while another one was tested: to its login, or about some of its images. That is less
// than what a test of its own asks: a refusal counts, an acceptance renews one that is known, and proves no more than that one did. A test
// of its own that is under way goes on.
func (s *State) NoteAside(account Account, question string, answer Answer, now time.Time) {
	known := s.Tests[account.Print]
	same := known.Question == question && known.Verdict == answer.Verdict
	if answer.Verdict == Accepted && !same {
		return
	}
	if same {
		answer.Proof, answer.Message, answer.Digests, answer.NearMiss = known.Proof, known.Message, known.Digests, known.NearMiss
	}
	answer.Elsewhere = known.Elsewhere
	s.note(known, account, question, answer, now)
}

const (
	// maxRetryAfter is how long at most a registry is left alone at its own request.
	maxRetryAfter = 10 * time.Minute
	// strangers is how many tests are kept of values that are neither in use, nor waiting, nor the one before: a source that changes
	// between wrong values must not have each tested as if it were new. strangerTime is how long.
	strangers    = 16
	strangerTime = 48 * time.Hour
)

// keepTest replaces one test and drops those of values that are long gone, so that the record stays small.
func (s *State) keepTest(print string, test Test) {
	tests := map[string]Test{print: test}
	var others []string
	for other, kept := range s.Tests {
		switch {
		case other == print:
		case s.concerns(other):
			tests[other] = kept
		case test.Attempt.Sub(kept.Attempt) < strangerTime:
			others = append(others, other)
		}
	}
	newest(others, s.Tests)
	for _, other := range others[:min(len(others), strangers)] {
		kept := s.Tests[other]
		kept.Digests, kept.NearMiss, kept.Elsewhere = nil, "", nil
		tests[other] = kept
	}
	s.Tests = tests
}

func (s *State) concerns(print string) bool {
	return s.has(print) || s.Waiting != nil && s.Waiting.has(print) || s.Previous != nil && s.Previous.has(print) || s.Older != nil && s.Older.has(print)
}
