package tracing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// raw answers with bytes of its own choice.
func raw(answer func(request *http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(connection, answer(request))
			_ = connection.Close()
		}
	}
}

// Whoever answers at the endpoint knows the headers that it was sent, with the login in them, and may say them anywhere.
func TestNothingThatACollectorAnswersIsLogged(t *testing.T) {
	login := func(request *http.Request) string { return request.Header.Get("X-Key") }
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"in the message about spans that it rejects", func(w http.ResponseWriter, request *http.Request) {
			answer, _ := proto.Marshal(&collectortrace.ExportTraceServiceResponse{PartialSuccess: &collectortrace.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: login(request)}})
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(answer)
		}, "a part of the spans"},
		{"in the body", func(w http.ResponseWriter, request *http.Request) {
			http.Error(w, login(request), http.StatusForbidden)
		}, "HTTP status 403"},
		{"in the words beside the status", raw(func(request *http.Request) string {
			return fmt.Sprintf("HTTP/1.1 401 %s\r\nContent-Length: 0\r\n\r\n", login(request))
		}), "HTTP status 401"},
		{"in the place that it redirects to", func(w http.ResponseWriter, request *http.Request) {
			http.Redirect(w, request, "http://127.0.0.1:1/"+login(request), http.StatusFound)
		}, "connection refused"},
		{"in a scheme that nobody knows", func(w http.ResponseWriter, request *http.Request) {
			http.Redirect(w, request, login(request)+"://x/", http.StatusFound)
		}, "no answer of OTLP"},
		{"in what is no HTTP", raw(func(request *http.Request) string { return login(request) + "\r\n\r\n" }), "no answer of OTLP"},
		{"in a header that is none", raw(func(request *http.Request) string {
			return "HTTP/1.1 200 OK\r\n" + login(request) + "\r\n\r\n"
		}), "no answer of OTLP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=canary")
			server := httptest.NewServer(test.answer)
			defer server.Close()
			var log strings.Builder
			traces, err := New(t.Context(), Options{Endpoint: server.URL, Now: time.Now,
				Log: funcr.New(func(prefix, arguments string) { fmt.Fprintln(&log, prefix, arguments) }, funcr.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			traces.Read("company").End("Read", false)
			if err := traces.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if said := log.String(); strings.Contains(said, "canary") || !strings.Contains(said, test.says) {
				t.Errorf("said %q, want %q", said, test.says)
			}
		})
	}
}

func TestALoginThatIsMistypedIsNotLogged(t *testing.T) {
	for _, test := range []struct{ name, variable, value, says string }{
		{"a header with a colon", "OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer canary", "parse headers"},
		{"a login with a comma", "OTEL_EXPORTER_OTLP_HEADERS", "x-key=can,canary", "parse headers"},
		{"a login with a percent sign", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=%zzcanary", "escape header value"},
		{"a name that is none", "OTEL_EXPORTER_OTLP_HEADERS", "canary canary=x", "parse headers"},
		{"a URL with a login", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:canary@%zz", "parse url"},
		{"a file that is not there", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "/no/such/file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			var log strings.Builder
			_, err := New(t.Context(), Options{Endpoint: "http://127.0.0.1:1", Now: time.Now,
				Log: funcr.New(func(prefix, arguments string) { fmt.Fprintln(&log, prefix, arguments) }, funcr.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			if said := log.String(); strings.Contains(said, "canary") || !strings.Contains(said, test.says) {
				t.Errorf("said %q, want %q", said, test.says)
			}
		})
	}
}

func TestWhyTracesAreNotSentIsSaidInWordsOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"no such name", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "canary"}}, "the collector's name cannot be resolved"},
		{"a certificate of nobody", &tls.CertificateVerificationError{Err: errors.New("canary")}, "certificate cannot be verified"},
		{"no answer", fmt.Errorf("Post canary: %w", context.DeadlineExceeded), "does not answer in time"},
		{"busy for a minute", errors.New("max retry time elapsed: retry-able request failure: body: canary"), "asks to try later"},
		{"a status beside an answer that was begun", fmt.Errorf("traces export: %w", errors.New("failed to send to http://x/v1/traces: 500 canary (body: canary)")), "HTTP status 500"},
	} {
		if got := cause(test.err); !strings.Contains(got, test.want) || strings.Contains(got, "canary") {
			t.Errorf("%s: said %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAMistypedSamplerIsNotTakenForACollectorThatRefuses(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	r := start(t)
	if said := r.log.String(); !strings.Contains(said, "unsupported sampler: sometimes") || strings.Contains(said, "collector") {
		t.Errorf("said %q", said)
	}
	r.to.Refuse(400)
	r.Read("company").End("Read", false)
	if err := r.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := r.log.String(); !strings.Contains(said, "HTTP status 400") {
		t.Errorf("of the collector it said %q", said)
	}
}
