package delivered

import (
	"regcred.dev/regcred/internal/dockerconfig"
)

// Place is one pull Secret.
type Place struct {
	Namespace string
	Name      string
}

// LogValues name the place in a line of the log.
func (p Place) LogValues() []any { return []any{"namespace", p.Namespace, "secret", p.Name} }

// Version names what a pull Secret holds of one RegistryCredential.
type Version struct {
	// Revision is the source's own name for the value. Empty while nothing is there.
	Revision string
	// Digest of registries and credentials together: it changes with the keys, too, where the revision stays. Empty in a Secret
	// that an earlier version wrote.
	Digest string
}

// SameValue reports whether two versions are one value: the source may give the same content under several revisions.
func (v Version) SameValue(other Version) bool {
	if v.Digest == "" || other.Digest == "" {
		return v.Revision == other.Revision
	}
	return v.Digest == other.Digest
}

// Delivery is what became of one RegistryCredential in one namespace.
type Delivery struct {
	// Selected says whether the RegistryCredential selects the namespace. One that it does not select, or that is being deleted, is
	// told of while it holds entries.
	Selected bool
	// Version that is in the Secret.
	Version
	// Generation of the RegistryCredential for which Secret and ServiceAccounts were last made right. Zero while they never were
	// since the start.
	Generation int64
	// Observed is the generation of the RegistryCredential that was looked at last. Zero where nobody looked since the start.
	Observed int64
	// Reason is empty where Secret and ServiceAccounts are right, else one of the documented namespace reasons.
	Reason string
	// Message says what happened and what to do next. Empty where Reason is.
	Message string
	// ServiceAccounts is true where the fault lies with a ServiceAccount, not with the Secret.
	ServiceAccounts bool
	// Finding is an entry in the Secret that no kubelet can use, of this RegistryCredential or of nobody. Zero where there is none.
	Finding dockerconfig.Finding
	// TakenBy names the older RegistryCredential that already provides one of the registries here.
	TakenBy string
}

// hasSecret reports whether the Secret is right, whatever is wrong with ServiceAccounts.
func (d Delivery) hasSecret() bool {
	return d.Observed > 0 && d.TakenBy == "" && (d.Reason == "" || d.ServiceAccounts)
}

// Removal is what a RegistryCredential is about to lose: namespaces, or registries in namespaces.
type Removal struct {
	// Holding is how many namespaces hold entries of it.
	Holding int
	// Losing is how many of them lose entries that they hold, by the spec as it is or by the deletion of the object.
	Losing int
	// What they lose, in words after "lose". Empty where that is not known: an earlier process decided.
	What string
	// Held says that nothing is removed before a person confirms it.
	Held bool
	// ID names the removal that waits: the value that the annotation regcred.dev/confirm-removal must have. Empty where none waits.
	ID string
}
