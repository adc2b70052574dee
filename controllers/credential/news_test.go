package credential

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

func TestWhenNewsAreRead(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name        string
		known, news time.Time
		want        time.Time
	}{
		{"nothing is known", time.Time{}, now, now},
		{"what was told is read by now", now.Add(-time.Second), now, now},
		{"an event comes before a look that waits", now.Add(10 * time.Second), now, now},
		{"a look waits, and another one is asked for", now.Add(time.Second), now.Add(10 * time.Second), now.Add(time.Second)},
		{"a look is asked for, and none waits", now.Add(-time.Second), now.Add(10 * time.Second), now.Add(10 * time.Second)},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := memories{nudges: map[string]nudge{"company": {told: source.News{Time: test.known}, woken: now}}}
			m.tell("company", source.News{Time: test.news, State: "state"}, now)
			if got := m.nudges["company"]; !got.told.Time.Equal(test.want) || got.told.State != "state" || !got.woken.Equal(now) {
				t.Errorf("read at %s, want %s", got.told.Time.Sub(now), test.want.Sub(now))
			}
		})
	}
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
