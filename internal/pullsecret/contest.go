package pullsecret

import "time"

// Bounds of a contest: more than ContestReverts reverts within ContestWindow make an object contested, which is then
// repaired once per ContestWindow until a whole window passes in peace.
const (
	ContestReverts = 3
	ContestWindow  = 10 * time.Minute
)

// Contest keeps count of repairs of one object that somebody else keeps changing back. The zero value is peace.
type Contest struct {
	repairs    []time.Time
	contested  bool
	lastRevert time.Time
}

// MayRepair reports whether a repair may be written now, and otherwise how long to wait. It notes the revert.
func (c *Contest) MayRepair(now time.Time) (bool, time.Duration) {
	if c.contested && now.Sub(c.lastRevert) >= ContestWindow {
		*c = Contest{}
	}
	c.lastRevert = now
	c.forget(now)
	if !c.contested && len(c.repairs) < ContestReverts {
		return true, 0
	}
	c.contested = true
	if len(c.repairs) == 0 {
		return true, 0
	}
	wait := ContestWindow - now.Sub(c.repairs[len(c.repairs)-1])
	return wait <= 0, max(wait, 0)
}

// Repaired notes that a repair was written.
func (c *Contest) Repaired(now time.Time) { c.repairs = append(c.repairs, now) }

// Contested reports whether the object is contested now.
func (c *Contest) Contested(now time.Time) bool {
	return c.contested && now.Sub(c.lastRevert) < ContestWindow
}

func (c *Contest) forget(now time.Time) {
	for len(c.repairs) > 0 && now.Sub(c.repairs[0]) >= ContestWindow {
		c.repairs = c.repairs[1:]
	}
}
