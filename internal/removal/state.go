// Package removal decides whether a RegistryCredential may be taken from namespaces at once, or whether that looks so much like a
// mistake that a person has to confirm it. It is pure: what must survive a restart is a State, which the caller keeps before he acts.
package removal

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// Window is how long a loss counts: many small ones within it are one large one.
	Window = time.Hour
	// Few namespaces may lose their entries within the window unconfirmed, and Share of those that held them, 1 in Share.
	Few, Share = 5, 5
	// MostLosses is how many losses a State remembers one by one. Older ones are added to the next.
	MostLosses = 64
)

// State is what must be known of a RegistryCredential's removals after a restart.
type State struct {
	// UID of the RegistryCredential. Another one starts afresh.
	UID types.UID `json:"uid,omitempty"`
	// Serial counts what waited and does not any more: what waits next, or once more, has another ID.
	Serial int `json:"serial,omitempty"`
	// Losses within the window that nobody confirmed.
	Losses []Loss `json:"losses,omitempty"`
	// Pending is the removal that waits for a person. Nil where none waits.
	Pending *Pending `json:"pending,omitempty"`
	// Granted is what may go now, since GrantTime, for a Window at most.
	Granted   Parts     `json:"grants,omitempty"`
	GrantTime time.Time `json:"grantTime,omitzero"`
}

// Loss is which namespaces were let go at one time.
type Loss struct {
	Time       time.Time `json:"time"`
	Namespaces Set       `json:"namespaces"`
}

// Pending is a removal that waits.
type Pending struct {
	// ID is what a person has to name to confirm it.
	ID string `json:"id"`
	// Parts are what the ID stands for.
	Parts Parts `json:"groups"`
	// Namespaces is how many were to lose something when the ID was given.
	Namespaces int `json:"namespaces"`
}

// StandsFor reports whether the ID stands for all of some parts.
func (p *Pending) StandsFor(parts ...Part) bool { return p.Parts.covers(groupsOf(parts)) }

// Outdates reports whether a State is to be kept in the place of another one that is kept. It is not where only the granted removal goes on, or
// losses became old: that is found out again.
func (s State) Outdates(kept State) bool {
	return kept.UID != s.UID || kept.Serial != s.Serial || kept.Pending != s.Pending ||
		!kept.Granted.covers(s.Granted) || !s.GrantTime.Equal(kept.GrantTime) ||
		len(kept.Granted) > 0 && len(s.Granted) == 0
}

// After is a State that was read again, by who knows that of the same grant less is left.
func (s State) After(known State) State {
	if s.GrantTime.Equal(known.GrantTime) {
		s.Granted = s.Granted.and(known.Granted)
	}
	return s
}

// Grants reports whether a part may go, as long as the window lasts.
func (s State) Grants(p Part) bool { return s.Granted.covers(PartsOf(p)) }

// Without is a State that grants nothing to a Secret any more.
func (s State) Without(namespace, secret string) State {
	s.Granted = s.Granted.without(Part{Namespace: namespace, Secret: secret}.name())
	return s
}

// LimitedTo is a State that grants nothing but what is still to be lost, and nothing to a Secret that is to lose an entry that was not granted.
func (s State) LimitedTo(losing []Part) State {
	s.Granted = s.Granted.limitedTo(slices.DeleteFunc(slices.Clone(losing), func(p Part) bool { return !s.Grants(p) }))
	return s
}

// GrantsLessThan reports whether a State grants less than another one that grants all that it does.
func (s State) GrantsLessThan(kept State) bool { return s.Granted.count() < kept.Granted.count() }
