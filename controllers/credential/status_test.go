package credential

import (
	"testing"
	"time"
)

func TestWhenARegistryCredentialIsLookedAtAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		at   time.Time
		want time.Duration
	}{
		{"no time is no reason", time.Time{}, 0},
		{"a time that is known", now.Add(time.Minute), time.Minute},
		{"one that is a moment away waits for half a second", now.Add(time.Millisecond), time.Second / 2},
		{"one that has passed does not keep a worker busy", now.Add(-time.Hour), time.Second / 2},
	} {
		if got := after(now, test.at); got.RequeueAfter != test.want {
			t.Errorf("%s: %s", test.name, got.RequeueAfter)
		}
	}
	first, second := now.Add(time.Second), now.Add(time.Minute)
	for name, got := range map[string]time.Time{
		"of two the first":                    earliest(second, first),
		"however they are listed":             earliest(first, second),
		"a time that is not known is not one": earliest(time.Time{}, first, time.Time{}),
	} {
		if !got.Equal(first) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := earliest(time.Time{}); !got.IsZero() {
		t.Errorf("of no time the earliest is %s", got)
	}
}
