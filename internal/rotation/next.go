package rotation

import (
	"slices"
	"time"
)

// Do is what is done next.
type Do string

const (
	// Read asks the source.
	Read Do = "Read"
	// Renew has the source prolong the lease of a value that is in use or waits.
	Renew Do = "Renew"
	// Ask asks one registry about one account.
	Ask Do = "Ask"
	// Publish puts the candidate in use.
	Publish Do = "Publish"
	// Restore puts the value before in use again.
	Restore Do = "Restore"
	// DropPrevious stops keeping the value before.
	DropPrevious Do = "DropPrevious"
	// Release gives one lease back.
	Release Do = "Release"
	// GiveUp leaves a lease that could not be given back to its own end.
	GiveUp Do = "GiveUp"
	// Rest does nothing until a time.
	Rest Do = "Rest"
)

// Step is one thing to do.
type Step struct {
	Do Do
	// Cause of a Read.
	Cause Cause
	// Account and its Value, for Ask.
	Account Account
	// Judgement of the candidate, for Publish and Rest.
	Judgement Judgement
	// End of the value before, for DropPrevious.
	End End
	// Lease to Renew, to Release or to GiveUp.
	Lease Lease
	// Until is when to look again, for Rest. Zero where only an event changes anything.
	Until time.Time
}

// Next says what is done next. It changes nothing.
func Next(spec *Spec, s *State, now time.Time) Step {
	if spec.Suspended {
		return Step{Do: Rest}
	}
	if at, cause := s.readAt(spec); !at.After(now) {
		return Step{Do: Read, Cause: cause}
	}
	if lease, due := s.DueRenewal(spec, now); due {
		return Step{Do: Renew, Lease: Lease{Lease: lease}}
	}
	judgement, waits := s.Judge(spec, now)
	if waits && judgement.publishes() {
		return Step{Do: Publish, Judgement: judgement}
	}
	if s.restores(spec) {
		return Step{Do: Restore}
	}
	if end := s.previousEnds(spec, now); end != "" {
		return Step{Do: DropPrevious, End: end}
	}
	tests := s.tests(spec, now)
	if i := slices.IndexFunc(tests, func(test due) bool { return !test.at.After(now) }); i >= 0 {
		return Step{Do: Ask, Account: tests[i].account}
	}
	if lease, at := s.release(spec); lease != nil && !at.After(now) {
		return s.endOf(lease, now)
	}
	return Step{Do: Rest, Judgement: judgement, Until: s.restsUntil(spec, judgement, tests, now)}
}

// endOf a lease that is not needed any more: it is given back, or left to its own end where that failed too often.
func (s *State) endOf(lease *Lease, now time.Time) Step {
	if s.givesUp(lease, now) {
		return Step{Do: GiveUp, Lease: *lease}
	}
	return Step{Do: Release, Lease: *lease}
}

// restsUntil is the first time at which Next may say something else.
func (s *State) restsUntil(spec *Spec, judgement Judgement, tests []due, now time.Time) time.Time {
	until := never
	consider := func(t time.Time) {
		if t.After(now) {
			until = earliest(until, t)
		}
	}
	read, _ := s.readAt(spec)
	consider(read)
	consider(judgement.Until)
	for _, test := range tests {
		consider(test.at)
	}
	for _, began := range s.Testing {
		consider(began.Add(testLimit))
	}
	if lease, at := s.release(spec); lease != nil {
		consider(at)
	}
	if lease, at := s.renewal(spec); lease != nil {
		consider(at)
	}
	if s.Previous != nil && s.Previous.Config != nil {
		consider(s.Previous.ReplacedTime.Add(PreviousKept))
		consider(s.Previous.ExpireTime)
	}
	consider(s.ExpireTime)
	if until.Equal(never) {
		return time.Time{}
	}
	return until
}

// restores reports whether a registry refuses the value in use and all of them take the one before. That happens once for each value,
// and only where both are for the same registries.
func (s *State) restores(spec *Spec) bool {
	before := s.Previous
	if before == nil || before.Config == nil || !spec.verifies() || s.RestoredOver == s.Digest {
		return false
	}
	if before.SpecHash != spec.SpecHash || s.Value.SpecHash != spec.SpecHash || s.gaveBack(&before.Value) {
		return false
	}
	since, refuses := s.refusedSince(spec), false
	for _, account := range s.Accounts {
		if before.has(account.Print) { // the same login: going back changes nothing there
			continue
		}
		refuses = refuses || s.verdict(spec, account) == Rejected
		if !s.acceptsBefore(spec, account, since) {
			return false
		}
	}
	return refuses
}

// acceptsBefore reports whether the registry took the value before after it began to refuse the one in use.
func (s *State) acceptsBefore(spec *Spec, account Account, since time.Time) bool {
	for _, account := range s.Previous.at(account) {
		if test := s.test(spec, account); test.Verdict == Accepted && !test.Time.Before(since) {
			return true
		}
	}
	return false
}
