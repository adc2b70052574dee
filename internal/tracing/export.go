package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Options of the way out.
type Options struct {
	// Endpoint is the base URL of a collector that takes OTLP over HTTP, such as http://collector.observability:4318. Spans go to the path
	// v1/traces below it, as with OTEL_EXPORTER_OTLP_ENDPOINT.
	Endpoint string
	// Version of the program, and the namespace and name of its pod.
	Version, Namespace, Pod string
	Now                     func() time.Time
	// Log is told once in a while that spans could not be sent.
	Log logr.Logger
}

// New begins to trace. Spans wait in a queue of 2048, and are dropped where it is full: no phase waits for the collector. Headers, certificates,
// timeouts, sampling and further attributes of the resource are read from the standard environment variables of OpenTelemetry.
func New(ctx context.Context, o Options) (*Rotations, error) {
	endpoint, err := tracesURL(o.Endpoint)
	if err != nil {
		return nil, err
	}
	otel.SetLogger(logr.New(settings{o.Log})) // else the library prints to standard error what it does not understand
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("send traces to %s: %w", endpoint, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "regcred"), attribute.String("service.version", o.Version),
		attribute.String("k8s.namespace.name", o.Namespace), attribute.String("k8s.pod.name", o.Pod),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	quiet := &quietly{SpanExporter: exporter, log: o.Log, now: o.Now}
	otel.SetErrorHandler(quiet) // else the library prints to standard error what a collector answers
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(quiet), sdktrace.WithResource(about))
	return &Rotations{provider: provider, tracer: provider.Tracer("regcred.dev/regcred"), now: o.Now, known: map[string]*rotation{}}, nil
}

// tracesURL is where spans go, by the base URL of a collector.
func tracesURL(endpoint string) (string, error) {
	parsed, err := url.Parse(endpoint)
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return "", errors.New("the OTLP endpoint is no URL such as http://collector.observability:4318")
	case parsed.User != nil:
		return "", errors.New("the OTLP endpoint holds a login: put it into the environment variable OTEL_EXPORTER_OTLP_HEADERS")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return "", errors.New("the OTLP endpoint must end with its path, without a query")
	}
	return parsed.JoinPath("v1", "traces").String(), nil
}
