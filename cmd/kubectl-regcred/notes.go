package main

import (
	"maps"
	"slices"
	"sync"
)

// notes say what could not be read, each once.
type notes struct {
	guard sync.Mutex
	said  map[string]bool
}

func (n *notes) note(text string) {
	n.guard.Lock()
	defer n.guard.Unlock()
	if n.said == nil {
		n.said = map[string]bool{}
	}
	n.said[text] = true
}

// sorted are the notes in their order.
func (n *notes) sorted() []string {
	n.guard.Lock()
	defer n.guard.Unlock()
	return slices.Sorted(maps.Keys(n.said))
}

// forget makes room for another look.
func (n *notes) forget() {
	n.guard.Lock()
	defer n.guard.Unlock()
	n.said = nil
}
