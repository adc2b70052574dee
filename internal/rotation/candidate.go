package rotation

import "time"

// Fate is what becomes of a new value now.
type Fate string

const (
	// Refuse: a registry refuses it.
	Refuse Fate = "Refuse"
	// Hold: it waits for an answer, until a time.
	Hold Fate = "Hold"
	// HoldOn: the registry says nothing of it, and accepts the value in use or refused the new one while that was in use. It waits for an
	// answer, or for a person.
	HoldOn Fate = "HoldOn"
	// PublishProven: every registry accepts it.
	PublishProven Fate = "PublishProven"
	// PublishUnproven: nothing better is known.
	PublishUnproven Fate = "PublishUnproven"
)

// Judgement is the fate of a new value, and why.
type Judgement struct {
	Fate Fate
	// Until is when it is published unproven, zero where no time alone decides.
	Until time.Time
	// Account that decided, and what was said of it.
	Account Account
	Message string
}

func (j Judgement) publishes() bool { return j.Fate == PublishProven || j.Fate == PublishUnproven }

// candidate is the value that may be published: one that waits and whose content this process has; or else an older answer, while the
// value in use is refused. It is nil where there is none.
func (s *State) candidate(spec *Spec) *Waiting {
	if s.Waiting != nil {
		if s.Waiting.Config == nil || s.Waiting.SpecHash != spec.SpecHash {
			return nil
		}
		return s.Waiting
	}
	if s.Older == nil || s.Older.SpecHash != spec.SpecHash {
		return nil
	}
	if verdict, _ := s.Of(spec, &s.Value); verdict != Rejected {
		return nil
	}
	return &Waiting{Value: s.Older.Value, FirstSeen: latest(s.Older.Since, s.refusedSince(spec))}
}

// accepts reports whether a registry accepts an account of a new value, and said so since the value came, or of the value in use. An
// earlier answer proves nothing of a value that comes back: whoever replaced it may have revoked it.
func (s *State) accepts(spec *Spec, waiting *Waiting, account Account) bool {
	test := s.test(spec, account)
	return test.Verdict == Accepted && (!test.Time.Before(waiting.FirstSeen) || s.Published() && s.has(account.Print))
}

// Judge says what becomes of the value that waits. It reports false where none does. One whose content another process had is judged by
// what is known of it, and not published before it is read again.
func (s *State) Judge(spec *Spec, now time.Time) (Judgement, bool) {
	waiting := s.candidate(spec)
	if waiting == nil && s.Waiting != nil && s.Waiting.SpecHash == spec.SpecHash {
		waiting = s.Waiting
	}
	if waiting == nil {
		return Judgement{}, false
	}
	judgement := s.judge(spec, waiting, s.Waiting == nil, now)
	if waiting.Config == nil && judgement.publishes() {
		judgement = Judgement{Fate: Hold, Message: "its content is not kept and is read from the source again"}
	}
	return judgement, true
}

func (s *State) judge(spec *Spec, waiting *Waiting, older bool, now time.Time) Judgement {
	if !spec.verifies() {
		return Judgement{Fate: PublishUnproven}
	}
	worst := Judgement{Fate: PublishProven}
	for _, account := range waiting.Accounts {
		judged := s.judgeAccount(spec, waiting, account, now)
		if judged.Fate == PublishUnproven && older {
			judged.Fate = HoldOn // only one that is accepted makes up for its age
		}
		worst = graver(worst, judged)
	}
	return worst
}

// judgeAccount is the heart of publication: what one registry says of a new value, against what it says of the value in use there.
func (s *State) judgeAccount(spec *Spec, waiting *Waiting, account Account, now time.Time) Judgement {
	test := s.test(spec, account)
	judged := Judgement{Account: account, Message: test.Message}
	if s.accepts(spec, waiting, account) {
		judged.Fate = PublishProven
		return judged
	}
	if s.Published() && s.has(account.Print) { // the same login is in use there already: nothing changes
		judged.Fate = PublishUnproven
		return judged
	}
	old := s.inUseAt(spec, account)
	if test.Verdict == Rejected {
		judged.Fate = Refuse
		if old.refusedWith(test, spec.Hold) && s.RestoredOver != waiting.Digest {
			judged.Fate = PublishUnproven
		}
		return judged
	}
	judged.Message = test.Said
	judged.Fate, judged.Until = s.judgeSilence(spec, waiting, account, old, now)
	return judged
}

