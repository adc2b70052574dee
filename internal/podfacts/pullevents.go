package podfacts

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// eventsRead are the events that are looked at, eventsAtOnce how many are in memory: the people of a namespace can write some about their pods
	// that have 1.5 MB each. A kubelet writes three about a container.
	eventsRead, eventsAtOnce = 48, 8
	// maxSaid is how much of a message is kept, in bytes: as much as of what a pod's status says.
	maxSaid = 4 << 10
)

// said is a message, and when it was last said.
type said struct {
	at      time.Time
	message string
}

// PullEvents are the messages of the kubelet's events about failed pulls of a pod, the latest first. Only kubelets before 1.32 are
// in need of this. Without the right to list events there are none, and the cause stays unknown.
func PullEvents(ctx context.Context, reader client.Reader, pod *corev1.Pod) ([]string, error) {
	var all []said
	about := client.MatchingFields{"involvedObject.uid": string(pod.UID), "reason": "Failed"}
	for next := ""; len(all) < eventsRead; {
		var list corev1.EventList
		err := reader.List(ctx, &list, client.InNamespace(pod.Namespace), about, client.Limit(eventsAtOnce), client.Continue(next))
		if apierrors.IsForbidden(err) {
			log.FromContext(ctx).V(1).Info("Events may not be listed, so that the cause of a failed pull stays unknown: the kubelet is older than 1.32")
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			message := list.Items[i].Message
			all = append(all, said{lastSeen(&list.Items[i]), strings.Clone(message[:min(len(message), maxSaid)])})
		}
		if next = list.Continue; next == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b said) int { return b.at.Compare(a.at) })
	var messages []string
	for _, one := range all {
		messages = append(messages, one.message)
	}
	return messages, nil
}

func lastSeen(event *corev1.Event) time.Time {
	if !event.LastTimestamp.IsZero() {
		return event.LastTimestamp.Time
	}
	if event.Series != nil {
		return event.Series.LastObservedTime.Time
	}
	return event.EventTime.Time
}
