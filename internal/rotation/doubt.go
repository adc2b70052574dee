package rotation

import (
	"slices"
	"time"
)

// InDoubt reports whether registries never accepted all of the value in use, or one refused it when it last said anything, whatever it is asked now.
func (k *Kept) InDoubt() bool {
	return k.VerifiedTime.IsZero() || !k.RefusedTime.IsZero() || k.anyRefused()
}

// anyRefused reports whether a registry refused an account of the value in use when it last said anything, whatever it was asked.
func (k *Kept) anyRefused() bool {
	return slices.ContainsFunc(k.Accounts, func(account Account) bool { return k.Tests[account.Print].Verdict == Rejected })
}

// VerdictUnnoted reports whether registries accept or refuse the value in use, and that was never noted: they did before it was in use, or while spec
// asked something else.
func (s *State) VerdictUnnoted(spec *Spec) bool {
	return s.Use.noting(s.verdictInUse(spec), time.Unix(0, 0)) != s.Use
}

// NoteVerdict notes that the registries accept the value in use, the first time that they do, or that one refuses it.
func (s *State) NoteVerdict(spec *Spec, now time.Time) {
	verdict := s.verdictInUse(spec)
	if s.Use = s.Use.noting(verdict, now); verdict == Accepted {
		s.Proof = s.proofOf(spec, &s.Value)
	}
}

func (u Use) noting(verdict Verdict, now time.Time) Use {
	switch {
	case verdict == Accepted && u.VerifiedTime.IsZero():
		u.VerifiedTime, u.RefusedTime = now, time.Time{}
	case verdict == Accepted:
		u.RefusedTime = time.Time{}
	case verdict == Rejected && u.RefusedTime.IsZero():
		u.RefusedTime = now
	}
	return u
}

// verdictInUse is what registries say of the value in use, Unknown where there is none. A refusal counts whatever was asked, until they accept the value.
func (s *State) verdictInUse(spec *Spec) Verdict {
	if !s.Published() {
		return Unknown
	}
	verdict, _ := s.Of(spec, &s.Value)
	if verdict == Unknown && s.anyRefused() {
		return Rejected
	}
	return verdict
}
