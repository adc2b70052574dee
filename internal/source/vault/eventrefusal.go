package vault

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// firstReconnect doubles with each socket in a row that was of no use, up to lastReconnect. One that told something, or that was up for
	// lasting, was of use.
	firstReconnect = 500 * time.Millisecond
	lastReconnect  = 2 * time.Minute
	lasting        = 30 * time.Second
	// deniedPause and noEventsPause are the waits where a person has to act, and where the server has no events.
	deniedPause   = 10 * time.Minute
	noEventsPause = time.Hour
)

// refusal is why there is no socket.
type refusal struct {
	message string
	pause   time.Duration // zero: back off
	ofToken bool          // perhaps another token may: the policy of this one does not allow it, or it is dead
}

// withEvents is a refusal of a server that had events before: what it answers now passes. Vault answers 400, too, where a node or a proxy on
// the way is not ready for a socket (https://github.com/hashicorp/vault/issues/31471).
func (r *refusal) withEvents() *refusal {
	if r.pause != noEventsPause {
		return r
	}
	return refusalOf(0)
}

// refusalOf says what a status means that is not that of a socket; zero is no answer. Vault without events answers 404 or 400, and what
// cannot pass a socket on answers whatever it likes: both are asked again rarely.
func refusalOf(status int) *refusal {
	switch {
	case status == 0, status == http.StatusTooManyRequests, status >= 500 && status != http.StatusNotImplemented:
		return &refusal{message: "its events cannot be followed now, and changes are seen at the next read"}
	case status == http.StatusForbidden:
		return &refusal{"its events may not be followed (403), and changes are seen at the next read: docs/vault.md has the policy for events. " +
			"Vault's community edition and OpenBao have none, and may answer this, too", deniedPause, true}
	case status >= 300 && status < 400:
		return &refusal{"its events are at another address, which --vault-addresses does not list; changes are seen at the next read", deniedPause, false}
	default:
		return &refusal{fmt.Sprintf("it offers no events (status %d), and changes are seen at the next read", status), noEventsPause, false}
	}
}

// backOff counts sockets in a row that were of no use.
type backOff struct{ failures int }

// after is the wait after a refusal.
func (b *backOff) after(r refusal) time.Duration {
	if r.pause > 0 {
		return r.pause - spread(r.pause/5)
	}
	return b.next()
}

// ended is the wait after a socket that was up for some time, and told something or did not.
func (b *backOff) ended(up time.Duration, told bool) time.Duration {
	if told || up >= lasting {
		b.failures = 0
	}
	return b.next()
}

func (b *backOff) next() time.Duration {
	wait := min(firstReconnect<<min(b.failures, 10), lastReconnect)
	b.failures++
	return wait - spread(wait/2)
}
