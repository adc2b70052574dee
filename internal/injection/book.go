package injection

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Book knows what was written into the InjectionIndex, and so from when on new pods get the Secret of a RegistryCredential. Make it with
// NewBook.
type Book struct {
	// changed is called for each RegistryCredential of which something else is known than before. since is true where that is no more than
	// since when the index holds it.
	changed func(credential string, since bool)

	mu     sync.Mutex
	served map[types.UID]Entry
	// fault says why the index could not be written. Empty where it was.
	fault string
}

// NewBook returns a book in which nothing is written.
func NewBook(changed func(credential string, since bool)) *Book { return &Book{changed: changed} }

// Written notes what the index holds since a time of the API server. Whatever of it was known to be there before is there since then, unless
// the index was interrupted: it was deleted or changed meanwhile, and pods were created without it.
func (b *Book) Written(content Content, since time.Time, interrupted bool) {
	b.mu.Lock()
	before := b.served
	b.mu.Unlock()
	served := map[types.UID]Entry{}
	for uid, entry := range content.Served {
		entry.Since = since.UTC()
		if old, known := before[uid]; known && !interrupted && !old.Left && old.Selects == entry.Selects {
			entry.Since = old.Since
		}
		served[uid] = entry
	}
	b.note(served, "")
}

// Failed notes that the index could not be written. What it held before it still holds, unless it is lost: it was found to be missing, or
// to hold something else.
func (b *Book) Failed(content Content, lost bool, err error) {
	kept := map[types.UID]Entry{}
	if !lost {
		b.mu.Lock()
		maps.Copy(kept, b.served)
		b.mu.Unlock()
	}
	for uid, entry := range content.Served {
		if _, known := kept[uid]; !known {
			kept[uid] = Entry{Name: entry.Name}
		}
	}
	b.note(kept, foreign.Message(fmt.Sprintf("the InjectionIndex %s, which the policy reads, cannot be written (%v)", v1alpha1.InjectionIndexName, err)))
}

func (b *Book) note(served map[types.UID]Entry, fault string) {
	b.mu.Lock()
	before, faultBefore := b.served, b.fault
	b.served, b.fault = served, fault
	b.mu.Unlock()
	for uid, entry := range served {
		old, known := before[uid]
		dated := old
		dated.Since = entry.Since
		if since := known && dated == entry && fault == faultBefore; !since || old != entry {
			b.changed(entry.Name, since)
		}
	}
}

// State says whether new pods get the Secret of a RegistryCredential, where policy is what is known of the policy itself. One that is being
// deleted is in the index no more, and what was known of the policy is all that matters.
func (b *Book) State(policy State, credential *v1alpha1.RegistryCredential) State {
	if !policy.Standing() || credential.DeletionTimestamp != nil {
		return policy
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	entry, known := b.served[credential.UID]
	switch {
	case known && !entry.Left && entry.serves(credential):
		if entry.Since.After(policy.Since) {
			policy.Since = entry.Since
		}
		return policy
	case b.fault != "":
		return State{Known: true, Fault: b.fault}
	case known && entry.Left:
		return State{Known: true, Full: true, Fault: fmt.Sprintf("the InjectionIndex %s, which the policy reads, is full: it holds %d KiB", v1alpha1.InjectionIndexName, MaxIndex>>10)}
	}
	return State{} // it is being written
}
