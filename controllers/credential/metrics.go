package credential

import (
	"time"

	"regcred.dev/regcred/internal/rotation"
)

// Metrics counts what the controller does. Labels are bounded by the number of RegistryCredentials.
type Metrics interface {
	// Verified counts tests by verdict.
	Verified(credential, verdict string)
	// RotationSeen observes how long after its creation at the source a value was published.
	RotationSeen(credential string, after time.Duration)
	// Observe notes the state after a run.
	Observe(credential string, ready bool, selected, synced int, expires time.Time)
	// Refused notes whether the registry refuses the value in use, and how many running pods that endangers.
	Refused(credential string, refused bool, podsAtRisk int)
	// Troubles notes how many namespaces are not served, by reason, and how many pods are stuck.
	Troubles(credential string, failing map[string]int, stuck int)
	// Schedule notes when the source was read and a registry was asked, and when that is next due.
	Schedule(credential string, schedule rotation.Schedule)
	// Forget drops what is known of a RegistryCredential that is gone.
	Forget(credential string)
}
