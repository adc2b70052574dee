package tracing

import (
	"context"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Names of the spans, one for each phase.
const (
	readSpan    = "read"
	testSpan    = "test"
	publishSpan = "publish"
	deliverSpan = "deliver"
	cureSpan    = "cure"
)

// Outcomes of a fan-out. Those of other phases are reasons of conditions, verdicts and actions.
const (
	Delivered         = "Delivered"
	PartlyDelivered   = "PartlyDelivered"
	DeliveryGoesOn    = "DeliveryGoesOn"    // the span ends, because deliverAtMost has passed
	DeliveryReplaced  = "DeliveryReplaced"  // by that of a newer value
	DeliveryForgotten = "DeliveryForgotten" // the RegistryCredential is gone, or the process ends
)

const (
	// deliverAtMost is how long the span of a fan-out stays open for namespaces that are not served.
	deliverAtMost = 10 * time.Minute
	// curesBelong is for how long after a publication a cure belongs to its trace. One that comes later begins a trace.
	curesBelong = time.Hour
)

// Value names a value. The digest is compared and never sent.
type Value struct{ Revision, Digest string }

// Rotations traces what becomes of values. Nil traces nothing, and costs nothing.
type Rotations struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	now      func() time.Time

	mu    sync.Mutex
	known map[string]*rotation // by RegistryCredential
}

// rotation is what is known of a RegistryCredential.
type rotation struct {
	// digest of the newest value, and the span of the read that found it.
	digest string
	read   trace.SpanContext
	// publishTime of the value in use, the span of its fan-out, and the fan-out while it goes on.
	publishTime time.Time
	delivered   trace.SpanContext
	fanOut      *fanOut
}

// of returns what is known of a RegistryCredential. The caller holds the mutex.
func (t *Rotations) of(credential string) *rotation {
	if t.known[credential] == nil {
		t.known[credential] = &rotation{}
	}
	return t.known[credential]
}

// Read begins the span of a read of the source.
func (t *Rotations) Read(credential string) *Span {
	if t == nil {
		return nil
	}
	return t.begin(trace.SpanContext{}, readSpan, about(credentialKey, credential))
}

// Found says that a read gave a value that waits to be published: its span is the root of what follows. The first read that gave it counts.
func (t *Rotations) Found(credential string, value Value, read *Span) {
	if t == nil {
		return
	}
	read.set(about(revisionKey, value.Revision))
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.of(credential)
	if known.digest == value.Digest {
		return
	}
	known.digest, known.read = value.Digest, read.context()
}

// Test begins the span of a test at a registry. digest is that of the value that waits, or empty where another one is tested.
func (t *Rotations) Test(credential, digest, registry string) *Span {
	if t == nil {
		return nil
	}
	parent := trace.SpanContext{}
	t.mu.Lock()
	if known := t.known[credential]; known != nil && digest != "" && known.digest == digest {
		parent = known.read
	}
	t.mu.Unlock()
	return t.begin(parent, testSpan, about(credentialKey, credential), about(registryKey, registry))
}

// Publish begins the span in which a value is put in use.
func (t *Rotations) Publish(credential string, value Value) *Span {
	if t == nil {
		return nil
	}
	parent := trace.SpanContext{}
	t.mu.Lock()
	if known := t.known[credential]; known != nil && known.digest == value.Digest {
		parent = known.read
	}
	t.mu.Unlock()
	return t.begin(parent, publishSpan, about(credentialKey, credential), about(revisionKey, value.Revision))
}

// Published says that a value is in use: its fan-out begins, below the span of its publication.
func (t *Rotations) Published(credential string, value Value, publish *Span) {
	if t == nil {
		return
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.of(credential)
	known.fanOut.end(DeliveryReplaced, now)
	span := t.begin(publish.context(), deliverSpan, about(credentialKey, credential), about(revisionKey, value.Revision))
	known.publishTime, known.delivered = now, span.context()
	known.fanOut = &fanOut{digest: value.Digest, span: span, began: now, touched: now}
}

// Cure begins the span in which a pod is acted on that lacked the value of a RegistryCredential.
func (t *Rotations) Cure(credential string, pod Pod) *Span {
	if t == nil {
		return nil
	}
	parent := trace.SpanContext{}
	t.mu.Lock()
	if known := t.known[credential]; known != nil && t.now().Sub(known.publishTime) < curesBelong {
		parent = known.delivered
	}
	t.mu.Unlock()
	return t.begin(parent, cureSpan, about(credentialKey, credential), about(namespaceKey, pod.Namespace), about(podKey, pod.Name), about(reasonKey, pod.Reason))
}

// Forget drops what is known of a RegistryCredential that is gone.
func (t *Rotations) Forget(credential string) {
	if t == nil {
		return
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[credential]; known != nil {
		known.fanOut.end(DeliveryForgotten, now)
		delete(t.known, credential)
	}
}

// Close ends what is open and sends what was not sent yet.
func (t *Rotations) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	now := t.now()
	t.mu.Lock()
	for credential, known := range t.known {
		known.fanOut.end(DeliveryForgotten, now)
		delete(t.known, credential)
	}
	t.mu.Unlock()
	return t.provider.Shutdown(ctx)
}
