package credential

import (
	"testing"
	"time"
)

func TestTheEarliestOfSeveralTimes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
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
