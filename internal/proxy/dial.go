package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

// maxHead bounds what a proxy may say before the tunnel begins, in bytes.
const maxHead = 16 << 10

// Server is a proxy.
type Server struct {
	// URL is http:// or https://, with a host and, where it is not 80 or 443, a port.
	URL *url.URL
	// Roots are trusted for an https:// proxy. Nil means those of the system.
	Roots *x509.CertPool
	// Login gives user name and password at each connection. Nil, and a credential that is empty, mean none.
	Login func(context.Context) (dockerconfig.Credential, error)
}

// Address is host:port of the proxy.
func (s *Server) Address() string {
	port := s.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[s.URL.Scheme]
	}
	return net.JoinHostPort(s.URL.Hostname(), port)
}

// DialContext connects to a target, as host:port, through the proxy. Each error is an [Error].
func (s *Server) DialContext(ctx context.Context, _, target string) (net.Conn, error) {
	conn, failed := s.reach(ctx)
	if failed == nil {
		failed = s.connect(ctx, conn, target)
		if failed == nil {
			return conn, nil
		}
		_ = conn.Close() // it was of no use
	}
	failed.Proxy, failed.Target = s.Address(), target
	if ctx.Err() != nil {
		failed.Detail, failed.Err = "no answer in time", errors.Join(ctx.Err(), failed.Err)
	}
	return nil, failed
}

// reach connects to the proxy itself. Its address is a person's choice, and not checked.
func (s *Server) reach(ctx context.Context) (net.Conn, *Error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return nil, &Error{Detail: "no connection to the proxy", Err: err}
	}
	if s.URL.Scheme != "https" {
		return conn, nil
	}
	secured := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.URL.Hostname(), RootCAs: s.Roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // it was of no use
		return nil, &Error{Detail: "the TLS connection to the proxy failed", Err: err}
	}
	return secured, nil
}

// connect asks for a tunnel.
func (s *Server) connect(ctx context.Context, conn net.Conn, target string) *Error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends reads and writes; a closed connection needs none
	defer stop()
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{"User-Agent": {"regcred"}},
	}
	if s.Login != nil {
		login, err := s.Login(ctx)
		if err != nil {
			return &Error{Detail: "its login could not be read: " + err.Error(), Err: err}
		}
		if !login.IsZero() {
			request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login.Username()+":"+login.Password())))
		}
	}
	if err := request.Write(conn); err != nil {
		return &Error{Detail: "the connection broke", Err: err}
	}
	if failed := readHead(conn, request); failed != nil {
		return failed
	}
	if !stop() {
		return &Error{Detail: "no answer in time", Err: ctx.Err()}
	}
	return nil
}

// readHead reads the answer to CONNECT, and not a byte of what follows it. A server of TLS or HTTP waits to be spoken to: what comes
// before is the proxy's own.
func readHead(conn net.Conn, request *http.Request) *Error {
	reader := bufio.NewReader(io.LimitReader(conn, maxHead))
	answer, err := http.ReadResponse(reader, request)
	if err != nil {
		return &Error{Detail: "what it answers to CONNECT is no HTTP, or too long", Err: err}
	}
	_ = answer.Body.Close() // after a 200 to CONNECT there is none, and any other is not read
	switch {
	case answer.StatusCode != http.StatusOK:
		return &Error{Status: answer.StatusCode}
	case reader.Buffered() > 0:
		return &Error{Detail: fmt.Sprintf("it sent %d bytes of its own after its answer to CONNECT", reader.Buffered())}
	}
	return nil
}
