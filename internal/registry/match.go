package registry

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// hubIndex is the one index key that a kubelet falls back to for images of Docker Hub. It is what remains of
// "https://index.docker.io/v1/".
const hubIndex = "index.docker.io"

// Matches reports whether a kubelet uses a docker config entry under this key for this image, given no other entry.
// It is false for a reference that a kubelet cannot parse and for a key that it cannot read.
//
// Another entry can shadow this one: see [MostSpecific].
func Matches(key, image string) bool {
	return len(MostSpecific([]string{key}, image)) == 1
}

// MostSpecific returns those of the keys that a kubelet uses for the image, in the order in which it tries them.
// All entries that cover the image count, those with the longer path first; a kubelet tries each until one pull
// works. Only where none covers it, an entry for index.docker.io serves the images of Docker Hub, so that
// "docker.io" shadows "https://index.docker.io/v1/".
//
// A kubelet tries keys that mean the same ("quay.io" and "https://quay.io") in random order; here they are sorted.
// The kubelet applies the rule to all pull Secrets of a pod together.
func MostSpecific(keys []string, image string) []string { return NewRing(keys).MostSpecific(image) }

// Ring are docker config keys that were read once, to be matched with many images.
type Ring []ringKey

type ringKey struct {
	indexed
	pattern
	readable bool
}

// NewRing reads keys. Those that a kubelet skips are left out.
func NewRing(keys []string) Ring {
	ring := make(Ring, 0, len(keys))
	for _, key := range keys {
		if index, ok := indexOf(key); ok {
			read, readable := patternOf(index)
			ring = append(ring, ringKey{indexed{index: index, key: key}, read, readable})
		}
	}
	return ring
}

// MostSpecific is that of the keys of the ring.
func (r Ring) MostSpecific(image string) []string {
	parsed, err := ParseImage(image)
	if err != nil {
		return nil
	}
	target, readable := patternOf(parsed.Name())
	byHub := servedByHubIndex(parsed.Registry)
	var covering, fallback []indexed
	for i := range r {
		key := &r[i]
		if readable && key.readable && key.covers(target) {
			covering = append(covering, key.indexed)
		}
		if byHub && key.index == hubIndex {
			fallback = append(fallback, key.indexed)
		}
	}
	if len(covering) == 0 {
		return sortedKeys(fallback)
	}
	return sortedKeys(covering)
}

// indexed is a docker config key together with what a kubelet keeps of it.
type indexed struct {
	index, key string
}

// sortedKeys puts the keys in the kubelet's order: its index is sorted backwards, which puts a longer path before
// its own prefix and a literal label before a wildcard.
func sortedKeys(entries []indexed) []string {
	slices.SortFunc(entries, func(a, b indexed) int {
		return cmp.Or(strings.Compare(b.index, a.index), strings.Compare(a.key, b.key))
	})
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.key)
	}
	return keys
}

// indexOf reduces a docker config key to host[:port][/path], as a kubelet does when it loads a pull Secret. The
// scheme goes, and so does one leading /v1 or /v2, but only where a slash follows it. It is false for a key that
// a kubelet skips.
func indexOf(key string) (string, bool) {
	if !strings.HasPrefix(key, "https://") && !strings.HasPrefix(key, "http://") {
		key = "https://" + key
	}
	u, err := url.Parse(key)
	if err != nil {
		return "", false
	}
	below := u.Path
	if strings.HasPrefix(below, "/v1/") || strings.HasPrefix(below, "/v2/") {
		below = below[len("/v1"):]
	}
	if below == "/" {
		below = ""
	}
	return u.Host + below, true
}

// covers compares an index key with the name of an image: equal ports, the same number of host labels, each label
// a glob, the path a plain string prefix. Both are parsed as URLs because the kubelet does so: an index key with a
// stray % in it is then unreadable, and covers nothing.
func covers(index, name string) bool {
	glob, readable := patternOf(index)
	target, isName := patternOf(name)
	return readable && isName && glob.covers(target)
}

// pattern is an index key, or the name of an image, in the parts that are compared.
type pattern struct {
	labels     []string
	port, path string
}

// patternOf is false for what is no URL.
func patternOf(text string) (pattern, bool) {
	u, err := url.Parse("https://" + text)
	if err != nil {
		return pattern{}, false
	}
	labels, port := splitHost(u.Host)
	return pattern{labels, port, u.Path}, true
}

func (p *pattern) covers(target pattern) bool {
	if p.port != target.port || len(p.labels) != len(target.labels) || !strings.HasPrefix(target.path, p.path) {
		return false
	}
	for i := range target.labels {
		if ok, err := path.Match(p.labels[i], target.labels[i]); !ok || err != nil {
			return false
		}
	}
	return true
}

// MissesByPort reports whether a docker config key without a port would serve an image if it had the port of the image.
func MissesByPort(key, image string) bool {
	parsed, err := ParseImage(image)
	index, ok := indexOf(key)
	if err != nil || !ok {
		return false
	}
	host, below, _ := strings.Cut(index, "/")
	_, has := splitHost(host)
	_, wants := splitHost(parsed.Registry)
	return has == "" && wants != "" && covers(strings.TrimSuffix(host, ":")+":"+wants+strings.TrimSuffix("/"+below, "/"), parsed.Name())
}

// MissesByCase reports whether a docker config key would serve an image if their hosts were written with the same letters.
func MissesByCase(key, image string) bool {
	parsed, err := ParseImage(image)
	index, ok := indexOf(key)
	if err != nil || !ok || covers(index, parsed.Name()) {
		return false
	}
	host, below, _ := strings.Cut(index, "/")
	return covers(strings.ToLower(host)+strings.TrimSuffix("/"+below, "/"), strings.ToLower(parsed.Registry)+"/"+parsed.Repository)
}

// splitHost separates the labels of a host from its port. An IPv6 address without port keeps its brackets, which
// then read as a glob, so a key of that form covers nothing.
func splitHost(hostport string) (labels []string, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = hostport, ""
	}
	return strings.Split(host, "."), port
}

// servedByHubIndex reports whether the fallback to index.docker.io applies to images of this registry. Besides
// Docker Hub that is any host without a dot or a port, such as localhost: the kubelet takes it for a user name.
func servedByHubIndex(registry string) bool {
	return registry == DockerHub || !strings.ContainsAny(registry, ".:")
}
