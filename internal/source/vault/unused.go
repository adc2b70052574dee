package vault

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostUnused is how many leases are remembered that Vault did not take back yet. Of more the oldest are left to their own end.
	mostUnused = 256
	// unusedPause is the wait between two tries to give one of them back, unusedLimit how long it is tried.
	unusedPause, unusedLimit = 30 * time.Second, 48 * time.Hour
	// unusedAtOnce is how many are tried one after the other: a reader waits for them, and so does the renewal of the token.
	unusedAtOnce = 16
)

// unused are leases of credentials that nobody uses: what was read could not be delivered, or waited too long for a cloud. Each read
// makes another one, so that whatever comes to nothing is given back: an engine's leases can last for a month. They are in memory alone.
type unused struct {
	mu  sync.Mutex
	all []unusedLease
}

type unusedLease struct {
	connection, id string
	since, tried   time.Time
}

// add remembers a lease that is to be given back.
func (u *unused) add(connection, id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, unusedLease{connection: connection, id: id, since: now})
	u.all = u.all[max(len(u.all)-mostUnused, 0):]
}

// due takes out those of a connection that are to be tried now, the oldest first. Those that were tried for too long are forgotten.
func (u *unused) due(connection string, now time.Time) []unusedLease {
	u.mu.Lock()
	defer u.mu.Unlock()
	var due, left []unusedLease
	for _, lease := range u.all {
		switch {
		case now.Sub(lease.since) > unusedLimit:
		case lease.connection == connection && now.Sub(lease.tried) >= unusedPause && len(due) < unusedAtOnce:
			due = append(due, lease)
		default:
			left = append(left, lease)
		}
	}
	u.all = left
	return due
}

// holds reports whether any of a connection are to be tried now.
func (u *unused) holds(connection string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(u.all, func(l unusedLease) bool { return l.connection == connection && now.Sub(l.tried) >= unusedPause })
}

// putBack remembers one that Vault did not take.
func (u *unused) putBack(lease unusedLease) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, lease)
}

// giveBack revokes the lease of an answer of which nothing is used, if it has one, now or later. The failure then tells that each read makes
// another.
func (c *connection) giveBack(ctx context.Context, a *answer, f *failure) {
	if a.content.LeaseID == "" {
		return
	}
	f.wasted = true
	c.unused.add(c.name, a.content.LeaseID, c.now())
	_ = c.giveBackUnused(ctx) // what was not taken back stays noted
}

// giveBackUnused revokes the leases of the connection that nobody uses, one after the other until Vault does not take one.
func (c *connection) giveBackUnused(ctx context.Context) *failure {
	due := c.unused.due(c.name, c.now())
	for i, lease := range due {
		failure := c.revoke(ctx, lease.id)
		if failure == nil {
			continue
		}
		due[i].tried = c.now()
		for _, other := range due[i:] {
			c.unused.putBack(other)
		}
		return failure
	}
	return nil
}

// giveBackWhatIsDue gives the leases of the connection back that nobody uses, where the server is well.
func (c *connection) giveBackWhatIsDue(ctx context.Context) {
	if c.unused.holds(c.name, c.now()) {
		_ = c.throughGate(ctx, func() *failure { return c.giveBackUnused(ctx) }) // the gate keeps what is wrong with the server
	}
}
