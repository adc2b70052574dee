package announce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/foreign"
)

// Reporter is under what name the operator writes events. Its admission policy lets it write no others.
const Reporter = "regcred"

// longestName leaves room for a dot and the digest within the 253 characters of a name.
const longestName = 200

// Writer writes an event and waits for it. A Recorder keeps each event in memory for minutes, and sends as many at once as it is given: that is
// for what is told now and then. What is told in each of thousands of namespaces is written here, as fast as the API server takes it. The
// zero Writer writes none.
type Writer struct {
	Client client.Writer
	// Now is the API server's time.
	Now func() time.Time

	mu sync.Mutex
	// restsUntil is when events are written again, after one was not answered in time.
	restsUntil time.Time
}

// rest is for how long no event is written after one was not answered in time: whoever writes waits, and has other work in thousands of namespaces.
const rest = time.Minute

// ErrRests is why an event was not written.
var ErrRests = errors.New("events are not written for a minute, because the API server did not answer the last one in time; look at webhooks and policies for events")

// Event is about one object of a namespace.
type Event struct {
	Regarding, Related corev1.ObjectReference
	// Kind is corev1.EventTypeNormal or EventTypeWarning.
	Kind, Reason, Action, Note string
}

// Write writes an event, cut to what the API server takes. What happened to one version of Regarding because of Related is written once, however
// often it is told. A namespace that is gone or going is told nothing, and that is no error. It fails with ErrRests for a minute after the context
// of a write ended before there was an answer.
func (w *Writer) Write(ctx context.Context, e Event) error {
	if w.Client == nil {
		return nil
	}
	if w.rests() {
		return ErrRests
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("who reports an event: %w", err)
	}
	err = w.Client.Create(ctx, &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.Regarding.Namespace, Name: e.name()},
		EventTime:           metav1.NewMicroTime(w.Now()),
		ReportingController: Reporter, ReportingInstance: foreign.Text(Reporter+"-"+host, instanceLength),
		Type: e.Kind, Reason: foreign.Text(e.Reason, reasonLength), Action: foreign.Text(e.Action, actionLength), Note: foreign.Message(e.Note),
		Regarding: e.Regarding, Related: &e.Related,
	})
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.beginRest()
	}
	return err
}

func (w *Writer) rests() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Now().Before(w.restsUntil)
}

func (w *Writer) beginRest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restsUntil = w.Now().Add(rest)
}

// name is the same for the same event, and another one for each other.
func (e Event) name() string {
	about := sha256.Sum256(fmt.Appendf(nil, "%q", []string{string(e.Regarding.UID), e.Regarding.ResourceVersion, string(e.Related.UID), e.Related.Name, e.Kind, e.Reason}))
	name := e.Regarding.Name[:min(len(e.Regarding.Name), longestName)]
	return strings.TrimRight(name, "-.") + "." + hex.EncodeToString(about[:8])
}
