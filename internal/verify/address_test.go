package verify

import (
	"errors"
	"net/netip"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	tests := []struct {
		name    string
		addr    string
		allowed bool
	}{
		{"a public address", "93.184.216.34", true},
		{"a public IPv6 address", "2606:2800:220:1::1", true},
		{"a private address, where many registries are", "10.0.0.5", true},
		{"a unique local IPv6 address", "fd12:3456::1", true},
		{"a shared address", "100.64.0.1", true},
		{"loopback", "127.0.0.1", false},
		{"loopback that is not the usual one", "127.8.9.10", false},
		{"IPv6 loopback", "::1", false},
		{"IPv4-mapped loopback", "::ffff:127.0.0.1", false},
		{"IPv4-compatible loopback", "::127.0.0.1", false},
		{"unspecified", "0.0.0.0", false},
		{"unspecified IPv6", "::", false},
		{"this network", "0.1.2.3", false},
		{"instance metadata", "169.254.169.254", false},
		{"IPv4-mapped instance metadata", "::ffff:169.254.169.254", false},
		{"instance metadata through NAT64", "64:ff9b::a9fe:a9fe", false},
		{"instance metadata through 6to4", "2002:a9fe:a9fe::1", false},
		{"a public address through NAT64", "64:ff9b::5db8:d822", true},
		{"link-local", "169.254.1.1", false},
		{"link-local IPv6", "fe80::1", false},
		{"link-local IPv6 with a zone", "fe80::1%eth0", false},
		{"the end of link-local IPv6", "febf::1", false},
		{"multicast", "224.0.0.1", false},
		{"multicast IPv6", "ff05::1", false},
		{"broadcast", "255.255.255.255", false},
		{"reserved", "250.1.2.3", false},
		{"metadata of Alibaba Cloud", "100.100.100.200", false},
		{"next to the metadata of Alibaba Cloud", "100.100.100.201", true},
		{"wire server of Azure", "168.63.129.16", false},
		{"wire server of Azure, IPv4-mapped", "::ffff:168.63.129.16", false},
		{"old metadata of Oracle Cloud", "192.0.0.192", false},
		{"metadata of AWS over IPv6", "fd00:ec2::254", false},
		{"pod identity of AWS over IPv6", "fd00:ec2::23", false},
		{"metadata of AWS over IPv6 with a zone", "fd00:ec2::254%eth0", false},
		{"metadata of Google Cloud over IPv6", "fd20:ce::254", false},
		{"metadata of Scaleway over IPv6", "fd00:42::42", false},
		{"metadata of Alibaba Cloud over IPv6", "fd00:100::100:200", false},
		{"metadata of Linode over IPv6", "fd00:a9fe:a9fe::1", false},
		{"metadata of Oracle Cloud over IPv6", "fd00:c1::a9fe:a9fe", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := netip.MustParseAddr(tt.addr)
			err := checkAddress(addr, false)
			if (err == nil) != tt.allowed {
				t.Errorf("checkAddress(%s) = %v, want allowed: %v", addr, err, tt.allowed)
			}
			var refused *addressError
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("checkAddress(%s) gives a %T", addr, err)
			}
			allowed := tt.allowed || bareAddress(addr).IsLoopback()
			if err := checkAddress(addr, true); (err == nil) != allowed {
				t.Errorf("with loopback allowed, checkAddress(%s) = %v, want allowed: %v", addr, err, allowed)
			}
		})
	}
}

// Whatever bytes an address has, wrapping it as IPv4-mapped must not change the answer.
func FuzzCheckAddress(f *testing.F) {
	f.Add(byte(169), byte(254), byte(169), byte(254))
	f.Add(byte(127), byte(0), byte(0), byte(1))
	f.Add(byte(10), byte(0), byte(0), byte(1))
	f.Fuzz(func(t *testing.T, a, b, c, d byte) {
		addr := netip.AddrFrom4([4]byte{a, b, c, d})
		plain := checkAddress(addr, false)
		mapped := checkAddress(netip.AddrFrom16(addr.As16()), false)
		if (plain == nil) != (mapped == nil) {
			t.Errorf("%s: %v, but IPv4-mapped: %v", addr, plain, mapped)
		}
	})
}
