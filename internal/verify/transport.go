package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxHeader bounds the header of one response, in bytes.
	maxHeader = 64 << 10
	// maxErrorBody bounds the body of a response other than 2xx, in bytes. The rest is cut off silently, so that the
	// status counts whatever follows it. The library beneath takes no larger error.
	maxErrorBody = 64 << 10
)

// errPlainHTTP is the answer to http for a host that was not declared insecure.
var errPlainHTTP = errors.New("plain http is for registries that were declared insecure")

// statusError is a response that ends the test whatever its body says: 429 and 5xx.
type statusError struct {
	code       int
	retryAfter time.Duration
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d", e.code) }

// redirectError is a response that leads to another origin.
type redirectError struct {
	code int
}

func (e *redirectError) Error() string { return fmt.Sprintf("status %d to another origin", e.code) }

// handshakeError tells a failed TLS handshake from a failed connection: not every error of crypto/tls has a type.
type handshakeError struct {
	err error
}

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }

// boundedTransport lies below everything that speaks to a registry and holds it within the limits of [Options].
type boundedTransport struct {
	base      *http.Transport
	route     *route
	insecure  func(host string) bool
	maxBody   int64
	userAgent string
}

func newBoundedTransport(o Options, roots *x509.CertPool, way *route) *boundedTransport {
	return &boundedTransport{
		route: way,
		base: &http.Transport{
			Proxy:       nil, // See the package comment.
			DialContext: way.dialPlain,
			// A DialTLSContext of our own also means HTTP/1.1: a test has five requests at most.
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialTLS(ctx, way, network, address, roots)
			},
			DisableCompression:     true, // What is small on the wire must be small in memory.
			MaxResponseHeaderBytes: maxHeader,
			IdleConnTimeout:        o.Timeout,
		},
		insecure:  o.insecure,
		maxBody:   o.MaxBody,
		userAgent: o.UserAgent,
	}
}

func dialTLS(ctx context.Context, way *route, network, address string, roots *x509.CertPool) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := way.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(&handshakeError{err}, conn.Close())
	}
	return secured, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !t.insecure(req.URL.Host) {
		if req.Body != nil {
			_ = req.Body.Close() // A RoundTripper owes it; nothing was read from it.
		}
		return nil, errPlainHTTP
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.userAgent)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := unusable(req.URL, resp); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	resp.Body = t.bounded(resp)
	return resp, nil
}

// bounded limits a body: what is too large is an error, or cut off where the status says all.
func (t *boundedTransport) bounded(resp *http.Response) io.ReadCloser {
	if resp.StatusCode < http.StatusMultipleChoices {
		return http.MaxBytesReader(nil, resp.Body, t.maxBody)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, min(t.maxBody, maxErrorBody)), resp.Body}
}

// close ends idle connections; those in use end with their context.
func (t *boundedTransport) close() {
	t.base.CloseIdleConnections()
}

// unusable is nil for a response that may be looked at further.
func unusable(asked *url.URL, resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code >= http.StatusInternalServerError:
		return &statusError{code: code, retryAfter: retryAfter(resp.Header, time.Now())}
	case code >= http.StatusMultipleChoices && code < http.StatusBadRequest:
		location, err := resp.Location()
		if err == nil && sameOrigin(asked, location) {
			return nil
		}
		return &redirectError{code: code}
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}
