// Package proxytest is a real HTTP proxy for tests: it makes tunnels for CONNECT, and can be told to misbehave.
package proxytest

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy is a running proxy.
type Proxy struct {
	// Address is host:port, URL the same with http:// before it.
	Address, URL string

	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	asked  []string
	login  string
	names  map[string]string
	status string
	speaks string
	hang   bool
	open   map[net.Conn]bool
}

// Start starts a proxy on loopback, until the test ends.
func Start(t testing.TB) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), listener: listener, open: map[net.Conn]bool{}}
	p.URL = "http://" + p.Address
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		p.mu.Lock()
		for conn := range p.open {
			_ = conn.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

// Want demands a login.
func (p *Proxy) Want(username, password string) {
	p.set(func() { p.login = "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)) })
}

// Resolve makes the proxy find a name at an address, as host:port.
func (p *Proxy) Resolve(names map[string]string) { p.set(func() { p.names = names }) }

// Refuse answers each CONNECT with a status line such as "403 Forbidden". Empty ends it.
func (p *Proxy) Refuse(status string) { p.set(func() { p.status = status }) }

// Speak sends a text in the place of the answer to CONNECT.
func (p *Proxy) Speak(text string) { p.set(func() { p.speaks = text }) }

// Hang answers nothing.
func (p *Proxy) Hang(hang bool) { p.set(func() { p.hang = hang }) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Asked are the requests so far, as "CONNECT host:port".
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	status, speaks, hang, target := p.status, p.speaks, p.hang, r.Host
	if p.login != "" && r.Header.Get("Proxy-Authorization") != p.login {
		status = "407 Proxy Authentication Required"
	}
	if at := p.names[target]; at != "" {
		target = at
	}
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		http.Error(w, "this proxy makes tunnels alone", http.StatusMethodNotAllowed)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.keep(conn)
	switch {
	case hang:
		return // until the test ends or the caller hangs up
	case speaks != "":
		_, _ = io.WriteString(conn, speaks) // the caller may be gone
	case status != "":
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status)
	default:
		p.tunnel(conn, target)
		return
	}
	p.drop(conn)
}

func (p *Proxy) tunnel(conn net.Conn, target string) {
	defer p.drop(conn)
	behind, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		fmt.Fprint(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	p.keep(behind)
	defer p.drop(behind)
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(conn, behind)
		_ = conn.Close()
	})
	_, _ = io.Copy(behind, conn)
	_ = behind.Close()
	back.Wait()
}

func (p *Proxy) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
}

func (p *Proxy) drop(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}
