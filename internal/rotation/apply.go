package rotation

import (
	"slices"
	"time"
)

// PreviousKept is how long the value before is kept.
const PreviousKept = 24 * time.Hour

// Publish puts the candidate in use. The value in use becomes the previous one.
func (s *State) Publish(spec *Spec, now time.Time) {
	waiting := s.candidate(spec)
	s.forgetAccepted(waiting)
	next := waiting.Value
	next.Use = Use{ChangeTime: now, Generation: spec.Generation} // what became of it when it was in use before says nothing now
	if verdict, _ := s.Of(spec, &next); verdict == Accepted {
		next.VerifiedTime, next.Proof = now, s.proofOf(spec, &next)
	}
	held := s.held()
	s.replace(next, now)
	s.Waiting, s.Older = nil, nil
	s.discardLost(held, now)
}

// forgetAccepted forgets the acceptance of a value that comes back and was not accepted again: it is published unproven. That is so whatever was
// asked: the question of before may be asked again, such as after spec.verification.mode was Disabled for a while.
func (s *State) forgetAccepted(waiting *Waiting) {
	for _, account := range waiting.Accounts {
		inUse := s.Published() && s.has(account.Print)
		if test := s.Tests[account.Print]; test.Verdict == Accepted && test.Time.Before(waiting.FirstSeen) && !inUse {
			test.Verdict, test.Time, test.Since, test.Repeats = "", time.Time{}, time.Time{}, 0
			s.Tests[account.Print] = test
		}
	}
}

// replace changes the value in use. One that never worked does not push out a value before that is still kept and did, and neither does
// one of which every login stays in use: that there are other registries now is no rotation, and nothing of it may be revoked.
func (s *State) replace(next Value, now time.Time) {
	if s.Published() && !keepsLogins(&next, &s.Value) {
		neverWorked := s.VerifiedTime.IsZero() && s.Previous != nil && s.Previous.Config != nil && !s.Previous.VerifiedTime.IsZero()
		if !neverWorked || keepsLogins(&next, &s.Previous.Value) {
			s.Previous = &Previous{Value: s.Value, ReplacedTime: now}
		}
	}
	if s.Previous != nil && keepsLogins(&next, &s.Previous.Value) {
		s.Previous = nil
	}
	s.Value = next
	s.Delivered = false
}

// keepsLogins reports whether a value has each user name and password of another one, at whatever registry.
func keepsLogins(next, before *Value) bool {
	if before.Config == nil { // its content is not kept any more
		return !slices.ContainsFunc(before.Accounts, func(a Account) bool { return !next.has(a.Print) })
	}
	for _, login := range before.Config {
		kept := false
		for _, other := range next.Config {
			kept = kept || other.Equal(login)
		}
		if !kept {
			return false
		}
	}
	return true
}

// Restore puts the value before in use again: the registry takes it and refuses the one that replaced it. That one waits from now on, unless
// the source has another one since.
func (s *State) Restore(spec *Spec, now time.Time) {
	held, replaced, before := s.held(), s.Value, s.Previous.Value
	s.RestoredOver = replaced.Digest
	before.ChangeTime, before.Generation = now, spec.Generation
	s.Value, s.Previous, s.Older = before, nil, nil
	if s.Waiting == nil || s.Waiting.Digest == before.Digest {
		s.Waiting = &Waiting{Value: replaced, FirstSeen: now}
	}
	s.Delivered = false
	s.NoteVerdict(spec, now)
	s.discardLost(held, now)
}

// DropPrevious stops keeping the value before. Why it ended is kept.
func (s *State) DropPrevious(end End) {
	s.Previous.Config, s.Previous.End = nil, end
}
