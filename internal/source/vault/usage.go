package vault

import "sync"

// usage counts who uses a connection, so that it is closed after the last one. A lock for readers and a writer would not
// do: whoever uses a connection may start something that uses it on, while somebody waits to close it.
type usage struct {
	mu      sync.Mutex
	users   int
	closed  bool
	drained chan struct{} // made by close, closed with the last user
}

// enter reports false when the connection is closed. Whoever entered must leave.
func (u *usage) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.users++
	return true
}

// join is for what a user starts: it may outlast the user, and is let in though somebody waits to close.
func (u *usage) join() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users++
}

func (u *usage) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users--
	if u.closed && u.users == 0 {
		close(u.drained)
	}
}

// close lets nobody in any more and returns when the last user has left. It is called once.
func (u *usage) close() {
	u.mu.Lock()
	u.closed = true
	u.drained = make(chan struct{})
	if u.users == 0 {
		close(u.drained)
	}
	u.mu.Unlock()
	<-u.drained
}
