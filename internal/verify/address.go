package verify

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// addressError says that an address must not be dialled.
type addressError struct {
	addr netip.Addr
	kind string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is %s", e.addr, e.kind)
}

// checkAddress is nil where a connection to the address is allowed. Private networks are: many registries live there. An address
// that leads to another one has to be allowed itself, and the other one, too.
func checkAddress(addr netip.Addr, allowLoopback bool) error {
	for {
		addr = addr.WithZone("").Unmap()
		if addr.IsLoopback() {
			if allowLoopback {
				return nil
			}
			return &addressError{addr, "a loopback address"}
		}
		found := rangeOf(addr)
		if found == nil {
			return nil
		}
		if found.leadsTo == nil {
			return &addressError{addr, found.kind}
		}
		addr = found.leadsTo(addr.As16()) // IPv4, which leads no further.
	}
}

// rangeOf returns the first range of the table that an address is in.
func rangeOf(addr netip.Addr) *addressRange {
	for i := range ranges {
		if ranges[i].prefix.Contains(addr) {
			return &ranges[i]
		}
	}
	return nil
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
