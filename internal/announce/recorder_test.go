package announce

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// all keeps the last event as it is sent.
type all struct {
	regarding, related         runtime.Object
	kind, reason, action, note string
}

func (a *all) Eventf(regarding, related runtime.Object, kind, reason, action, note string, arguments ...any) {
	*a = all{regarding, related, kind, reason, action, fmt.Sprintf(note, arguments...)}
}

func TestWhatAnEventSays(t *testing.T) {
	sent := &all{}
	pod, owner := &corev1.Pod{}, &corev1.ReplicationController{}
	New(sent).Eventf(pod, owner, corev1.EventTypeNormal, "Rea\nson", "Ac\x1btion", "%d of %s", 7, "a\nb")
	if *sent != (all{pod, owner, corev1.EventTypeNormal, "Rea son", "Ac tion", "7 of a b"}) {
		t.Errorf("%+v", sent)
	}
	New(sent).Eventf(&corev1.Pod{}, nil, corev1.EventTypeNormal, strings.Repeat("r", 500), strings.Repeat("a", 500), "%s", strings.Repeat("n", 5000))
	if len(sent.reason) > reasonLength || len(sent.action) > actionLength || len(sent.note) > 1024 || len(sent.action) < actionLength-3 {
		t.Errorf("%d, %d and %d bytes", len(sent.reason), len(sent.action), len(sent.note))
	}
}

// A message of a registry may hold a percent sign, as an escaped path does.
func TestWhatAnEventSaysIsNoFormat(t *testing.T) {
	sent := &all{}
	New(sent).Eventf(&corev1.Pod{}, nil, corev1.EventTypeNormal, "A", "B", "%s", "100% of team%2Fapp, %s")
	if sent.note != "100% of team%2Fapp, %s" {
		t.Errorf("%q", sent.note)
	}
}
