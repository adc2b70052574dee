package announce

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

func TestAnEventIsNeverLongerThanTheAPIServerTakes(t *testing.T) {
	raw := events.NewFakeRecorder(1)
	long := strings.Repeat("é\x1b", 2000)
	New(raw).Eventf(&corev1.Pod{}, nil, corev1.EventTypeWarning, long, long, "%s", long+"%s")
	got := <-raw.Events // "Warning reason note"
	if len(got) > len("Warning ")+128+1+1024 || strings.ContainsAny(got, "\x1b\n") || !strings.Contains(got, "é") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestWithoutARecorderNothingIsWritten(*testing.T) {
	Recorder{}.Eventf(&corev1.Pod{}, nil, corev1.EventTypeNormal, "A", "B", "c")
}
