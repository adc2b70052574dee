package verify

import "net/netip"

// addressRange is a range of addresses that no registry is at, or that leads to other addresses.
type addressRange struct {
	prefix netip.Prefix
	kind   string
	// leadsTo is the IPv4 address behind one of IPv6, nil where all of the range is refused.
	leadsTo func(bytes [16]byte) netip.Addr
}

// embeddedAt finds an IPv4 address from some byte on.
func embeddedAt(at int) func([16]byte) netip.Addr {
	return func(bytes [16]byte) netip.Addr { return netip.AddrFrom4([4]byte(bytes[at : at+4])) }
}

func refused(prefix, kind string) addressRange {
	return addressRange{prefix: netip.MustParsePrefix(prefix), kind: kind}
}

func leads(prefix string, to func([16]byte) netip.Addr) addressRange {
	return addressRange{prefix: netip.MustParsePrefix(prefix), leadsTo: to}
}

// ranges is looked through from the top. It follows IANA's registries of special-purpose addresses (for IPv4 and IPv6, RFC 6890) and
// of IPv6 multicast; what is private or shared there (RFC 1918, 6598 and 4193) is allowed, and so is what
// laboratories and sandboxes use as if it were private: IPv4 for documentation and benchmarks (RFC 5737 and 2544).
// Metadata services are at addresses that their clouds document.
var ranges = []addressRange{
	refused("100.100.100.200/32", "a metadata address"),     // Alibaba Cloud
	refused("168.63.129.16/32", "a metadata address"),       // Azure's wire server
	refused("fd00:ec2::/32", "a metadata address"),          // AWS, pod identity included
	refused("fd20:ce::254/128", "a metadata address"),       // Google Cloud
	refused("fd00:42::42/128", "a metadata address"),        // Scaleway
	refused("fd00:100::100:200/128", "a metadata address"),  // Alibaba Cloud
	refused("fd00:a9fe:a9fe::1/128", "a metadata address"),  // Linode
	refused("fd00:c1::a9fe:a9fe/128", "a metadata address"), // Oracle Cloud
	refused("169.254.0.0/16", "a link-local address"),       // RFC 3927, most metadata services
	refused("fe80::/10", "a link-local address"),            // RFC 4291
	refused("fec0::/10", "a site-local address"),            // RFC 3879: deprecated, has no meaning any more

	refused("0.0.0.0/32", "the unspecified address"),    // RFC 1122
	refused("0.0.0.0/8", "a reserved address"),          // this network, RFC 791
	refused("192.0.0.0/24", "a reserved address"),       // IETF protocol assignments, RFC 6890; Oracle Cloud Classic's metadata
	refused("192.88.99.0/24", "a reserved address"),     // 6to4 relays, RFC 7526: deprecated
	refused("192.31.196.0/24", "a reserved address"),    // AS112, RFC 7535: answers DNS alone
	refused("192.52.193.0/24", "a reserved address"),    // AMT, RFC 7450
	refused("192.175.48.0/24", "a reserved address"),    // AS112, RFC 7534
	refused("224.0.0.0/4", "a multicast address"),       // RFC 5771
	refused("240.0.0.0/4", "a reserved address"),        // RFC 1112, and broadcast
	refused("::/128", "the unspecified address"),        // RFC 4291
	refused("64:ff9b:1::/48", "a reserved address"),     // NAT64 of local use, RFC 8215: where the IPv4 address is in it, only its network knows
	refused("100::/64", "a reserved address"),           // discard only, RFC 6666
	refused("100:0:0:1::/64", "a reserved address"),     // dummy prefix, RFC 9780
	refused("2001::/23", "a reserved address"),          // IETF protocol assignments, RFC 2928: Teredo (RFC 4380), ORCHID (RFC 4843 and 7343), benchmarking (RFC 5180)
	refused("2001:db8::/32", "a documentation address"), // RFC 3849
	refused("2620:4f:8000::/48", "a reserved address"),  // AS112, RFC 7534
	refused("3fff::/20", "a documentation address"),     // RFC 9637
	refused("5f00::/16", "a reserved address"),          // segment routing, RFC 9602
	refused("ff00::/8", "a multicast address"),          // RFC 4291
	leads("::/96", embeddedAt(12)),                      // IPv4-compatible, RFC 4291
	leads("::ffff:0:0:0/96", embeddedAt(12)),            // IPv4-translated, RFC 2765
	leads("64:ff9b::/96", embeddedAt(12)),               // NAT64, RFC 6052
	leads("2002::/16", embeddedAt(2)),                   // 6to4, RFC 3056
}
