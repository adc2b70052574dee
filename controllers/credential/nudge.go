package credential

import (
	"time"

	"regcred.dev/regcred/internal/source"
)

// nudge says why the source is read before its time.
type nudge struct {
	// woken is when the connection to the source last changed.
	woken time.Time
	// told is the latest of the news whose time has come, ahead the first of those whose time is still to come, and last the last of them,
	// if there are several. None takes the place of another: an event is read at once, a look that is planned after a gap comes all the same,
	// and so does the one after the gap that followed, which the first look may be too early for.
	told, ahead, last source.News
}

// hear notes news.
func (n *nudge) hear(news source.News, now time.Time) {
	n.comeDue(now)
	switch {
	case !news.Time.After(now):
		n.noteTold(news)
	case n.ahead.Time.IsZero():
		n.ahead = news
	default:
		first, last := n.ahead, n.last
		if news.Time.Before(first.Time) {
			first, news = news, first
		}
		if news.Time.After(last.Time) && news.Time.After(first.Time) {
			last = news
		}
		n.ahead, n.last = first, last
	}
}

// comeDue takes in what was planned where its time has come.
func (n *nudge) comeDue(now time.Time) {
	for !n.ahead.Time.IsZero() && !n.ahead.Time.After(now) {
		n.noteTold(n.ahead)
		n.ahead, n.last = n.last, source.News{}
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
