package wakeup

import "sync"

// Notifier tells its listeners that something about a RegistryCredential changed. It carries no content: who hears it looks for
// himself.
type Notifier struct {
	mu        sync.Mutex
	listeners []func(credential string)
}

// Listen adds a listener. It must not block.
func (n *Notifier) Listen(listener func(credential string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners = append(n.listeners, listener)
}

// Notify calls all listeners.
func (n *Notifier) Notify(credential string) {
	n.mu.Lock()
	listeners := n.listeners
	n.mu.Unlock()
	for _, listener := range listeners {
		listener(credential)
	}
}
