// Package collector is the part of an OpenTelemetry collector that tests need: it takes traces by OTLP over HTTP and keeps them.
package collector

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector listens until its test ends.
type Collector struct {
	// URL is its base: the value of --otlp-endpoint.
	URL string

	mu    sync.Mutex
	spans []Span
	raw   strings.Builder
	// status that it answers with instead, with the text of the request's headers. Zero takes what it is sent.
	status int
}

// Span is what a test looks at of one.
type Span struct {
	Name, Trace, ID, Parent string
	Failed                  bool
	Start, End              uint64
	Attributes              map[string]string
}

// Start listens on loopback.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// ServeHTTP takes one request.
func (c *Collector) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	var message collectortrace.ExportTraceServiceRequest
	switch {
	case c.status != 0:
		w.WriteHeader(c.status)
		_ = request.Header.Write(w) // the test looks for what it says
		return
	case err != nil, request.Method != http.MethodPost, !strings.HasSuffix(request.URL.Path, "/v1/traces"), proto.Unmarshal(body, &message) != nil:
		http.Error(w, "no OTLP over HTTP", http.StatusBadRequest)
		return
	}
	c.raw.Write(body)
	fmt.Fprint(&c.raw, request.URL, request.Header, &message)
	for _, resource := range message.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, read(span, resource.Resource.Attributes))
			}
		}
	}
}

func read(span *tracev1.Span, resource []*commonv1.KeyValue) Span {
	attributes := map[string]string{}
	for _, attribute := range append(resource, span.Attributes...) {
		attributes[attribute.Key] = text(attribute.Value)
	}
	return Span{
		Name: span.Name, Trace: fmt.Sprintf("%x", span.TraceId), ID: fmt.Sprintf("%x", span.SpanId), Parent: fmt.Sprintf("%x", span.ParentSpanId),
		Failed: span.Status.GetCode() == tracev1.Status_STATUS_CODE_ERROR, Start: span.StartTimeUnixNano, End: span.EndTimeUnixNano, Attributes: attributes,
	}
}

func text(value *commonv1.AnyValue) string {
	switch value := value.Value.(type) {
	case *commonv1.AnyValue_IntValue:
		return strconv.FormatInt(value.IntValue, 10)
	case *commonv1.AnyValue_ArrayValue:
		var all []string
		for _, one := range value.ArrayValue.Values {
			all = append(all, text(one))
		}
		return strings.Join(all, "; ")
	}
	return value.GetStringValue()
}

// Refuse has it answer with a status and the request's headers from now on. Zero has it take spans again.
func (c *Collector) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// Spans that came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Raw is all that came so far, as it was sent and as text.
func (c *Collector) Raw() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}
