package delivery

import (
	"sync"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/delivered"
)

// echoes keep a write of delivery from being looked at once more when the watch tells of it: in a rotation that would be a second look at
// every namespace. An event can come before the write has returned, so events of places that are being looked at wait for the end of
// that look.
type echoes struct {
	mu sync.Mutex
	// open are the places that are being looked at now, with the last event of each.
	open map[delivered.Place]*heard
}

// heard is an event that waits. It has no queue where there was none.
type heard struct {
	version string
	queue   queue
}

// begin notes that a place is being looked at.
func (e *echoes) begin(place delivered.Place) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		e.open = map[delivered.Place]*heard{}
	}
	e.open[place] = &heard{}
}

// looking reports whether a place is being looked at.
func (e *echoes) looking(place delivered.Place) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open[place] != nil
}

// hold keeps the event of a Secret until the look at its place ends, and reports whether there is one.
func (e *echoes) hold(place delivered.Place, version string, q queue) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	one, looking := e.open[place]
	if looking {
		one.version, one.queue = version, q
	}
	return looking
}

// end returns the event that waited for the end of a look.
func (e *echoes) end(place delivered.Place) heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	one := e.open[place]
	delete(e.open, place)
	return *one
}

// look begins a look at a place, and returns what ends it: an event that came meanwhile and tells of more than that look knows has the place
// looked at again.
func (r *Reconciler) look(place delivered.Place) (end func()) {
	r.echoes.begin(place)
	return func() {
		if event := r.echoes.end(place); event.queue != nil && !r.ledger.settled(place, event.version) {
			enqueue(event.queue, normal, place)
		}
	}
}

// isEcho reports whether an event tells of nothing but what a look at the place has left there or found right, or is looked at when the
// present look ends.
func (r *Reconciler) isEcho(secret *corev1.Secret, q queue) bool {
	place := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	return r.ledger.settled(place, secret.ResourceVersion) || r.echoes.hold(place, secret.ResourceVersion, q)
}
