package podfacts

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// told answers a list of events, and notes what was asked for.
type told struct {
	client.Reader
	events []corev1.Event
	fails  error
	asked  client.ListOptions
}

func (o *told) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	o.asked.ApplyOptions(options)
	into.(*corev1.EventList).Items = o.events
	return o.fails
}

// The cause of a failed pull is the last that a kubelet told, in whichever of three ways it dates an event, and of this pod: a namesake that is
// gone has events, too.
func TestTheLatestEventsOfAPodComeFirst(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	reader := &told{events: []corev1.Event{
		{Message: "first", LastTimestamp: metav1.NewTime(at(1)), Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(9))}},
		{Message: "fourth", EventTime: metav1.NewMicroTime(at(4))},
		{Message: "second", EventTime: metav1.NewMicroTime(at(0)), LastTimestamp: metav1.NewTime(at(2))},
		{Message: "third", EventTime: metav1.NewMicroTime(at(0)), Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(3))}},
	}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "pod"}}
	got, err := PullEvents(t.Context(), reader, pod)
	if want := []string{"fourth", "third", "second", "first"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q: %v", got, want, err)
	}
	for field, want := range map[string]string{"involvedObject.uid": "pod", "reason": "Failed"} {
		if value, exact := reader.asked.FieldSelector.RequiresExactMatch(field); !exact || value != want {
			t.Errorf("events are asked for whose %s is %q", field, value)
		}
	}
	if reader.asked.Namespace != "shop" || reader.asked.Limit != 8 {
		t.Errorf("asked for %d of namespace %q", reader.asked.Limit, reader.asked.Namespace)
	}
}

// Who may not list events does not know the cause, and goes on; an API server that is away is asked again.
func TestWithoutTheRightToEventsThereAreNone(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "pod"}}
	if got, err := PullEvents(t.Context(), &told{fails: apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", nil)}, pod); err != nil || len(got) > 0 {
		t.Errorf("%q: %v", got, err)
	}
	away := errors.New("connection refused")
	if _, err := PullEvents(t.Context(), &told{fails: away}, pod); !errors.Is(err, away) {
		t.Errorf("the error is %v", err)
	}
}
