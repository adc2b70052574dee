package delivery

import (
	"sync"

	"regcred.dev/regcred/api/v1alpha1"
)

// departed remembers the RegistryCredentials that were deleted with deletionPolicy Delete. Their entries go, also where one was
// written at the very moment in which the object went: without this it would look like one that must be retained.
type departed struct {
	mu    sync.Mutex
	names map[string]bool
}

// note takes in what the watch tells of a RegistryCredential, in the order in which it tells it.
func (d *departed) note(credential *v1alpha1.RegistryCredential) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if credential.DeletionTimestamp == nil || credential.Spec.Policy() != v1alpha1.DeletionDelete {
		delete(d.names, credential.Name)
		return
	}
	if d.names == nil {
		d.names = map[string]bool{}
	}
	d.names[credential.Name] = true
}

func (d *departed) includes(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[name]
}
