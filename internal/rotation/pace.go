package rotation

import (
	"cmp"
	"slices"
	"time"
)

const (
	// MinInterval is the least time between two tests of one value at one registry: wrong passwords lock accounts.
	MinInterval = 30 * time.Second
	// waitingInterval is the longest wait between two tests of a new value of which the registry says nothing.
	waitingInterval = 2 * time.Minute
	// previousInterval is the least time between two tests of the value before while the registry takes it.
	previousInterval = 10 * time.Minute
	// testLimit is after what time a test that did not end counts as lost. It is longer than any test takes.
	testLimit = 2 * time.Minute
)

// backOff doubles MinInterval with each repetition, up to a limit.
func backOff(repeats int, limit time.Duration) time.Duration {
	wait := MinInterval
	for ; repeats > 1 && wait < limit; repeats-- {
		wait *= 2
	}
	return max(min(wait, limit), MinInterval)
}

// testAt is when an account of a value is tested next. period is how often an accepted value is tested, silence the longest wait where
// the registry says nothing.
func (s *State) testAt(spec *Spec, account Account, period, silence time.Duration) time.Time {
	test := s.test(spec, account)
	if test.Attempt.IsZero() {
		return s.leftAlone(account)
	}
	wait := MinInterval
	switch {
	case test.Silent > 0:
		wait = backOff(test.Silent, silence)
	case test.Verdict == Accepted:
		wait = period
	case test.Verdict == Rejected:
		wait = backOff(test.Repeats, spec.Verify)
	}
	return latest(test.Attempt.Add(max(wait, MinInterval)), s.leftAlone(account))
}

// leftAlone is until when a registry asked to be left alone, whichever login it was asked about.
func (s *State) leftAlone(account Account) time.Time {
	until := s.Tests[account.Print].NotBefore
	for _, test := range s.Tests {
		if test.Registry == account.Host {
			until = latest(until, test.NotBefore)
		}
	}
	return until
}

// soon is as early as an account may be tested again.
func (s *State) soon(account Account) time.Time {
	test, at := s.Tests[account.Print], s.leftAlone(account)
	if test.Attempt.IsZero() {
		return at
	}
	return latest(test.Attempt.Add(MinInterval), at)
}

// never is later than anything that is due.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// due is one test and when it is to be made.
type due struct {
	account Account
	at      time.Time
}

// tests are all tests that are to be made, the most urgent first. A test that is under way is not made again.
func (s *State) tests(spec *Spec, now time.Time) []due {
	if !spec.verifies() {
		return nil
	}
	var all []due
	add := func(account Account, at time.Time) {
		if at.Equal(never) {
			return
		}
		if i := slices.IndexFunc(all, func(d due) bool { return d.account.Print == account.Print }); i >= 0 {
			all[i].at = earliest(all[i].at, at)
			return
		}
		all = append(all, due{account, at})
	}
	if waiting := s.candidate(spec); waiting != nil {
		for _, account := range waiting.Accounts {
			add(account, s.waitingTestAt(spec, waiting, account))
		}
	}
	if s.Published() {
		for _, account := range s.Accounts {
			add(account, s.inUseTestAt(spec, account, now))
		}
	}
	if s.Previous != nil && s.Previous.Config != nil {
		for _, account := range s.Previous.Accounts {
			add(account, s.previousTestAt(spec, account))
		}
	}
	all = slices.DeleteFunc(all, func(d due) bool {
		began, running := s.Testing[d.account.Print]
		return running && now.Sub(began) < testLimit
	})
	slices.SortStableFunc(all, func(a, b due) int { return cmp.Compare(a.at.Unix(), b.at.Unix()) })
	return all
}

// waitingTestAt: a new value is tested at once, and again until it is accepted.
func (s *State) waitingTestAt(spec *Spec, waiting *Waiting, account Account) time.Time {
	test := s.test(spec, account)
	switch {
	case s.isAskedAgain(spec, account):
		return s.soon(account)
	case test.Silent > 0:
	case s.accepts(spec, waiting, account):
		return never
	case test.Verdict == Accepted: // before it came
		return s.soon(account)
	}
	return s.testAt(spec, account, spec.Verify, min(spec.Verify, waitingInterval))
}

// inUseTestAt: the value in use is tested every period, and as soon as that may be where there is reason to: a pod was refused with it, its
// end has passed, or what is to become of a new value depends on it.
func (s *State) inUseTestAt(spec *Spec, account Account, now time.Time) time.Time {
	test := s.test(spec, account)
	at := s.testAt(spec, account, spec.Verify, spec.Verify)
	if s.attempt(spec, account).Before(s.wantedSince(spec, account, test, now)) {
		return s.soon(account)
	}
	return at
}

// wantedSince is since when an answer about an account of the value in use is wanted: an older attempt does not do.
func (s *State) wantedSince(spec *Spec, account Account, test Test, now time.Time) time.Time {
	var since time.Time
	if test.Verdict == Accepted {
		since = s.DoubtTime
	}
	if !s.ExpireTime.IsZero() && !now.Before(s.ExpireTime) && test.Verdict != Rejected {
		since = latest(since, s.ExpireTime)
	}
	since = latest(since, s.refusedBefore(spec, account, test))
	if s.isAskedAgain(spec, account) {
		since = latest(since, s.Reads.RequestTime)
	}
	if waiting := s.candidate(spec); waiting != nil {
		since = latest(since, s.wantedFor(spec, waiting, account, test))
	}
	return since
}

// wantedFor is since when an answer about an account of the value in use is wanted to judge the one that waits.
func (s *State) wantedFor(spec *Spec, waiting *Waiting, account Account, test Test) time.Time {
	var since time.Time
	for _, other := range waiting.at(account) {
		if other.Print == account.Print {
			continue
		}
		switch asked := s.test(spec, other); {
		case asked.Verdict == Rejected && test.Verdict == Accepted:
			since = latest(since, asked.Time) // each: a login that works ends a row of wrong ones, before it locks the account
		case asked.Verdict == Rejected:
			since = latest(since, asked.Since)
		case !s.accepts(spec, waiting, other) && !s.attempt(spec, other).Before(waiting.FirstSeen):
			since = latest(since, waiting.FirstSeen)
		}
	}
	return since
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// newest sorts prints by the time of their last attempt, the newest first.
func newest(prints []string, tests map[string]Test) {
	slices.SortFunc(prints, func(a, b string) int {
		return cmp.Or(tests[b].Attempt.Compare(tests[a].Attempt), cmp.Compare(a, b))
	})
}
