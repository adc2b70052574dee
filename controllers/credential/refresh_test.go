package credential

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhichAnswersOfOthersServe(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name      string
		asked     bool
		read, due time.Duration // ago; zero: never
		want      time.Duration
	}{
		{"the first time: what is not older than half a period", false, 0, 0, 30 * time.Second},
		{"where somebody asks for a read now: none", true, time.Minute, 0, 0},
		{"in time: what is not older than half a period", false, time.Minute, 0, 30 * time.Second},
		{"before the end of a value, sooner than that: what is newer than one's own", false, 20 * time.Second, 0, 20 * time.Second},
		{"late: what was read since it was due", false, 100 * time.Second, 40 * time.Second, 40 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{nextRead: now.Add(-test.due)}
			if test.read > 0 {
				m.readTime = now.Add(-test.read)
			}
			if got := maxAge(test.asked, &run{object: &v1alpha1.RegistryCredential{}, memory: m}, now); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
