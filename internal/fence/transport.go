package fence

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// Wrap returns a configuration whose clients ask the fence before each write. Writes have connections of their own, which ask once
// more at each Write, so that nothing is sent that waited between the two while the process was stopped.
func (f *Fence) Wrap(config *rest.Config) (*rest.Config, error) {
	own := rest.CopyConfig(config)
	own.Dial = f.dial
	writes, err := rest.TransportFor(own)
	if err != nil {
		return nil, fmt.Errorf("make connections for writes: %w", err)
	}
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(reads http.RoundTripper) http.RoundTripper {
		return &transport{fence: f, reads: reads, writes: writes}
	})
	return wrapped, nil
}

type transport struct {
	fence         *Fence
	reads, writes http.RoundTripper
}

// RoundTrip sends a request, a write only while the fence is open.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !writes(request) {
		return t.reads.RoundTrip(request)
	}
	left, err := t.fence.begin()
	if err != nil {
		closeBody(request)
		return nil, err
	}
	defer t.fence.end()
	return t.writes.RoundTrip(within(request, left))
}

// CloseIdleConnections is what clients ask of their transport.
func (t *transport) CloseIdleConnections() {
	utilnet.CloseIdleConnectionsFor(t.reads)
	utilnet.CloseIdleConnectionsFor(t.writes)
}

// WrappedRoundTripper is how client-go finds what cancels a request. Writes are cancelled by their contexts alone.
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.reads }

// writes reports whether a request changes something. Reviews are questions that are asked by POST, and a token that is requested is
// kept by nobody but us.
func writes(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	path := request.URL.Path
	if request.Method != http.MethodPost {
		return true
	}
	review := strings.Contains(path, "/apis/authentication.k8s.io/") || strings.Contains(path, "/apis/authorization.k8s.io/")
	token := strings.Contains(path, "/serviceaccounts/") && strings.HasSuffix(path, "/token")
	return !review && !token
}

// within tells the API server to have done with a request before the lease ends: it may wait there for a webhook, or for its turn.
func within(request *http.Request, left time.Duration) *http.Request {
	address := *request.URL
	if strings.Contains(address.RawQuery, "timeout") && address.Query().Has("timeout") {
		return request
	}
	if address.RawQuery != "" {
		address.RawQuery += "&"
	}
	address.RawQuery += "timeout=" + left.Truncate(time.Millisecond).String()
	bounded := request.WithContext(request.Context()) // a copy, which shares all but the address
	bounded.URL = &address
	return bounded
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close() // a RoundTripper closes it always
	}
}

// dial makes a connection for writes. What the network does not take within what remains of the lease after the last write, the
// kernel throws away.
func (f *Fence) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: giveUpAfter(f.terms.Lease - f.terms.Write)}
	raw, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: raw, fence: f}, nil
}

// conn is a connection that carries writes only. Nothing goes out on it while the fence is closed: it is broken instead.
type conn struct {
	net.Conn
	fence *Fence
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.fence.Check(); err != nil {
		return 0, errors.Join(err, c.Close())
	}
	return c.Conn.Write(p)
}
