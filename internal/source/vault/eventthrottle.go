package vault

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"
)

const (
	// socketRate is how many bytes a second of a socket are read, socketBurst how many at once. Events have about a thousand bytes: that of
	// a rotation of four thousand secrets comes at once, and a server that sends without an end keeps no processor busy.
	socketRate, socketBurst = 512 << 10, 4 << 20
	// socketChunk is how many bytes are read at a time.
	socketChunk = 4 << 10
	// pingRate is how many pings and pongs of a server a second are looked at, pingBurst how many at once. Vault sends one in a while.
	pingRate, pingBurst = 2, 10
)

// throttledSocket is read no faster than socketRate, whatever is sent over it: a server that sends more waits.
type throttledSocket struct {
	io.ReadWriteCloser
	left *rate.Limiter
}

// Read implements io.Reader. It waits some milliseconds at most for what it has read.
func (t *throttledSocket) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p[:min(len(p), socketChunk)])
	_ = t.left.WaitN(context.Background(), n) // fails for more than socketBurst only
	return n, err
}

// controlLimit lets few pings and pongs pass in a time: each costs more than its bytes.
type controlLimit struct{ limiter *rate.Limiter }

func newControlLimit() controlLimit { return controlLimit{rate.NewLimiter(pingRate, pingBurst)} }

// answers reports whether a ping is answered, when its turn has come.
func (c controlLimit) answers(ctx context.Context, _ []byte) bool { return c.wait(ctx) }

// notes waits for the turn of a pong.
func (c controlLimit) notes(ctx context.Context, _ []byte) { c.wait(ctx) }

func (c controlLimit) wait(ctx context.Context) bool {
	const longest = time.Second // a socket reads nothing else meanwhile
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return c.limiter.Wait(ctx) == nil
}
