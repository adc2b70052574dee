package credential

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

func TestWhenNewsAreRead(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name string
		// known are times of news that came before, read is until when they are read.
		known      []time.Duration
		read, news time.Duration
		// want is what is read next, and then what is read after that, where anything is.
		want []time.Duration
	}{
		{"nothing is known", nil, -time.Hour, 0, []time.Duration{0}},
		{"what was told is read by now", []time.Duration{-time.Second}, 0, 0, []time.Duration{0}},
		{"an event comes before a look that waits", []time.Duration{10 * time.Second}, -time.Hour, 0, []time.Duration{0, 10 * time.Second}},
		{"a look waits, and another one is asked for: something may be missed after the first", []time.Duration{time.Second}, 0, 10 * time.Second, []time.Duration{time.Second, 10 * time.Second}},
		{"a look waits, and one before it is asked for", []time.Duration{10 * time.Second}, 0, time.Second, []time.Duration{time.Second, 10 * time.Second}},
		{"a look is asked for twice", []time.Duration{10 * time.Second}, 0, 10 * time.Second, []time.Duration{10 * time.Second, 10 * time.Second}},
		{"a look is asked for, and an event is not read yet", []time.Duration{-time.Second}, -time.Hour, 10 * time.Second, []time.Duration{-time.Second, 10 * time.Second}},
		{"a look is asked for, and none waits", []time.Duration{-time.Second}, 0, 10 * time.Second, []time.Duration{10 * time.Second}},
		{"three looks are asked for", []time.Duration{20 * time.Second, 15 * time.Second}, 0, 30 * time.Second, []time.Duration{15 * time.Second, 30 * time.Second}},
		{"four looks are asked for: the last finds what those between would", []time.Duration{20 * time.Second, 15 * time.Second, 40 * time.Second}, 0, 30 * time.Second, []time.Duration{15 * time.Second, 40 * time.Second, 40 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := memories{nudges: map[string]nudge{"company": {woken: now}}}
			for _, known := range test.known {
				m.tell("company", source.News{Time: now.Add(known), State: "state"}, now)
			}
			m.tell("company", source.News{Time: now.Add(test.news), State: "state"}, now)
			read := now.Add(test.read)
			for _, want := range test.want {
				got := m.nudges["company"]
				got.comeDue(latestOf(read, now))
				next := got.next(read)
				if !next.Time.Equal(now.Add(want)) || next.State != "state" || !got.woken.Equal(now) {
					t.Errorf("read at %s, want %s", next.Time.Sub(now), want)
				}
				read = latestOf(next.Time, now)
			}
		})
	}
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestPlacesHaveKeysOfTheirOwn(t *testing.T) {
	keys := map[string]source.Place{}
	for _, place := range []source.Place{
		{}, {Member: "vault", Server: "a", Name: "b"}, {Member: "vault", Server: "a b"}, {Member: "vault a", Server: "b"}, {Member: "vault", Server: "a\" \"b"},
	} {
		if other, taken := keys[placeKey(place)]; taken {
			t.Errorf("%+v and %+v have the same key", place, other)
		}
		keys[placeKey(place)] = place
	}
}
