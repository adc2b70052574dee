// Package source is what every source of credentials speaks: what is asked for, what comes back, and what went wrong
// in words that a user can act on.
package source

import (
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// Request says what to read.
type Request struct {
	// Registries are the registries of the spec: no other entry comes back.
	Registries []v1alpha1.Registry
	// PerHost has the entries come back under the hosts of the registries.
	PerHost bool
	// Source is the place to read.
	Source v1alpha1.Source
	// Salt keys the digest that serves as revision where the source has no versions of its own. It is random, secret and
	// kept as long as revisions are compared: 16 bytes or more.
	Salt []byte
	// MaxAge is how old an answer may be that another object with the same place got already. Zero asks the source again.
	MaxAge time.Duration
	// Forward asks for what the source's leading server holds, whichever server takes the request: others may be behind. Such a
	// read is never answered with what another object got, whatever MaxAge says. A source without such servers, or one that is not
	// set up for it, reads as always.
	Forward bool
	// State is the source's own name for a state that the answer is to hold at least: that of News. Empty where any will do.
	State string
}

// News says that a source may have another value at a place.
type News struct {
	Place Place
	// Time is from when on an answer is wanted. It may lie ahead, so that not all are asked for at once.
	Time time.Time
	// State is the source's own name for the state that has the value. Empty where it has none.
	State string
}

// NewRequest is the request for a spec.
func NewRequest(spec *v1alpha1.RegistryCredentialSpec, salt []byte, maxAge time.Duration) Request {
	return Request{Registries: spec.Registries, PerHost: spec.Target.PerHost(), Source: spec.Source, Salt: salt, MaxAge: maxAge}
}

// Snapshot is a credential as it was read.
type Snapshot struct {
	// Config holds one entry for each registry that was asked for, under its canonical docker config key.
	Config dockerconfig.Config
	// Revision names the value. It is compared for equality only and gives nothing of the value away.
	Revision string
	// ReadTime is when the source was asked: whatever had been written by then is in the value. It is before the request where an
	// answer was shared.
	ReadTime time.Time
	// CreatedTime is when the value was written. Zero where the source does not say.
	CreatedTime time.Time
	// Version is the source's own count of values written at the place, from 1 on. It begins again when the place was removed and
	// written again. Zero where the source does not count.
	Version int64
	// ExpireTime is when the credential ends. Zero where that is not known.
	ExpireTime time.Time
	// RotateTime is when the source announces that it puts another value in the place of this one. Zero where it announces nothing.
	RotateTime time.Time
	// Minted says that each read makes a new credential, so that it is read again only when it nears its end: never of itself, where that is
	// not known.
	Minted bool
	// Lease is what has to be released when the credential is no longer used. Nil where there is none.
	Lease *Lease
	// Findings are forms in the source or the spec that a kubelet could not have used, such as a line break after the password.
	// They were put right in Config. They hold nothing of the value.
	Findings []dockerconfig.Finding
}

// Lease is the source's own handle on a credential that it made for us.
type Lease struct {
	// Member of spec.source from which it came. Empty in records of operators that knew Vault alone.
	Member string `json:"member,omitempty"`
	// Connection is the name of the VaultConnection through which it was read.
	Connection string `json:"connection"`
	// ID names the lease at the source.
	ID string `json:"id"`
	// Renewable says whether the source would prolong it.
	Renewable bool `json:"renewable,omitempty"`
	// Spent says that the source did not prolong it any more, though it could be.
	Spent bool `json:"spent,omitempty"`
	// Term is for how long it was given at first. Zero in records of operators that prolonged none: these are left to their end.
	Term time.Duration `json:"term,omitempty"`
	// Duration of the lease from Obtained on, in nanoseconds when encoded.
	Duration time.Duration `json:"duration"`
	// Obtained is when it began, or was last prolonged.
	Obtained time.Time `json:"obtained"`
	// LoginEnds is when the login ends with which it was asked for, and the lease with it. Zero where that does not end.
	LoginEnds time.Time `json:"loginEnds,omitzero"`
	// Limit is the end of which the credential itself tells: nothing moves it. Zero where it tells of none.
	Limit time.Time `json:"limit,omitzero"`
}

// Renews reports whether it is prolonged. Where the credential reaches its own limit already, that would move nothing.
func (l *Lease) Renews() bool {
	return l != nil && l.Renewable && !l.Spent && l.Term > 0 && (l.Limit.IsZero() || l.End().Before(l.Limit))
}

// End is when the credential ends as far as is known: with its lease, with the login that asked for it, or at its own limit.
func (l *Lease) End() time.Time {
	end := l.Obtained.Add(l.Duration)
	for _, other := range []time.Time{l.LoginEnds, l.Limit} {
		if !other.IsZero() && other.Before(end) {
			end = other
		}
	}
	return end
}
