package vault

import (
	"maps"
	"slices"
	"sync"
	"time"

	"regcred.dev/regcred/internal/source"
)

// forgetInterest is after how long a place counts as read no more: longer than the longest refresh period, which is a day.
const forgetInterest = 25 * time.Hour

// interests are the places that are read through a connection, by the paths under which events name them. They outlive a connection
// that is made again, because its object or a Secret changed.
type interests struct {
	mu     sync.Mutex
	paths  map[string]map[source.Place]time.Time // when each was last read
	pruned time.Time
	// dynamic is when a place was last read that is no KV: their events have other types.
	dynamic time.Time
}

// note notes that a place is read at a path.
func (i *interests) note(path string, place source.Place, dynamic bool, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.paths == nil {
		i.paths = map[string]map[source.Place]time.Time{}
	}
	if i.paths[path] == nil {
		i.paths[path] = map[source.Place]time.Time{}
	}
	i.paths[path][place] = now
	if dynamic {
		i.dynamic = now
	}
	i.prune(now)
}

// prune forgets what is read no more. The caller holds the mutex.
func (i *interests) prune(now time.Time) {
	if now.Sub(i.pruned) < time.Hour {
		return
	}
	i.pruned = now
	for path, places := range i.paths {
		maps.DeleteFunc(places, func(_ source.Place, read time.Time) bool { return now.Sub(read) > forgetInterest })
		if len(places) == 0 {
			delete(i.paths, path)
		}
	}
}

// at gives the places that are read at one of some paths.
func (i *interests) at(paths []string) []source.Place {
	i.mu.Lock()
	defer i.mu.Unlock()
	var places []source.Place
	for _, path := range paths {
		for place := range i.paths[path] {
			if !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	return places
}

// all gives all places.
func (i *interests) all() []source.Place {
	i.mu.Lock()
	defer i.mu.Unlock()
	found := map[source.Place]bool{}
	for _, places := range i.paths {
		for place := range places {
			found[place] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

func (i *interests) empty() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.paths) == 0
}

// patterns are the types of events to ask for, the best first. Those of KV need less rights than all.
func (i *interests) patterns(now time.Time) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.dynamic.IsZero() && now.Sub(i.dynamic) <= forgetInterest {
		return []string{"*", "kv*"}
	}
	return []string{"kv*"}
}
