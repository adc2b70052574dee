package tracing

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Counts are how far a fan-out came.
type Counts struct {
	// Selected namespaces, those that have the value, and those that cannot be served.
	Selected, Synced, Failed int
	// Failing names the first namespaces that cannot be served, as "namespace: reason".
	Failing []string
}

// fanOut is the delivery of a value to all namespaces that are selected, while it goes on. Nil is one that has ended.
type fanOut struct {
	digest string
	span   *Span
	// began is when the value was published, touched when a delivery changed last.
	began, touched time.Time
	counts         Counts
}

// end ends the span at a time. Where nothing is open it does nothing.
func (f *fanOut) end(outcome string, at time.Time) {
	if f == nil {
		return
	}
	f.span.set(
		attribute.Int(selectedKey, f.counts.Selected), attribute.Int(syncedKey, f.counts.Synced), attribute.Int(failedKey, f.counts.Failed),
		attribute.StringSlice(failingKey, clean(f.counts.Failing)),
	)
	f.span.endAt(outcome, outcome == PartlyDelivered || outcome == DeliveryGoesOn, at)
}

// Touched says that a delivery of a RegistryCredential changed. It is called for each, and does no more than take the time.
func (t *Rotations) Touched(credential string) {
	if t == nil {
		return
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[credential]; known != nil && known.fanOut != nil {
		known.fanOut.touched = now
	}
}

// Delivering says how far the fan-out of the value with a digest came. The last change of a delivery ends it where each selected namespace has
// the value or cannot be served.
func (t *Rotations) Delivering(credential, digest string, counts Counts) {
	if t == nil {
		return
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.known[credential]
	if known == nil || known.fanOut == nil || known.fanOut.digest != digest {
		return
	}
	one := known.fanOut
	one.counts = counts
	switch open := counts.Selected > counts.Synced+counts.Failed; {
	case open && now.Sub(one.began) < deliverAtMost:
		return
	case open:
		one.end(DeliveryGoesOn, now)
	case counts.Failed > 0:
		one.end(PartlyDelivered, one.touched)
	default:
		one.end(Delivered, one.touched)
	}
	known.fanOut = nil
}
