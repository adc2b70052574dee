package pullsecret

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
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

// A namespace's people write any annotation to their Secret, and another one a moment later.
func TestWhatIsRememberedOfForgedRecordsIsSmall(t *testing.T) {
	racedetector.Skip(t)
	const most = 8 << 20
	for name, entry := range map[string]string{"many sources": `"%03x":{}`, "many keys": `"%03x":{"keys":["","","","","","","","","",""]}`, "many marks": `"%03x":{"written":{"":""}}`} {
		t.Run(name, func(t *testing.T) {
			records.Forget()
			grown := heapAfter(func() {
				for n := range 64 {
					var b strings.Builder
					fmt.Fprintf(&b, `{"version":1,"sources":{"n%d":{}`, n)
					for i := 0; b.Len() < longestRemembered-100; i++ {
						b.WriteByte(',')
						fmt.Fprintf(&b, entry, i)
					}
					b.WriteString(`}}`)
					if len(SourcesOf(map[string]string{v1alpha1.SourcesAnnotation: b.String()})) < 2 {
						t.Fatal("it is not read")
					}
				}
			})
			t.Logf("measured: %d KiB", grown>>10)
			if grown > most {
				t.Errorf("%d MiB are remembered, want %d at most", grown>>20, most>>20)
			}
		})
	}
	runtime.KeepAlive(records)
}

// What is large is rare and changes with each value, so that it would only push out what is asked for again.
func TestALongRecordIsReadEachTime(t *testing.T) {
	record := func(revision int) map[string]string {
		return map[string]string{v1alpha1.SourcesAnnotation: Sources{"shop": {Revision: strings.Repeat("x", revision)}}.String()}
	}
	for _, test := range []struct {
		name   string
		length int
		shared bool
	}{{"a short one is read once", 100, true}, {"a long one is read each time", longestRemembered, false}} {
		annotations := record(test.length)
		first, second := SourcesOf(annotations), SourcesOf(annotations)
		if reflect.ValueOf(first).Pointer() == reflect.ValueOf(second).Pointer() != test.shared {
			t.Errorf("%s, and it is not", test.name)
		}
	}
}

// The people of a namespace choose which of its texts is long.
func TestARecordWeighsNoLessThanItsTexts(t *testing.T) {
	long := strings.Repeat("x", 10000)
	for name, sources := range map[string]Sources{
		"a long name":     {long: {}},
		"a long revision": {"a": {Revision: long}},
		"a long digest":   {"a": {Digest: long}},
		"a long key":      {"a": {Keys: []string{long}}},
		"a long label":    {"a": {Written: map[string]string{long: ""}}},
		"a long print":    {"a": {Written: map[string]string{"a": long}}},
	} {
		if weight := weightOfRecord(long, record{sources: sources, known: true}); weight < 2*len(long) {
			t.Errorf("%s: %d bytes, and its texts are %d", name, weight, 2*len(long))
		}
	}
}
