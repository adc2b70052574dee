package podfacts

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/test/inmemory"
)

// flooded is an API server that has so many events of a megabyte, each a second after the one before.
func flooded(t *testing.T, events int) (client.Reader, *int) {
	t.Helper()
	requests, message := 0, strings.Repeat("x", 1<<20)
	return inmemory.Cluster().WithInterceptorFuncs(interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		requests++
		asked := (&client.ListOptions{}).ApplyOptions(options)
		if asked.Limit < 1 || asked.Limit > 8 {
			t.Errorf("%d events of up to 1.5 MB are asked for at once", asked.Limit)
		}
		from := 0
		fmt.Sscan(asked.Continue, &from)
		to := min(events, from+int(asked.Limit))
		into := list.(*corev1.EventList)
		for i := from; i < to; i++ {
			into.Items = append(into.Items, corev1.Event{Message: fmt.Sprint(i, message), LastTimestamp: metav1.NewTime(time.Unix(int64(i), 0))})
		}
		if to < events {
			into.Continue = fmt.Sprint(to)
		}
		return nil
	}}).Build(), &requests
}

// The people of a namespace write events about their pods, as many and as large as they like.
func TestEventsOfAPodTakeLittleMemoryAndFewRequests(t *testing.T) {
	for _, test := range []struct{ events, messages, requests int }{{0, 0, 1}, {3, 3, 1}, {8, 8, 1}, {9, 9, 2}, {5000, 48, 6}} {
		reader, requests := flooded(t, test.events)
		messages, err := PullEvents(t.Context(), reader, &corev1.Pod{})
		if err != nil || len(messages) != test.messages || *requests != test.requests {
			t.Errorf("of %d events %d are looked at, with %d requests: %v", test.events, len(messages), *requests, err)
		}
		for i, message := range messages {
			if len(message) > 4<<10 || !strings.HasPrefix(message, fmt.Sprint(len(messages)-1-i, "x")) {
				t.Errorf("the message at %d has %d bytes and begins with %.10q", i, len(message), message)
			}
		}
	}
}

// A few bytes that point into a megabyte would keep all of it.
func TestWhatIsKeptOfALargeEventIsACopy(t *testing.T) {
	event := corev1.Event{Message: strings.Repeat("x", 1<<20)}
	messages, err := PullEvents(t.Context(), &told{events: []corev1.Event{event}}, &corev1.Pod{})
	if err != nil || len(messages) != 1 || unsafe.StringData(messages[0]) == unsafe.StringData(event.Message) {
		t.Errorf("%d messages are kept, with the memory of the event: %v", len(messages), err)
	}
}
