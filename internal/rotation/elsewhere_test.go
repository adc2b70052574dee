package rotation

import (
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// What is said of images in use follows what was found last, and does not change while only the sample is another one.
func TestWhereImagesAreFromIsKeptWhileItIsStillFound(t *testing.T) {
	spec := &Spec{Mode: v1alpha1.VerifyPull}
	account := Account{Print: "one", Host: "r.example", Keys: []string{"r.example"}}
	s := &State{}
	s.Accounts = []Account{account}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		name    string
		verdict Verdict
		found   []string
		want    []string
	}{
		{"found", Unknown, []string{"a", "b"}, []string{"a", "b"}},
		{"another sample has the first, too", Unknown, []string{"a", "c"}, []string{"a", "b"}},
		{"another sample lacks it", Accepted, []string{"c"}, []string{"c"}},
		{"an image of the registry is in use", Accepted, nil, nil},
	} {
		now = now.Add(time.Minute)
		s.NoteAttempt(account, now)
		s.NoteAnswer(account, spec.Question(account), Answer{Verdict: step.verdict, Elsewhere: step.found}, now)
		if got := s.Test(spec, account).Elsewhere; !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
	s.NoteAnswer(account, spec.Question(account), Answer{Verdict: Accepted, Elsewhere: []string{"a"}}, now)
	s.NoteAside(account, spec.Question(account), Answer{Verdict: Accepted}, now)
	if got := s.Test(spec, account).Elsewhere; !slices.Equal(got, []string{"a"}) {
		t.Errorf("a test of another value says nothing of the images: %q", got)
	}
	if got := s.Test(&Spec{Mode: v1alpha1.VerifyLogin}, account).Elsewhere; got != nil {
		t.Errorf("it is said for another question: %q", got)
	}
}
