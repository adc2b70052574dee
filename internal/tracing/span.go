package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"regcred.dev/regcred/internal/foreign"
)

// Keys of attributes. Those of Kubernetes are OpenTelemetry's semantic conventions.
const (
	credentialKey = "regcred.credential"
	revisionKey   = "regcred.revision"
	registryKey   = "regcred.registry"
	reasonKey     = "regcred.reason"
	outcomeKey    = "regcred.outcome"
	selectedKey   = "regcred.namespaces.selected"
	syncedKey     = "regcred.namespaces.synced"
	failedKey     = "regcred.namespaces.failed"
	failingKey    = "regcred.namespaces.failing"
	namespaceKey  = "k8s.namespace.name"
	podKey        = "k8s.pod.name"
)

// Pod is one that is acted on, and the reason why.
type Pod struct{ Namespace, Name, Reason string }

// Span is a phase that has begun. Nil is one that nobody traces.
type Span struct {
	span trace.Span
	now  func() time.Time
}

func (t *Rotations) begin(parent trace.SpanContext, name string, attributes ...attribute.KeyValue) *Span {
	ctx := context.Background()
	if parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, parent)
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(t.now()), trace.WithAttributes(attributes...))
	return &Span{span, t.now}
}

// End ends the phase with an outcome: a documented reason, a verdict or an action, and never a text of others. failed says that something is
// wrong that a person may look for.
func (s *Span) End(outcome string, failed bool) {
	if s != nil {
		s.endAt(outcome, failed, s.now())
	}
}

func (s *Span) endAt(outcome string, failed bool, at time.Time) {
	s.set(about(outcomeKey, outcome))
	if failed {
		s.span.SetStatus(codes.Error, foreign.Name(outcome))
	}
	s.span.End(trace.WithTimestamp(at))
}

func (s *Span) set(attributes ...attribute.KeyValue) { s.span.SetAttributes(attributes...) }

// context names the span to its children.
func (s *Span) context() trace.SpanContext {
	if s == nil {
		return trace.SpanContext{}
	}
	return s.span.SpanContext()
}

// about is one attribute, cut and cleaned: names in docker configs and specs are foreign.
func about(key, value string) attribute.KeyValue { return attribute.String(key, foreign.Name(value)) }

func clean(texts []string) []string {
	cleaned := make([]string, 0, len(texts))
	for _, text := range texts {
		cleaned = append(cleaned, foreign.Name(text))
	}
	return cleaned
}
