package proxy

import (
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for _, test := range []struct{ name, text, fault string }{
		{"the example", Example, ""},
		{"every host", "url=http://p:3128;hosts=*", ""},
		{"over TLS with a CA", "url=https://p:3128;hosts=ghcr.io;ca=/etc/proxy/ca.crt", ""},
		{"upper case and a port", "hosts=Registry.Example:5000;url=http://p", ""},
		{"a CA without TLS", "url=http://p;hosts=*;ca=/x", "ca is for a proxy"},
		{"no hosts", "url=http://p", "required"},
		{"no URL", "hosts=*", "required"},
		{"twice", "url=http://p;url=http://q;hosts=*", "each once"},
		{"another word", "url=http://p;hosts=*;user=x", "is not url"},
		{"a user in the URL", "url=http://u:s3cret@p;hosts=*", "kept in a Secret"},
		{"a path in the URL", "url=http://p/x;hosts=*", "scheme, host and port"},
		{"another scheme", "url=socks5://p;hosts=*", "a proxy is a URL"},
		{"a star within a name", "url=http://p;hosts=gh*.io", "is no host"},
		{"an empty host", "url=http://p;hosts=a,,b", "is no host"},
		{"a URL for a host", "url=http://p;hosts=https://ghcr.io", "is no host"},
		{"no name of a Secret", "url=http://p;hosts=*;secret=A/b", "no name of a Secret"},
		{"nothing", "", "want url"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseRule(test.text)
			if (err == nil) != (test.fault == "") || err != nil && (!strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		hosts, address  string
		covered, byName bool
	}{
		{"ghcr.io", "ghcr.io:443", true, true},
		{"ghcr.io", "GHCR.io:443", true, true},
		{"ghcr.io", "ghcr.io.:443", true, true},
		{"ghcr.io", "ghcr.io:8443", false, false},
		{"ghcr.io", "x.ghcr.io:443", false, false},
		{"ghcr.io:5000", "ghcr.io:5000", true, true},
		{"ghcr.io:5000", "ghcr.io:443", false, false},
		{"*.docker.io", "auth.docker.io:443", true, true},
		{"*.docker.io", "docker.io:443", false, false},
		{"*.docker.io", "evildocker.io:443", false, false},
		{"*.docker.io", ".docker.io:443", false, false},
		{"*.docker.io", "a.b.docker.io:443", true, true},
		{"*.1", "10.0.0.1:443", false, false},
		{"10.0.0.1", "10.0.0.1:443", true, true},
		{"*", "10.0.0.1:8443", true, false},
		{"*,ghcr.io", "ghcr.io:443", true, true},
		{"*", "no port", false, false},
	} {
		rule, err := ParseRule("url=http://p:3128;hosts=" + test.hosts)
		if err != nil {
			t.Fatal(err)
		}
		if covered, byName := rule.Covers(test.address); covered != test.covered || byName != test.byName {
			t.Errorf("%s covers %s: %t, by name %t", test.hosts, test.address, covered, byName)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{Example, "url=https://p;hosts=*;ca=x", "hosts=a:1,*.b;url=http://[::1]:1", ";;=="} {
		f.Add(seed, "ghcr.io:443")
	}
	f.Fuzz(func(t *testing.T, text, address string) {
		rule, err := ParseRule(text)
		if err != nil {
			return
		}
		if rule.URL.Host == "" || rule.URL.User != nil || len(rule.Hosts) == 0 {
			t.Errorf("%q became %+v", text, rule)
		}
		if covered, byName := rule.Covers(address); byName && !covered {
			t.Errorf("%q covers %q by name alone", text, address)
		}
	})
}
