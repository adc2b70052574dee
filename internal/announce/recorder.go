// Package announce writes the operator's events. The API server refuses an event whose note, reason or action is too long, and the
// recorder then drops it without a word: so no controller holds the raw recorder.
package announce

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/internal/foreign"
)

// The longest fields of an event in bytes (events.k8s.io/v1: pkg/apis/core/validation/events.go). foreign.MessageLength keeps the
// note below its limit of 1024.
const (
	reasonLength   = 128
	actionLength   = 128
	instanceLength = 128
)

// Recorder writes events that the API server takes: cut to its limits, on one line, without control characters. The zero Recorder
// writes none.
type Recorder struct{ raw events.EventRecorder }

// New wraps the recorder of a manager.
func New(raw events.EventRecorder) Recorder { return Recorder{raw} }

// Eventf writes an event about an object. related may be nil.
func (r Recorder) Eventf(regarding, related runtime.Object, kind, reason, action, format string, args ...any) {
	if r.raw == nil {
		return
	}
	note := foreign.Message(fmt.Sprintf(format, args...))
	r.raw.Eventf(regarding, related, kind, foreign.Text(reason, reasonLength), foreign.Text(action, actionLength), "%s", note)
}
