package delivery

import (
	"sync"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// departedFor is how long a RegistryCredential that was deleted is remembered: a write that was under way when the object went is
// over by then, and the slow pass looked at its place twice.
const departedFor = 2 * safetyPass

// departed remembers the RegistryCredentials that were let go with deletionPolicy Delete, because nothing was left of them. Their entries go, also
// where one was written at the very moment in which the object went: without this it would look like one that must be retained. Whoever takes the
// finalizer off by hand wants the entries to stay.
type departed struct {
	mu sync.Mutex
	// names, and when nothing was left.
	names map[string]time.Time
}

// leaves notes that nothing is left of a RegistryCredential that is being deleted, so that it is let go.
func (d *departed) leaves(name string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for known, at := range d.names {
		if now.Sub(at) > departedFor {
			delete(d.names, known)
		}
	}
	if d.names == nil {
		d.names = map[string]time.Time{}
	}
	d.names[name] = now
}

// note takes in what the watch tells of a RegistryCredential: one that was made again, or whose entries are to be retained now, did not depart.
func (d *departed) note(credential *v1alpha1.RegistryCredential) {
	if credential.DeletionTimestamp != nil && credential.Spec.Policy() == v1alpha1.DeletionDelete {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, credential.Name)
}

func (d *departed) includes(name string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, departed := d.names[name]
	return departed && now.Sub(at) <= departedFor
}
