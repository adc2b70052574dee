package dockerconfig

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"regcred.dev/regcred/test/racedetector"
)

// heapAfter is how many bytes more are in use after something than before.
func heapAfter(do func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// A namespace's people write any docker config to their Secret, and another one a moment later.
func TestWhatIsRememberedOfForgedDocumentsIsSmall(t *testing.T) {
	racedetector.Skip(t)
	const most = 8 << 20
	for name, entry := range map[string]string{"many entries": `"%03x":{}`, "many numbers": `"%03x":1`, "many bad keys": `"http://%03x":{"auth":"!"}`} {
		t.Run(name, func(t *testing.T) {
			lints.Forget()
			raws.Forget()
			grown := heapAfter(func() {
				for n := range 16 { // without a bound each takes about a megabyte
					var b strings.Builder
					fmt.Fprintf(&b, `{"auths":{"n%d":{}`, n)
					for i := 0; b.Len() < longestRemembered-100; i++ {
						b.WriteByte(',')
						fmt.Fprintf(&b, entry, i)
					}
					b.WriteString(`}}`)
					data := []byte(b.String())
					_, _ = ParseRaw(data)
					Lint(data)
				}
			})
			t.Logf("measured: %d KiB", grown>>10)
			if grown > most {
				t.Errorf("%d MiB are remembered, want %d at most", grown>>20, most>>20)
			}
		})
	}
	runtime.KeepAlive(lints)
	runtime.KeepAlive(raws)
}
