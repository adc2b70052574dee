package verify

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// forbidden lists what [netip.Addr] has no method for: instance metadata outside the link-local ranges, and what no
// registry can be at.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),              // this network, RFC 1122
	netip.MustParsePrefix("240.0.0.0/4"),            // reserved, RFC 1112, and broadcast
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud metadata
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure wire server
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud Classic metadata
	netip.MustParsePrefix("fd00:ec2::/32"),          // AWS metadata and pod identity
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud metadata
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway metadata
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba Cloud metadata
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Linode metadata
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud metadata
}

// Ranges of IPv6 that lead to an IPv4 address, and the byte at which that begins.
var embedded = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
}

// addressError says that an address must not be dialled.
type addressError struct {
	addr netip.Addr
	kind string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is %s", e.addr, e.kind)
}

// checkAddress is nil where a connection to the address is allowed. Private networks are: many registries live there.
func checkAddress(addr netip.Addr, allowLoopback bool) error {
	addr = bareAddress(addr)
	switch {
	case addr.IsLoopback():
		if allowLoopback {
			return nil
		}
		return &addressError{addr, "a loopback address"}
	case addr.IsUnspecified():
		return &addressError{addr, "the unspecified address"}
	case addr.IsMulticast():
		return &addressError{addr, "a multicast address"}
	case addr.IsLinkLocalUnicast():
		return &addressError{addr, "a link-local address"}
	}
	for _, prefix := range forbidden {
		if prefix.Contains(addr) {
			return &addressError{addr, "a metadata or reserved address"}
		}
	}
	return nil
}

// bareAddress takes off the zone, and the IPv6 wrapping of an IPv4 address.
func bareAddress(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("").Unmap()
	if addr.Is4() || addr.IsLoopback() || addr.IsUnspecified() {
		return addr
	}
	for _, e := range embedded {
		if e.prefix.Contains(addr) {
			bytes := addr.As16()
			return netip.AddrFrom4([4]byte(bytes[e.at : e.at+4]))
		}
	}
	return addr
}

// dialControl is for [net.Dialer.ControlContext], which is called with the resolved address just before connecting:
// a name that resolves to something else the second time gains nothing.
func dialControl(allowLoopback bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		addrPort, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address to dial: %w", err)
		}
		return checkAddress(addrPort.Addr(), allowLoopback)
	}
}
