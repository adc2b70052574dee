package verify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"regcred.dev/regcred/internal/proxy"
)

// route is the way from here to the hosts of one test: directly, where each address is checked when it is dialled, or through a proxy,
// which resolves and dials on its own.
type route struct {
	options Options
	// named is host[:port] of the registry where a key names it, else empty.
	named string

	mu         sync.Mutex
	through    string // host:port of the proxy that was used
	unchecked  bool   // the proxy resolved a name that the operator cannot
	connecting int    // connections that a proxy has not made yet
}

// routeError says why an address is not reached at all.
type routeError struct {
	address string
	err     error
}

func (e *routeError) Error() string { return shown(e.address) + " " + e.err.Error() }
func (e *routeError) Unwrap() error { return e.err }

// dial connects to host:port.
func (r *route) dial(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := r.proxyFor(address)
	if err != nil {
		return nil, err
	}
	if server == nil {
		dialer := &net.Dialer{ControlContext: dialControl(r.options.AllowLoopback)}
		return dialer.DialContext(ctx, network, address)
	}
	r.begin(server)
	defer r.end()
	if err := r.checkBehind(ctx, address); err != nil {
		return nil, err
	}
	return server.DialContext(ctx, network, address)
}

// dialPlain is for plain http. A proxy could read it.
func (r *route) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := r.proxyFor(address)
	if err != nil {
		return nil, err
	}
	if server != nil {
		return nil, &proxy.Error{Proxy: server.Address(), Target: address, Detail: "plain http is not sent through a proxy, which could read the credential"}
	}
	return r.dial(ctx, network, address)
}

func (r *route) proxyFor(address string) (*proxy.Server, error) {
	if r.options.Proxy == nil {
		return nil, nil
	}
	server, err := r.options.Proxy(address, r.isNamed(address))
	if err != nil {
		return nil, &routeError{address, err}
	}
	return server, nil
}

// isNamed reports whether an address is that of the registry that a key names.
func (r *route) isNamed(address string) bool {
	if r.named == "" {
		return false
	}
	return strings.EqualFold(address, r.named) || strings.EqualFold(address, r.named+":443") || strings.EqualFold(address, r.named+":80")
}

// checkBehind checks what the proxy would dial, as far as that can be known here: an address, and a name that the operator can resolve,
// too. The proxy may get another answer to the name. A name that only the proxy resolves is not checked, and the message says so.
func (r *route) checkBehind(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if endsInNumber(host) {
		return &routeError{address, errOldSpelling}
	}
	addresses := r.addressesOf(ctx, host)
	if len(addresses) == 0 {
		r.mu.Lock()
		r.unchecked = true
		r.mu.Unlock()
	}
	for _, addr := range addresses {
		if err := checkAddress(addr, r.options.AllowLoopback); err != nil {
			return err
		}
	}
	return nil
}

// addressesOf are those of a host, or the address that it is, as far as they are known here: none, where it cannot be resolved. That
// takes a fifth of the time at most: behind a proxy there is often no server that answers.
func (r *route) addressesOf(ctx context.Context, host string) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout/5)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	return addresses
}

func (r *route) begin(server *proxy.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.through = server.Address()
	r.connecting++
}

func (r *route) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connecting--
}

// waits is the proxy that has not connected yet, empty where none is waited for.
func (r *route) waits() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connecting == 0 {
		return ""
	}
	return r.through
}

// describe says by which way the hosts were asked, empty for directly.
func (r *route) describe() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.through == "":
		return ""
	case r.unchecked:
		return " (through the proxy " + r.through + ", which alone resolves the name, so that its address is not checked)"
	default:
		return " (through the proxy " + r.through + ")"
	}
}

// errOldSpelling is for IPv4 written as 127.1, 0x7f000001 or 2130706433, which many proxies read and which cannot be checked as an address.
var errOldSpelling = errors.New("is no name and no address in its usual form: write the name of the registry")

// endsInNumber reports whether a host would be read as IPv4 though it is not in the usual form: its last part is a number
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(parts[len(parts)-1])
	hex, isHex := strings.CutPrefix(last, "0x")
	if isHex {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// ErrNotThroughProxy is the error of [Options.Proxy] for a host that is reached through a proxy only if it is named.
var ErrNotThroughProxy = errors.New("would be reached through the proxy, and that is for hosts that are named: list it in hosts of --registry-proxy")
