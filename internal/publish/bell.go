package publish

import "sync"

// Bell tells its listeners that something about a RegistryCredential changed. It carries no content: who hears it looks for
// himself.
type Bell struct {
	mu        sync.Mutex
	listeners []func(credential string)
}

// Listen adds a listener. It must not block.
func (b *Bell) Listen(listener func(credential string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, listener)
}

// Ring calls all listeners.
func (b *Bell) Ring(credential string) {
	b.mu.Lock()
	listeners := b.listeners
	b.mu.Unlock()
	for _, listener := range listeners {
		listener(credential)
	}
}
