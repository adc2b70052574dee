package vault

import (
	"time"

	"regcred.dev/regcred/internal/source"
)

const (
	// subscribing is how long a server takes at most from the answer that opens a socket until it sends over it what is written.
	subscribing = time.Second
	// lookSpread is over how long the places of a connection are looked at after a gap, lookPause the least time between two such looks.
	lookSpread = 15 * time.Second
	lookPause  = 30 * time.Second
)

// take has the places read that a message names, and reports whether it names any path.
func (s *subscription) take(message []byte) bool {
	news := parseEvent(message)
	now := s.connection.now()
	for _, place := range s.interests.at(news.paths) {
		s.tell(source.News{Place: place, Time: now, State: news.state})
	}
	return len(news.paths) > 0
}

// lookAtAll has all places read once, not all at the same time. Sockets that break again and again do not make that happen more often:
// a look that lies ahead finds what was missed, and only places that it does not include yet are added to it.
func (s *subscription) lookAtAll() {
	now := s.connection.now()
	if !s.lastLook.After(now) {
		s.lastLook, s.looked = later(now, s.lastLook.Add(lookPause)), map[source.Place]bool{}
	}
	for _, place := range s.interests.all() {
		if !s.looked[place] {
			s.looked[place] = true
			s.tell(source.News{Place: place, Time: s.lastLook.Add(subscribing + spread(lookSpread))})
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
