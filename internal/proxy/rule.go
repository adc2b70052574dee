package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Rule says which hosts are reached through which proxy, as a flag has it.
type Rule struct {
	// URL of the proxy.
	URL *url.URL
	// Hosts in lower case: host[:port], *.domain[:port] for all names below a domain, or "*" for every host and port. Without a port,
	// 443 is meant.
	Hosts []string
	// Secret names what holds the login, empty for none. CA is a file with the certificates that are trusted for the proxy.
	Secret, CA string
}

// Example is a rule as it is written.
const Example = "url=http://proxy.company.io:3128;hosts=ghcr.io,*.docker.io;secret=proxy-login"

var (
	hostPattern   = regexp.MustCompile(`^(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?)$`)
	secretPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
)

// ParseRule reads a rule such as [Example]. url and hosts are required.
func ParseRule(text string) (Rule, error) {
	var r Rule
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, found := strings.Cut(part, "=")
		if !found || value == "" || seen[name] {
			return Rule{}, fmt.Errorf("want url, hosts, secret and ca, each once, as in %q", Example)
		}
		seen[name] = true
		if err := r.set(name, value); err != nil {
			return Rule{}, err
		}
	}
	if r.URL == nil || len(r.Hosts) == 0 {
		return Rule{}, fmt.Errorf("url and hosts are required, as in %q", Example)
	}
	if r.CA != "" && r.URL.Scheme != "https" {
		return Rule{}, errors.New("ca is for a proxy that is spoken to over https://")
	}
	return r, nil
}

func (r *Rule) set(name, value string) (err error) {
	switch name {
	case "url":
		r.URL, err = ParseURL(value)
	case "hosts":
		for host := range strings.SplitSeq(strings.ToLower(value), ",") {
			if !hostPattern.MatchString(host) {
				return fmt.Errorf("%.100q is no host[:port], no *.domain and not *", host)
			}
			r.Hosts = append(r.Hosts, host)
		}
	case "secret":
		if r.Secret = value; !secretPattern.MatchString(value) || len(value) > 253 {
			return fmt.Errorf("%.100q is no name of a Secret", value)
		}
	case "ca":
		r.CA = value
	default:
		return fmt.Errorf("%.100q is not url, hosts, secret or ca", name)
	}
	return err
}

// ParseURL reads the address of a proxy.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, errors.New("a proxy is a URL such as http://proxy.company.io:3128")
	case u.User != nil:
		return nil, errors.New("a proxy's user name and password are kept in a Secret, and not in its URL")
	case strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("the URL of a proxy is scheme, host and port only")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// Covers reports whether an address, as host:port, is to be reached through the proxy; by name, whether an entry other than "*" says so.
func (r Rule) Covers(address string) (covered, byName bool) {
	host, port, err := net.SplitHostPort(strings.ToLower(address))
	if err != nil {
		return false, false
	}
	host = strings.TrimSuffix(host, ".")
	byName = slices.ContainsFunc(r.Hosts, func(entry string) bool { return entry != "*" && entryCovers(entry, host, port) })
	return byName || slices.Contains(r.Hosts, "*"), byName
}

func entryCovers(entry, host, port string) bool {
	name, wanted, found := strings.Cut(entry, ":")
	if !found {
		wanted = "443"
	}
	if port != wanted {
		return false
	}
	if domain, below := strings.CutPrefix(name, "*"); below {
		_, err := netip.ParseAddr(host)
		return err != nil && strings.HasSuffix(host, domain) && len(host) > len(domain)
	}
	return name == host
}
