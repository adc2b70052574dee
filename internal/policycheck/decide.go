// Package policycheck asks the API server whether the operator's admission policies stand, and stops its writes of Secrets where they
// do not. RBAC cannot say what the policies say, and a renamed ServiceAccount or a forgotten transformer leaves them without effect.
package policycheck

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Answer of the API server to one probe.
type Answer int

const (
	// Unknown means that the probe was not answered, such as by an API server that is busy or does not run.
	Unknown Answer = iota
	// Stands means that the policy refused the probe.
	Stands
	// Inapplicable means that there is nothing to refuse: RBAC does not grant the right, or the object is not there.
	Inapplicable
	// Missing means that the API server would have done what the policy must refuse.
	Missing
)

// Judge says what an answer to a dry run tells of the policy that must refuse it.
func Judge(policy string, err error) Answer {
	switch {
	case err == nil:
		return Missing
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+policy+"'"):
		return Stands
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy"), apierrors.IsNotFound(err):
		return Inapplicable
	case apierrors.IsForbidden(err):
		return Inapplicable // RBAC: a right that is not there needs no policy
	}
	return Unknown
}

// State of the fence as far as it is known.
type State struct {
	// Known is true once a round of probes was answered.
	Known bool
	// Missing names, in order, the policies that do not stand. Empty where all do.
	Missing []string
}

// Standing reports whether Secrets may be written.
func (s State) Standing() bool { return s.Known && len(s.Missing) == 0 }

// Decide gives the state after a round of probes. What is missing counts at once. Where nothing is missing and a probe was not answered,
// the state stays as it was: an API server that is away for a while stops no operator, and opens nothing either.
func Decide(before State, answers map[string]Answer) State {
	after := State{Known: true}
	unknown := false
	for policy, answer := range answers {
		switch answer {
		case Missing:
			after.Missing = append(after.Missing, policy)
		case Unknown:
			unknown = true
		}
	}
	if len(after.Missing) == 0 && unknown {
		return before
	}
	slices.Sort(after.Missing)
	return after
}
