package width

import (
	"testing"
	"time"
)

// Each write of a rotation is noted, and each worker asks before it takes something.
func TestToNoteAWriteAllocatesNothing(t *testing.T) {
	w := &Width{}
	namespaces := []string{"a", "b", "c", "d"}
	w.rounds(10, always(time.Millisecond))
	allocations := testing.AllocsPerRun(1000, func() {
		for _, namespace := range namespaces {
			w.Note(namespace, time.Millisecond, false)
		}
		w.Now()
	})
	if allocations > 0 {
		t.Errorf("%.1f allocations", allocations)
	}
}

func BenchmarkNote(b *testing.B) {
	w := &Width{}
	b.ReportAllocs()
	for b.Loop() {
		w.Note("shop", time.Millisecond, false)
	}
}
