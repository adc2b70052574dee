package rotation

import "time"

// changed are the accounts of the value before that are not in use any more. There must be a value before.
func (s *State) changed() []Account {
	var changed []Account
	for _, account := range s.Previous.Accounts {
		if !s.has(account.Print) {
			changed = append(changed, account)
		}
	}
	return changed
}

// OfPrevious sums up what registries say of the part of the value before that is not in use any more. There must be a value before.
// One registry that accepts it is enough: there it can be used. Refused it is where all of them refuse it.
func (s *State) OfPrevious(spec *Spec) (Verdict, Test) {
	sum, decided := Rejected, Test{}
	accounts := s.changed()
	if len(accounts) == 0 {
		return Unknown, Test{}
	}
	for _, account := range accounts {
		switch verdict, test := s.ofBefore(spec, account); {
		case verdict == Accepted:
			return verdict, test
		case sum == Rejected:
			sum, decided = verdict, test
		}
	}
	return sum, decided
}

// PreviousRefused is when the registries last refused the part of the value before that is not in use any more, also where that counts for
// nothing, because they may have refused everything then. Zero where one of them did not. There must be a value before.
func (s *State) PreviousRefused(spec *Spec) time.Time {
	var at time.Time
	for _, account := range s.changed() {
		test := s.test(spec, account)
		if test.Verdict != Rejected {
			return time.Time{}
		}
		at = latest(at, test.Time)
	}
	return at
}

// ofBefore is what a registry says of an account of the value before. That it accepted it while it was in use says nothing of it now:
// whoever rotates may have revoked it with the same step. A refusal counts where the registry took the value in use before and after it:
// an account that is locked has both refused.
func (s *State) ofBefore(spec *Spec, account Account) (Verdict, Test) {
	test := s.test(spec, account)
	switch {
	case test.Verdict == Accepted && !test.Time.Before(s.Previous.ReplacedTime):
		return Accepted, test
	case test.Verdict == Rejected && s.inUseAt(spec, account).acceptedAround(test.Time):
		return Rejected, test
	}
	return Unknown, test
}

// acceptedAround reports whether the registry took all of it at a time: before and after it, without a refusal in between. It is true where
// nothing is in use there.
func (o inUse) acceptedAround(t time.Time) bool {
	for _, test := range o.tests {
		if test.Verdict != Accepted || test.Since.After(t) || test.Time.Before(t) {
			return false
		}
	}
	return true
}

// acceptedFrom is since when the registry takes all of it without a refusal in between, zero where it does not.
func (o inUse) acceptedFrom() time.Time {
	var since time.Time
	for _, test := range o.tests {
		if test.Verdict != Accepted {
			return time.Time{}
		}
		since = latest(since, test.Since)
	}
	return since
}

// previousEnds says why the value before is no longer kept, empty where it is.
func (s *State) previousEnds(spec *Spec, now time.Time) End {
	before := s.Previous
	if before == nil || before.End != "" {
		return ""
	}
	switch {
	case !before.ExpireTime.IsZero() && !now.Before(before.ExpireTime):
		return EndExpired
	case s.gaveBack(&before.Value):
		return EndExpired
	case s.beforeIsRefused(spec):
		return EndRefused
	case before.Config == nil, !now.Before(before.ReplacedTime.Add(PreviousKept)): // a record too large for both was read without it
		return EndNotKept
	}
	return ""
}

// beforeIsRefused reports whether the registries refuse all of the value before that is not in use any more, and take the one in use.
func (s *State) beforeIsRefused(spec *Spec) bool {
	if inUse, _ := s.Of(spec, &s.Value); inUse != Accepted {
		return false
	}
	said, _ := s.OfPrevious(spec)
	return said == Rejected
}

// refusedBefore is when a registry refused the value before, where it is not known that it took the value in use at that time. Zero where
// nothing depends on that.
func (s *State) refusedBefore(spec *Spec, account Account, inUse Test) time.Time {
	if s.Previous == nil || s.Previous.Config == nil || inUse.Verdict != Accepted {
		return time.Time{}
	}
	var since time.Time
	for _, other := range s.Previous.at(account) {
		if test := s.test(spec, other); test.Verdict == Rejected && !s.has(other.Print) {
			since = latest(since, test.Time)
		}
	}
	return since
}

// previousTestAt: the value before is tested once the value in use is everywhere, slowly after that, and where the value in use is
// refused.
func (s *State) previousTestAt(spec *Spec, account Account) time.Time {
	if s.has(account.Print) {
		return never
	}
	if refused := s.refusedSince(spec); !refused.IsZero() {
		if s.attempt(spec, account).Before(refused) {
			return s.soon(account)
		}
		return s.testAt(spec, account, spec.Verify, spec.Verify)
	}
	test, slow := s.test(spec, account), max(spec.Verify, previousInterval)
	wanted := s.Previous.ReplacedTime
	if test.Verdict == Rejected { // perhaps because the account was locked: then the one in use was refused, too
		wanted = latest(wanted, s.inUseAt(spec, account).acceptedFrom())
	}
	if s.Delivered && s.attempt(spec, account).Before(wanted) {
		return s.soon(account)
	}
	at := s.testAt(spec, account, slow, slow)
	if test.Verdict == Rejected {
		at = latest(at, test.Attempt.Add(slow))
	}
	if !s.Delivered { // a namespace that cannot be served does not put it off for ever
		return latest(at, s.Previous.ReplacedTime.Add(previousInterval))
	}
	return at
}
