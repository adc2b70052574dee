package delivery

import (
	"sync"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// departedFor is how long a RegistryCredential that was deleted is remembered: a write that was under way when the object went is
// over by then, and the slow pass looked at its place twice.
const departedFor = 2 * safetyPass

// departed remembers the RegistryCredentials that were deleted with deletionPolicy Delete. Their entries go, also where one was
// written at the very moment in which the object went: without this it would look like one that must be retained.
type departed struct {
	mu sync.Mutex
	// names, and when the deletion was last told of.
	names map[string]time.Time
}

// note takes in what the watch tells of a RegistryCredential, in the order in which it tells it.
func (d *departed) note(credential *v1alpha1.RegistryCredential, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, at := range d.names {
		if now.Sub(at) > departedFor {
			delete(d.names, name)
		}
	}
	if credential.DeletionTimestamp == nil || credential.Spec.Policy() != v1alpha1.DeletionDelete {
		delete(d.names, credential.Name)
		return
	}
	if d.names == nil {
		d.names = map[string]time.Time{}
	}
	d.names[credential.Name] = now
}

func (d *departed) includes(name string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, departed := d.names[name]
	return departed && now.Sub(at) <= departedFor
}
