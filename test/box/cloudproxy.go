package box

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

// cloudProxy answers for hosts of the clouds: plain requests as a proxy that has them all cached would, and TLS by ending
// the tunnels itself. Requests that come to its own address are for Google's metadata server, the only one that a
// process can be told to find elsewhere.
type cloudProxy struct {
	address   string // host:port
	handlerOf func(host string) http.Handler
	plain     *http.Server
	secure    *http.Server
	tunnels   *tunnels

	mu    sync.Mutex
	asked []string
}

func startCloudProxy(authority *cloudAuthority, handlerOf func(string) http.Handler) (*cloudProxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the clouds: %w", err)
	}
	p := &cloudProxy{
		address: listener.Addr().String(), handlerOf: handlerOf,
		tunnels: &tunnels{connections: make(chan net.Conn), closed: make(chan struct{}), address: listener.Addr()},
	}
	p.plain = &http.Server{Handler: http.HandlerFunc(p.servePlain), ReadHeaderTimeout: 10 * time.Second}
	p.secure = &http.Server{
		Handler: http.HandlerFunc(p.serveSecure), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: authority.certificate},
	}
	go func() { _ = p.plain.Serve(listener) }()              // until stop
	go func() { _ = p.secure.ServeTLS(p.tunnels, "", "") }() // until stop; speaks HTTP/2, too
	return p, nil
}

func (p *cloudProxy) stop() error { return errors.Join(p.plain.Close(), p.secure.Close()) }

func (p *cloudProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *cloudProxy) note(request string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, request)
}

func (p *cloudProxy) servePlain(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.Host == "":
		p.serve(gcpMetadataHost, w, r)
	default:
		p.serve(r.URL.Host, w, r)
	}
}

// serveSecure goes by the name that TLS was made for, as AWS does: the Host header is only what the caller signed.
func (p *cloudProxy) serveSecure(w http.ResponseWriter, r *http.Request) {
	p.serve(r.TLS.ServerName, w, r)
}

func (p *cloudProxy) serve(host string, w http.ResponseWriter, r *http.Request) {
	p.note(r.Method + " " + host + r.URL.Path)
	handler := p.handlerOf(host)
	if handler == nil {
		http.Error(w, unknownHost(host), http.StatusBadGateway)
		return
	}
	handler.ServeHTTP(w, r)
}

// connect hands the connection to the server that speaks TLS. Of an answer that refuses, Go's client shows its status
// line alone, so that line names the host.
func (p *cloudProxy) connect(w http.ResponseWriter, r *http.Request) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != "443" || p.handlerOf(host) == nil {
		p.note("CONNECT " + r.Host)
		refuseTunnel(connection, buffered.Writer, r.Host)
		return
	}
	if _, err := connection.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		_ = connection.Close() // the caller is gone
		return
	}
	p.tunnels.hand(connection)
}

func refuseTunnel(connection net.Conn, w *bufio.Writer, host string) {
	fmt.Fprintf(w, "HTTP/1.1 502 %s\r\nContent-Length: 0\r\n\r\n", unknownHost(host))
	_ = w.Flush()          // the caller may be gone
	_ = connection.Close() // all is said
}

func unknownHost(host string) string {
	return fmt.Sprintf("no cloud of this test has the host %s (%s)", host, CloudWords)
}

func (p *cloudProxy) client(caFile string) (*http.Client, error) {
	bundle, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("reading the clouds' CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	proxy := http.ProxyURL(&url.URL{Scheme: "http", Host: p.address})
	return &http.Client{Transport: &http.Transport{Proxy: proxy, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}}, nil
}

// tunnels is a listener whose connections have come another way.
type tunnels struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
	address     net.Addr
}

func (t *tunnels) hand(connection net.Conn) {
	select {
	case t.connections <- connection:
	case <-t.closed:
		_ = connection.Close() // nobody is left to serve it
	}
}

// Accept waits for the next connection.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case connection := <-t.connections:
		return connection, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr is where the connections came in.
func (t *tunnels) Addr() net.Addr { return t.address }
