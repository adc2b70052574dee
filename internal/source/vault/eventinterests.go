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

// mostInterests is how many places are remembered of a connection: several times as many as the RegistryCredentials of a large cluster.
const mostInterests = 10_000

// interests are the places that are read through a connection, by the paths under which events name them. They outlive a connection
// that is made again, because its object or a Secret changed.
type interests struct {
	mu     sync.Mutex
	paths  map[string]map[source.Place]time.Time // when each was last read
	places int                                   // how many there are
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
	if _, known := i.paths[path][place]; !known {
		i.places++
	}
	i.paths[path][place] = now
	if dynamic {
		i.dynamic = now
	}
	i.prune(now)
}

// prune forgets what is read no more, and where there are too many places those that were read longest ago: who edits a path makes each
// of them another one. The caller holds the mutex.
func (i *interests) prune(now time.Time) {
	if now.Sub(i.pruned) >= time.Hour {
		i.pruned = now
		i.forgetBefore(now.Add(-forgetInterest))
	}
	if i.places <= mostInterests {
		return
	}
	var read []time.Time
	for _, places := range i.paths {
		read = slices.AppendSeq(read, maps.Values(places))
	}
	slices.SortFunc(read, time.Time.Compare)
	i.forgetBefore(read[len(read)/2])
}

// forgetBefore forgets what was not read since. The caller holds the mutex.
func (i *interests) forgetBefore(since time.Time) {
	i.places = 0
	for path, places := range i.paths {
		maps.DeleteFunc(places, func(_ source.Place, read time.Time) bool { return read.Before(since) })
		if len(places) == 0 {
			delete(i.paths, path)
		}
		i.places += len(places)
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
