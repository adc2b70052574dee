package delivery

import (
	"crypto/sha256"
	"sync"
	"time"

	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
)

// contests remembers, for each object, what was last written there and how often somebody changed it back. It lives in memory:
// after a restart of the operator the count begins anew.
type contests struct {
	mu sync.Mutex
	m  map[publish.Place]map[string]*contest
}

type contest struct {
	mu      sync.Mutex
	written bool
	content [sha256.Size]byte
	pullsecret.Contest
}

// of returns the contest about one object of a place: "secret", or a ServiceAccount's UID.
func (c *contests) of(place publish.Place, object string) *contest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[publish.Place]map[string]*contest{}
	}
	if c.m[place] == nil {
		c.m[place] = map[string]*contest{}
	}
	if c.m[place][object] == nil {
		c.m[place][object] = &contest{}
	}
	return c.m[place][object]
}

func (c *contests) forget(place publish.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, place)
}

// wrote reports whether the same content was written before: then a new write of it is a repair of what somebody changed.
func (c *contest) wrote(content [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written && c.content == content
}

func (c *contest) mayRepair(now time.Time) (bool, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.MayRepair(now)
}

// note remembers a write.
func (c *contest) note(content [sha256.Size]byte, repair bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written, c.content = true, content
	if repair {
		c.Repaired(now)
	}
}
