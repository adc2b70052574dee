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
	// fault says why the index could not be written. Empty where it was. lost is true where it was found missing, or otherwise than it was
	// left, since it was last written.
	fault string
	lost  bool
}

// NewBook returns a book in which nothing is written.
func NewBook(changed func(credential string, since bool)) *Book { return &Book{changed: changed} }

// Found notes what the index already held when a process first looked at it. A process that starts, and one that is then kept from writing
// the index, interrupts nothing of it.
func (b *Book) Found(held map[types.UID]Entry) {
	b.mu.Lock()
	served, fault, lost := maps.Clone(held), b.fault, b.lost
	b.mu.Unlock()
	b.note(served, fault, lost)
}

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
	b.note(served, "", false)
}

// Failed notes that the index could not be written. What it held before it still holds, unless it is lost: it was found to be missing, or
// to hold something else.
func (b *Book) Failed(content Content, lost bool, err error) {
	kept := map[types.UID]Entry{}
	b.mu.Lock()
	if !lost {
		maps.Copy(kept, b.served)
	}
	lost = lost || b.lost
	b.mu.Unlock()
	for uid, entry := range content.Served {
		if _, known := kept[uid]; !known {
			kept[uid] = Entry{Name: entry.Name}
		}
	}
	b.note(kept, foreign.Message(fmt.Sprintf("the InjectionIndex %s, which the policy reads, cannot be written (%v)", v1alpha1.InjectionIndexName, err)), lost)
}

func (b *Book) note(served map[types.UID]Entry, fault string, lost bool) {
	b.mu.Lock()
	before, faultBefore := b.served, b.fault
	b.served, b.fault, b.lost = served, fault, lost
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
		return State{Known: true, Fault: b.fault, Unseen: !b.lost}
	case known && entry.Left:
		return State{Known: true, Full: true, Fault: fmt.Sprintf("the InjectionIndex %s, which the policy reads, is full: it holds %d KiB", v1alpha1.InjectionIndexName, MaxIndex>>10)}
	}
	return State{} // it is being written
}
