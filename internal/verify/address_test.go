package verify

import (
	"errors"
	"net/netip"
	"strings"
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
		{"the usual loopback", "127.0.0.1", false},
		{"loopback that is not the usual one", "127.8.9.10", false},
		{"loopback of IPv6", "::1", false},
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
		{"metadata through NAT64 of local use", "64:ff9b:1::a9fe:a9fe", false},
		{"anything through NAT64 of local use", "64:ff9b:1:fffe::5db8:d822", false},
		{"a public address next to NAT64", "64:ff9b:2::1", true},
		{"metadata, IPv4-translated", "::ffff:0:169.254.169.254", false},
		{"loopback, IPv4-translated", "::ffff:0:127.0.0.1", false},
		{"a private address, IPv4-translated, as it would be alone", "::ffff:0:10.0.0.5", true},
		{"Teredo", "2001:0:a9fe:a9fe::1", false},
		{"ORCHID", "2001:10::1", false},
		{"ORCHIDv2", "2001:20::1", false},
		{"benchmarking of IPv6", "2001:2::1", false},
		{"the first public address behind the protocol assignments", "2001:200::1", true},
		{"site-local", "fec0::1", false},
		{"the end of site-local", "feff::1", false},
		{"site-local with a zone", "fec0::1%eth0", false},
		{"loopback through 6to4", "2002:7f00:1::1", false},
		{"a private address through 6to4, as it would be alone", "2002:a00:5::1", true},
		{"loopback through NAT64", "64:ff9b::7f00:1", false},
		{"broadcast through NAT64", "64:ff9b::ffff:ffff", false},
		{"IPv4-compatible metadata", "::169.254.169.254", false},
		{"documentation, which laboratories use as private", "192.0.2.1", true},
		{"documentation, the second, which laboratories use as private", "198.51.100.7", true},
		{"documentation, the third, which laboratories use as private", "203.0.113.7", true},
		{"documentation of IPv6", "2001:db8::1", false},
		{"the new documentation of IPv6", "3fff::1", false},
		{"benchmarking, which laboratories use as private", "198.19.0.1", true},
		{"discard only", "100::1", false},
		{"segment routing", "5f00::1", false},
		{"relays of 6to4", "192.88.99.1", false},
		{"protocol assignments", "192.0.0.8", false},
		{"multicast that is IPv4-mapped", "::ffff:224.0.0.1", false},
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
			allowed := tt.allowed || strings.Contains(tt.name, "loopback")
			if err := checkAddress(addr, true); (err == nil) != allowed {
				t.Errorf("with loopback allowed, checkAddress(%s) = %v, want allowed: %v", addr, err, allowed)
			}
		})
	}
}

// However an IPv4 address is wrapped in one of IPv6, the answer is the same.
func FuzzCheckAddress(f *testing.F) {
	f.Add(byte(169), byte(254), byte(169), byte(254))
	f.Add(byte(127), byte(0), byte(0), byte(1))
	f.Add(byte(10), byte(0), byte(0), byte(1))
	f.Add(byte(0), byte(0), byte(0), byte(1))
	f.Fuzz(func(t *testing.T, a, b, c, d byte) {
		addr := netip.AddrFrom4([4]byte{a, b, c, d})
		plain := checkAddress(addr, false)
		for kind, wrapped := range map[string][16]byte{
			"IPv4-mapped":     addr.As16(),
			"IPv4-compatible": {12: a, 13: b, 14: c, 15: d},
			"IPv4-translated": {8: 0xff, 9: 0xff, 12: a, 13: b, 14: c, 15: d},
			"NAT64":           {1: 0x64, 2: 0xff, 3: 0x9b, 12: a, 13: b, 14: c, 15: d},
			"6to4":            {0: 0x20, 1: 0x02, 2: a, 3: b, 4: c, 5: d, 15: 1},
		} {
			if err := checkAddress(netip.AddrFrom16(wrapped).WithZone("eth0"), false); (err == nil) != (plain == nil) {
				t.Errorf("%s: %v, but %s: %v", addr, plain, kind, err)
			}
		}
	})
}

// Every range is refused from its first address to its last, or decided by the address behind it.
func TestEveryRangeIsRefusedToItsEnds(t *testing.T) {
	for _, r := range ranges {
		bytes := r.prefix.Addr().As16()
		first := r.prefix.Addr()
		for bit := 128 - first.BitLen() + r.prefix.Bits(); bit < 128; bit++ {
			bytes[bit/8] |= 1 << (7 - bit%8)
		}
		for _, addr := range []netip.Addr{first, netip.AddrFrom16(bytes)} {
			if err := checkAddress(addr, false); err == nil && r.leadsTo == nil {
				t.Errorf("%s of %s is allowed", addr, r.prefix)
			}
		}
	}
}
