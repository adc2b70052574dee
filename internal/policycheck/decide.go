// Package policycheck asks the API server whether the operator's admission policies stand, and stops its writes of Secrets where they
// do not. RBAC cannot say what the policies say, and a renamed ServiceAccount or a forgotten transformer leaves them without effect.
package policycheck

import "slices"

// Kind is what an answer of the API server says of a policy.
type Kind int

const (
	// Unknown means that the policy was not asked: the API server is busy or away, or somebody else refused the probe before.
	Unknown Kind = iota
	// Stands means that the policy refused the probe.
	Stands
	// Inapplicable means that there is nothing to refuse: RBAC does not grant the right, or the object is not there.
	Inapplicable
	// Missing means that the API server would have done what the policy must refuse.
	Missing
)

// Answer of the API server to one probe.
type Answer struct {
	Kind
	// By names who refused the probe in the place of the policy: a webhook, or another policy. Empty otherwise.
	By string
}

// State of the fence as far as it is known.
type State struct {
	// Known is true once a round of probes was answered.
	Known bool
	// Missing names, in order, the policies that do not stand. Empty where all do.
	Missing []string
	// Hidden names, in order, the policies that could not be asked in the last round because HiddenBy refused the probes.
	Hidden, HiddenBy []string
}

// Standing reports whether Secrets may be written.
func (s State) Standing() bool { return s.Known && len(s.Missing) == 0 }

func (s State) equal(other State) bool {
	return s.Known == other.Known && slices.Equal(s.Missing, other.Missing) && slices.Equal(s.Hidden, other.Hidden) &&
		slices.Equal(s.HiddenBy, other.HiddenBy)
}

// Decide gives the state after a round of probes. What is missing counts at once. Where nothing is missing and a policy was not asked,
// nothing opens and nothing closes: an API server that is away for a while stops no operator, and a webhook that refuses the probe does
// not make a policy stand.
func Decide(before State, answers map[string]Answer) State {
	after := State{Known: true}
	unknown := false
	for policy, answer := range answers {
		switch {
		case answer.Kind == Missing:
			after.Missing = append(after.Missing, policy)
		case answer.Kind == Unknown && answer.By != "":
			after.Hidden, after.HiddenBy = append(after.Hidden, policy), append(after.HiddenBy, answer.By)
			unknown = true
		case answer.Kind == Unknown:
			unknown = true
		}
	}
	if len(after.Missing) == 0 && unknown {
		after.Known, after.Missing = before.Known, before.Missing
		if len(after.Hidden) == 0 {
			after.Hidden, after.HiddenBy = before.Hidden, before.HiddenBy // nothing was learnt
		}
	}
	for _, names := range []*[]string{&after.Missing, &after.Hidden, &after.HiddenBy} {
		*names = slices.Compact(slices.Sorted(slices.Values(*names)))
	}
	return after
}

// settled reports whether every policy was asked and stands, so that it is enough to ask hourly.
func settled(answers map[string]Answer) bool {
	for _, answer := range answers {
		if answer.Kind != Stands {
			return false
		}
	}
	return true
}
