package credential

import (
	"time"

	"regcred.dev/regcred/internal/source"
)

// nudge says why the source is read before its time.
type nudge struct {
	// woken is when the connection to the source last changed.
	woken time.Time
	// told is the latest of the news whose time has come, ahead the first of those whose time is still to come. Neither takes the place of
	// the other: an event is read at once, and a look that is planned after a gap comes all the same.
	told, ahead source.News
}

// hear notes news.
func (n *nudge) hear(news source.News, now time.Time) {
	n.comeDue(now)
	if !news.Time.After(now) {
		n.noteTold(news)
	} else if n.ahead.Time.IsZero() || news.Time.Before(n.ahead.Time) {
		n.ahead = news
	}
}

// comeDue takes in what was planned where its time has come.
func (n *nudge) comeDue(now time.Time) {
	if !n.ahead.Time.IsZero() && !n.ahead.Time.After(now) {
		n.noteTold(n.ahead)
		n.ahead = source.News{}
	}
}

// noteTold keeps the later of two news. A state that the source named is kept, too: it holds whatever was told before.
func (n *nudge) noteTold(news source.News) {
	if news.Time.Before(n.told.Time) {
		news.Time = n.told.Time
	}
	if news.State == "" {
		news.State = n.told.State
	}
	n.told = news
}

// next are the news that are to be read next, where those up to a time are read.
func (n *nudge) next(read time.Time) source.News {
	if n.told.Time.After(read) || n.ahead.Time.IsZero() {
		return n.told
	}
	return n.ahead
}
