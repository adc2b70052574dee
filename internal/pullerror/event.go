package pullerror

import (
	"fmt"
	"strings"
)

// joined is what client-go writes before the latest message of events that it joins, once there were ten alike within ten minutes
// (tools/record/events_cache.go, EventAggregatorByReasonMessageFunc).
const joined = "(combined from similar events): "

// FailedPull is the message of a kubelet's event about the failed pull of an image, without what joined events begin with. It is empty where
// the event is about something else or gives no cause.
func FailedPull(event, image string) string {
	message := strings.TrimPrefix(event, joined)
	if !strings.HasPrefix(message, fmt.Sprintf("Failed to pull image %q: ", image)) {
		return ""
	}
	return message
}
