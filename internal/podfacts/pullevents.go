package podfacts

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// PullEvents are the messages of the kubelet's events about failed pulls of a pod, the latest first. Only kubelets before 1.32 are
// in need of this. Without the right to list events there are none, and the cause stays unknown.
func PullEvents(ctx context.Context, reader client.Reader, pod *corev1.Pod) ([]string, error) {
	var list corev1.EventList
	err := reader.List(ctx, &list, client.InNamespace(pod.Namespace), client.MatchingFields{
		"involvedObject.uid": string(pod.UID), "reason": "Failed",
	}, client.Limit(50))
	if apierrors.IsForbidden(err) {
		log.FromContext(ctx).V(1).Info("Events may not be listed, so that the cause of a failed pull stays unknown: the kubelet is older than 1.32")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return lastSeen(&b).Compare(lastSeen(&a)) })
	var messages []string
	for i := range list.Items {
		messages = append(messages, list.Items[i].Message)
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