// judgeSilence is for a registry that says nothing of a new value.
func (s *State) judgeSilence(spec *Spec, waiting *Waiting, account Account, old inUse, now time.Time) (Fate, time.Time) {
	until := s.heldUntil(spec, waiting, account, old)
	if asked := !s.attempt(spec, account).Before(waiting.FirstSeen); !asked || s.testing(account.Print, now) {
		return Hold, latest(until, now)
	}
	switch {
	case spec.publishes(waiting):
		return PublishUnproven, time.Time{}
	case s.RestoredOver == waiting.Digest: // it was in use and did not work: that is made up for by an acceptance
		return HoldOn, time.Time{}
	case old.refused():
		return PublishUnproven, time.Time{}
	case old.exists() && !old.attempted(waiting.FirstSeen):
		return Hold, latest(until, now)
	case old.acceptedSince(waiting.FirstSeen):
		return HoldOn, time.Time{}
	case now.Before(until):
		return Hold, until
	}
	return PublishUnproven, time.Time{}
}

// heldUntil is when a new value of which a registry says nothing is published. It is not held where the one in use has ended, and the
// registry did not accept that since.
func (s *State) heldUntil(spec *Spec, waiting *Waiting, account Account, old inUse) time.Time {
	if !s.ExpireTime.IsZero() && old.attempted(s.ExpireTime) && !old.acceptedSince(s.ExpireTime) {
		return waiting.FirstSeen
	}
	return latest(waiting.Since(), s.test(spec, account).Since).Add(spec.Hold)
}

// publishes reports whether a person wants this value published without a proof.
func (s *Spec) publishes(waiting *Waiting) bool {
	return s.PublishRevision != "" && s.PublishRevision == waiting.Revision
}

func (s *State) testing(print string, now time.Time) bool {
	began, running := s.Testing[print]
	return running && now.Sub(began) < testLimit
}

// graver of two judgements: one registry that refuses is enough.
func graver(a, b Judgement) Judgement {
	rank := map[Fate]int{PublishProven: 0, PublishUnproven: 1, Hold: 2, HoldOn: 3, Refuse: 4}
	switch {
	case rank[b.Fate] > rank[a.Fate]:
		return b
	case b.Fate == Hold && a.Fate == Hold && b.Until.After(a.Until):
		return b
	}
	return a
}

// inUse is what a registry says of the value in use there.
type inUse struct{ tests []Test }

func (s *State) inUseAt(spec *Spec, account Account) inUse {
	if !s.Published() {
		return inUse{}
	}
	var old inUse
	for _, mine := range s.at(account) {
		test := s.test(spec, mine)
		test.Attempt = s.attempt(spec, mine)
		if s.running(mine.Print) {
			test.Attempt = time.Time{} // it has not ended yet
		}
		old.tests = append(old.tests, test)
	}
	return old
}

// running reports whether a test of an account was begun and its end was not noted.
func (s *State) running(print string) bool {
	_, running := s.Testing[print]
	return running
}

func (o inUse) exists() bool { return len(o.tests) > 0 }

// refused reports whether the registry refuses all of it.
func (o inUse) refused() bool {
	for _, test := range o.tests {
		if test.Verdict != Rejected {
			return false
		}
	}
	return o.exists()
}

// refusedWith reports whether value in use and new value were both refused for a time, with no other answer in between. Then there is
// nothing left to protect: perhaps the account is locked by what the nodes still send.
func (o inUse) refusedWith(other Test, hold time.Duration) bool {
	if !o.refused() {
		return false
	}
	for _, test := range o.tests {
		began := latest(test.Since, other.Since)
		if test.Time.Before(began.Add(hold)) || other.Time.Before(began.Add(hold)) {
			return false
		}
	}
	return true
}

func (o inUse) acceptedSince(t time.Time) bool {
	for _, test := range o.tests {
		if test.Verdict == Accepted && !test.Time.Before(t) {
			return true
		}
	}
	return false
}

// attempted reports whether the registry was asked about all of it since a time.
func (o inUse) attempted(t time.Time) bool {
	for _, test := range o.tests {
		if test.Attempt.Before(t) {
			return false
		}
	}
	return o.exists()
}
