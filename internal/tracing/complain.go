package tracing

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"regcred.dev/regcred/internal/foreign"
)

// complainEvery is how often it is told that spans could not be sent.
const complainEvery = 10 * time.Minute

// quietly tells seldom that spans are not sent, and never what a collector answered.
type quietly struct {
	sdktrace.SpanExporter
	log logr.Logger
	now func() time.Time

	mu sync.Mutex
	// unsent and faulty are when it was last told that spans are not sent, and of another fault of the library.
	unsent, faulty time.Time
}

// ExportSpans implements [sdktrace.SpanExporter].
func (q *quietly) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil {
		q.seldom(&q.unsent, "Traces are not sent; nothing else depends on them", "why", cause(err))
	}
	return nil
}

// Handle implements [otel.ErrorHandler]: for what the library says of its settings and of itself.
func (q *quietly) Handle(err error) {
	q.seldom(&q.faulty, "OpenTelemetry reports a fault; nothing but traces depends on it", "what", foreign.Message(err.Error()))
}

func (q *quietly) seldom(told *time.Time, message string, pair ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := q.now(); told.IsZero() || now.Sub(*told) >= complainEvery {
		*told = now
		q.log.Info(message, pair...)
	}
}

// answered finds the status in what otlptracehttp says of an answer.
var answered = regexp.MustCompile(`failed to send to \S+: ([1-5][0-9]{2})\b`)

// cause says in words of its own why spans are not sent. An error quotes what was answered, in more places than its body: the words beside a
// status, where a redirect leads, a line that is no header. The answer may quote the request, and so the login in its headers.
func cause(err error) string {
	if status := answered.FindStringSubmatch(err.Error()); status != nil {
		return "the collector answers with HTTP status " + status[1]
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var number syscall.Errno
	var network net.Error
	switch {
	case errors.As(err, &name):
		return "the collector's name cannot be resolved"
	case errors.As(err, &certificate):
		return "the collector's certificate cannot be verified: see OTEL_EXPORTER_OTLP_CERTIFICATE"
	case errors.As(err, &number):
		return "the collector cannot be reached: " + number.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "the collector does not answer in time"
	case strings.Contains(err.Error(), "OTLP partial success"):
		return "the collector took a part of the spans only: see its log"
	case strings.Contains(err.Error(), "retry-able request failure"):
		return "the collector asks to try later, again and again: see its log"
	}
	return "the collector gives no answer of OTLP over HTTP: see its log, and the endpoint"
}

// settings tells which setting of the environment the library does not understand, and not what is in it: the library would print the headers,
// with the login in them, to standard error.
type settings struct{ log logr.Logger }

// Init implements [logr.LogSink], as all below.
func (settings) Init(logr.RuntimeInfo) {}

// Enabled lets errors through alone.
func (settings) Enabled(int) bool { return false }

// Info says nothing.
func (settings) Info(int, string, ...any) {}

// Error names what failed, and a file that could not be read.
func (s settings) Error(err error, message string, pairs ...any) {
	if len(pairs) == 2 && pairs[0] == "file" {
		s.log.Info("A file for traces cannot be used: see the environment variables OTEL_*", "what", message, "why", foreign.Message(err.Error()))
		return
	}
	s.log.Info("A setting for traces is not understood: see the environment variables OTEL_*", "what", message)
}

// WithValues leaves values out.
func (s settings) WithValues(...any) logr.LogSink { return s }

// WithName needs none: the log has one.
func (s settings) WithName(string) logr.LogSink { return s }
