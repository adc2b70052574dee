package pullsecret

import (
	"time"

	"golang.org/x/time/rate"
)

// Bounds of a contest: so many repairs of one object at once, and one more for each window that passes. A rival of any speed
// costs no more than that.
const (
	ContestReverts = 3
	ContestWindow  = 10 * time.Minute
)

// Contest bounds the repairs of one object that somebody else keeps changing back. The zero value is peace.
type Contest struct {
	repairs *rate.Limiter
}

// MayRepair reports whether a repair may be written now, and otherwise how long to wait.
func (c *Contest) MayRepair(now time.Time) (bool, time.Duration) {
	left := c.limiter().TokensAt(now)
	if left >= 1 {
		return true, 0
	}
	return false, time.Duration((1-left)*float64(ContestWindow)) + time.Millisecond // rounded up: never too early
}

// Repaired notes that a repair was written.
func (c *Contest) Repaired(now time.Time) { c.limiter().AllowN(now, 1) }

func (c *Contest) limiter() *rate.Limiter {
	if c.repairs == nil {
		c.repairs = rate.NewLimiter(rate.Every(ContestWindow), ContestReverts)
	}
	return c.repairs
}
