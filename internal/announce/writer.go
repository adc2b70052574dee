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
	// unanswered is when an event was last not answered in time, zero where none was.
	unanswered time.Time
}

const (
	// answeredWithin is how long an answer is waited for: what is told is not put off by being told.
	answeredWithin = 5 * time.Second
	// rest is for how long no event is written after one was not answered in time: whoever writes has other work in thousands of namespaces.
	rest = time.Minute
)

// ErrRests is why an event was not written.
var ErrRests = errors.New("events are not written for a minute, because the API server did not answer the last one in time; look at webhooks and policies for events")

// Event is about one object of a namespace.
type Event struct {
	Regarding, Related corev1.ObjectReference
	// Kind is corev1.EventTypeNormal or EventTypeWarning.
	Kind, Reason, Action, Note string
}

// Write writes an event, cut to what the API server takes, and waits five seconds for the answer at most. What is told of one version of Regarding
// because of Related is written once, however often it is told. A namespace that is gone or going is told nothing, and that is no error. It fails with
// ErrRests for a minute after those seconds were not enough for a write. A caller who had less time himself says nothing of the API server.
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
	bounded, cancel := context.WithTimeout(ctx, answeredWithin)
	defer cancel()
	err = w.Client.Create(bounded, &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.Regarding.Namespace, Name: e.name()},
		EventTime:           metav1.NewMicroTime(w.Now()),
		ReportingController: Reporter, ReportingInstance: foreign.Text(Reporter+"-"+host, instanceLength),
		Type: e.Kind, Reason: foreign.Text(e.Reason, reasonLength), Action: foreign.Text(e.Action, actionLength), Note: foreign.Message(e.Note),
		Regarding: e.Regarding, Related: &e.Related,
	})
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		w.beginRest()
	}
	return err
}

// rests reports whether events are not written now. A clock that was set back since makes no rest longer.
func (w *Writer) rests() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := w.Now().Sub(w.unanswered)
	return !w.unanswered.IsZero() && since >= 0 && since < rest
}

func (w *Writer) beginRest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unanswered = w.Now()
}

// name is the same for the same event, and another one for each other.
func (e Event) name() string {
	about := sha256.Sum256(fmt.Appendf(nil, "%q", []string{string(e.Regarding.UID), e.Regarding.ResourceVersion, string(e.Related.UID), e.Related.Name, e.Kind, e.Reason, e.Note}))
	name := e.Regarding.Name[:min(len(e.Regarding.Name), longestName)]
	return strings.TrimRight(name, "-.") + "." + hex.EncodeToString(about[:8])
}
