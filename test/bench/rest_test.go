package bench

import (
	"testing"
	"time"
)

// rest is what is used in a time in which nothing happens. Three times in the minutes after a start the operator looks at its policies by
// dry runs, which its metrics do not tell from writes: where there are some, it is another time that counts. No two looks are that close.
func (f *fleet) rest(t *testing.T, length time.Duration) (used usage) {
	t.Helper()
	for range 2 {
		before := f.usage(t)
		pause(t, length)
		if used = f.usage(t).since(before); used.writes() == 0 {
			break
		}
	}
	return used
}
