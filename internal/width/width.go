// Package width says how many requests may be under way at once, by how long they took and how many were turned away. It is pure: what it is
// told is all that it knows.
package width

import (
	"slices"
	"sync"
	"time"
)

const (
	// Least and Most are the bounds of a width, which begins with First.
	Least, First, Most = 4, 8, 32
	// fine is how long a request may take without being a sign of anything.
	fine = 25 * time.Millisecond
	// patience is how many times longer than usual requests may take before fewer are made.
	patience = 2
	// fade is the part of itself by which the usual time grows after a round that was slow though no fewer requests could be made: then
	// they are not the cause, and a server that is slower for good is taken as it is.
	fade = 10
	// share is the part of a round that one namespace makes at most, though always one request: a webhook or a policy can be slow, or turn
	// requests away, in that namespace alone, and what fails is tried again more often than what does not.
	share = 16
)

// Width is how many requests may be under way at once. It narrows when more than a quarter of them are turned away, or more than half take much
// longer than usual: a server that has too much to do is slow with all, and a webhook of some namespaces with those alone. It widens after as
// many requests as it allows: by half until it narrowed once, then by one. Its zero value is ready.
type Width struct {
	mu sync.Mutex
	// width is zero before the first round.
	width int
	// narrowed is set once fewer requests were made: the width is about what the server takes.
	narrowed bool
	// usual is how long requests take at best, zero while that is not known.
	usual time.Duration
	// round are the times of the requests since the width was last looked at, and of how many of them each namespace is.
	round []time.Duration
	of    map[string]int
}

// Now is how many requests may be under way.
func (w *Width) Now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

func (w *Width) now() int {
	if w.width == 0 {
		return First
	}
	return w.width
}

// turnedAway stands for the time of a request that was.
const turnedAway = time.Duration(1<<63 - 1)

// Note takes in how long a request took in a namespace, or that the server turned it away because it has too much to do.
func (w *Width) Note(namespace string, took time.Duration, refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of[namespace] >= max(w.now()/share, 1) {
		return
	}
	if w.of == nil {
		w.of = map[string]int{}
	}
	w.of[namespace]++
	if refused {
		took = turnedAway
	}
	if w.round = append(w.round, took); len(w.round) < w.now() {
		return
	}
	slices.Sort(w.round)
	w.adjust(w.round[(3*len(w.round)-1)/4], w.round[(len(w.round)-1)/2])
	w.round = w.round[:0]
	clear(w.of)
}

// adjust follows a round: three quarters of the requests took no longer than late, and half of them no longer than half.
func (w *Width) adjust(late, half time.Duration) {
	now, before := w.now(), w.now()
	switch {
	case late == turnedAway:
		now /= 2
	case w.usual > 0 && half > max(fine, patience*w.usual):
		if now == Least {
			w.usual += w.usual/fade + 1
		}
		now = now * 7 / 10
	case !w.narrowed:
		now += now / 2
	default:
		now++
	}
	w.width, w.narrowed = min(max(now, Least), Most), w.narrowed || now < before
	if half != turnedAway && (w.usual == 0 || half < w.usual) {
		w.usual = max(half, 1)
	}
}
