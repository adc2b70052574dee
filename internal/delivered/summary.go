package delivered

import (
	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// Named is how many namespaces a Summary names of each kind.
const Named = 20

// Summary sums up what became of one RegistryCredential under one Secret name. Namespaces that are being deleted are neither
// selected nor unselected.
type Summary struct {
	// Generation of the RegistryCredential whose selection is known. Zero while none is: nothing can be said of all namespaces yet.
	Generation int64
	// Selected namespaces, and those of them that delivery did not look at since the start.
	Selected, Unknown int
	// Unselected namespaces that still hold entries, under whatever Secret name: they wait for a removal or its confirmation.
	Unselected int
	// Right counts the selected namespaces in which Secret and ServiceAccounts are right, by what they are right for.
	Right map[Served]int
	// Present counts the selected namespaces in which the Secret is right, whatever is wrong with ServiceAccounts, by what is in it.
	Present map[Version]int
	// Holding counts the Secrets in all namespaces, selected or not and under whatever name, by what is in them.
	Holding map[Version]int
	// Causes counts the selected namespaces that are not right, by why.
	Causes map[Cause]int
	// Failures are the selected namespaces that are not right and not merely in progress, and Leaving those that are being deleted:
	// the first by name.
	Failures, Leaving []Failure
	// Findings of the first namespaces that have one, each kind once, and WithFindings the number of all such namespaces.
	Findings     []Found
	WithFindings int
}

// Served is what a namespace is right for.
type Served struct {
	Version
	Generation int64
}

// Cause is why a namespace is not right: a reason, and whether it lies with a ServiceAccount.
type Cause struct {
	Reason          string
	ServiceAccounts bool
}

func (c Cause) passing() bool { return c == Cause{Reason: v1alpha1.ReasonProgressing} }

// Failure is one namespace that is not right.
type Failure struct {
	Namespace string
	Delivery  Delivery
}

// Found is an entry that no kubelet can use, the first namespace that has it, and in how many it is.
type Found struct {
	Finding    dockerconfig.Finding
	Namespace  string
	Namespaces int
}

// Synced counts the selected namespaces that are right for a version and a generation.
func (s Summary) Synced(version Version, generation int64) int {
	return s.Right[Served{version, generation}]
}

// Lacking counts the selected namespaces whose Secret does not have a value, under whatever revision: what is wrong with a ServiceAccount
// changes nothing of what pods have.
func (s Summary) Lacking(value Version) int { return s.Selected - with(s.Present, value) }

// Everywhere reports whether the Secrets of all namespaces that are selected for a generation have a value, and it is known which those are.
// It is true where none is selected.
func (s Summary) Everywhere(value Version, generation int64) bool {
	return s.Generation == generation && s.Lacking(value) == 0
}

// Holds counts the Secrets, in namespaces that are selected or not, that hold a value, under whatever revision.
func (s Summary) Holds(value Version) int { return with(s.Holding, value) }

// with counts those that have a value.
func with(counts map[Version]int, value Version) int {
	count := 0
	for version, number := range counts {
		if version.SameValue(value) {
			count += number
		}
	}
	return count
}

// HoldsOther counts those that hold another value.
func (s Summary) HoldsOther(value Version) int {
	count := -s.Holds(value)
	for _, secrets := range s.Holding {
		count += secrets
	}
	return count
}

// Failed counts the selected namespaces that are not right for a reason, those whose ServiceAccounts are at fault or the others.
// What is merely in progress does not count.
func (s Summary) Failed(serviceAccounts bool) int {
	count := 0
	for cause, namespaces := range s.Causes {
		if cause.ServiceAccounts == serviceAccounts && !cause.passing() {
			count += namespaces
		}
	}
	return count
}
