package registry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"regcred.dev/regcred/internal/memo"
)

// DockerHubKey is the docker config key for Docker Hub that every client understands, the kubelet included.
const DockerHubKey = "https://index.docker.io/v1/"

// hubHosts are the names of Docker Hub. A kubelet takes docker.io and index.docker.io for one registry; hub.docker.com is the
// website. registry-1.docker.io is not among them: it serves the same images, but for a kubelet it is a registry of its own, whose
// images are matched by a key of that host and no other. The same is true of registry.hub.docker.com and of any mirror.
var hubHosts = []string{DockerHub, hubIndex, "hub.docker.com"}

// Reasons why a registry cannot be the key of a docker config entry, to be found with errors.Is.
var (
	ErrEmpty       = errors.New("no host given")
	ErrPort        = errors.New("the port is not a number from 1 to 65535")
	ErrUnmatchable = errors.New("no image reference can match it: write host[:port][/path] as in the images, " +
		"where a host has a dot or a port or is localhost, and an IPv6 address has a port")
	ErrHubWebsite = errors.New("hub.docker.com is the website of Docker Hub: write docker.io/ and the user or organisation")
)

// IsDockerHub reports whether the registry, or docker config key, means Docker Hub as a whole, in any of the forms
// found in practice: docker.io, index.docker.io and hub.docker.com, with or without scheme, v1 or v2.
func IsDockerHub(registry string) bool {
	host, below := split(registry)
	return slices.Contains(hubHosts, host) && below == ""
}

// IsHubSession reports whether a docker config key is one of those under which `docker login` keeps its own tokens for Docker Hub, beside the
// entry of the registry. No client sends them to a registry.
func IsHubSession(key string) bool {
	bare := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	return bare == hubIndex+"/v1/access-token" || bare == hubIndex+"/v1/refresh-token"
}

// Host returns the registry that a docker config key logs in to, as host[:port] in the spelling of
// [Image.Registry], upper case letters included: "docker.io" for every form of Docker Hub. It is empty where the key names no host or cannot be
// read. A host with wildcards comes back as it is: see [HasWildcard].
func Host(key string) string {
	index, _ := indexOf(key)
	host, _, _ := strings.Cut(index, "/")
	host = strings.TrimSuffix(host, ":") // of a port that is empty: a kubelet takes it for none
	if slices.Contains(hubHosts, host) {
		return DockerHub
	}
	return host
}

// Address is the host[:port] of [Host] or [Image.Registry] as it is dialled and compared with other addresses: in lower case. Images
// and keys keep the letters as they are written, because a kubelet compares those.
func Address(host string) string {
	return strings.ToLower(host)
}

// HasWildcard reports whether the host of a docker config key holds a wildcard, so that no single registry can be
// named that it logs in to. "*" is the only glob character that survives in a key which a kubelet can read.
func HasWildcard(key string) bool {
	return strings.Contains(Host(key), "*")
}

// CanonicalKey returns the docker config key under which a kubelet finds the credential of a registry given as
// host[:port][/path]: "https://index.docker.io/v1/" for Docker Hub in any form, the bare host[:port][/path] for others, with
// upper case letters as they are written, because a kubelet compares letter by letter.
// "*" in a host stands for a part of one label. The error says why no image could ever match, and wraps one
// of the reasons of this package.
//
// A path keeps its trailing slash, because it has a meaning: quay.io/core covers quay.io/coreos too, quay.io/core/
// does not.
func CanonicalKey(registry string) (string, error) {
	if len(registry) > longestRemembered {
		return canonicalKey(registry)
	}
	read := canonicalKeys.Get(registry, func() canonical {
		key, err := canonicalKey(registry)
		return canonical{key, err}
	})
	return read.key, read.err
}

// canonical is what CanonicalKey gives.
type canonical struct {
	key string
	err error
}

// canonicalKeys remembers the keys that are asked for again and again: those of RegistryCredentials, for every namespace. Longer ones
// than longestRemembered, in bytes, are no registries that anybody has.
var canonicalKeys = memo.New(keysRemembered, func(string, canonical) int { return 1 })

const keysRemembered, longestRemembered = 1024, 256

func canonicalKey(registry string) (string, error) {
	if IsDockerHub(registry) {
		return DockerHubKey, nil
	}
	key, err := bareKey(split(registry))
	if err != nil {
		return "", fmt.Errorf("registry %q: %w", Shown(registry), err)
	}
	return key, nil
}

// CanonicalStored is [CanonicalKey] for a key that somebody stored in a docker config. A kubelet passes over a user name and a password before
// the host, a colon without a port and what follows the path, and reads escapes in the path, so such a key is another spelling of a registry. In a
// spec it is refused.
func CanonicalStored(key string) (string, error) {
	canonical, err := CanonicalKey(key)
	if err == nil {
		return canonical, nil
	}
	bare := key
	if !strings.HasPrefix(bare, "https://") && !strings.HasPrefix(bare, "http://") {
		bare = "https://" + bare
	}
	u, parse := url.Parse(bare)
	if parse != nil {
		return "", err
	}
	meant := strings.TrimSuffix(u.Host, ":") + u.Path
	if meant == strings.TrimPrefix(bare, u.Scheme+"://") {
		return "", err
	}
	return CanonicalKey(meant)
}

// Shown is a docker config key as it may be printed. A user name and a password before the host, which a kubelet passes over, are left out.
func Shown(key string) string {
	scheme, rest, found := strings.Cut(key, "://")
	if !found || strings.Contains(scheme, ":") { // which stands before a password
		scheme, rest = "", key
	} else {
		scheme += "://"
	}
	digest := ""
	if at := strings.LastIndex(rest, "@"); at >= 0 && (strings.HasPrefix(rest[at+1:], "sha256:") || strings.HasPrefix(rest[at+1:], "sha512:")) {
		rest, digest = rest[:at], rest[at:]
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return key
	}
	return scheme + "[redacted]@" + rest[at+1:] + digest
}

// HostKey is the canonical key of the host of a canonical key.
func HostKey(key string) string {
	host, err := CanonicalKey(Host(key))
	if err != nil {
		return key
	}
	return host
}

// IsHub reports whether a key is for all images of Docker Hub, under one of its names. Other than most registries, it serves public
// images to everybody.
func IsHub(key string) bool {
	host := Host(key)
	return HostKey(key) == key && (host == DockerHub || SameService(host, DockerHub))
}

// bareKey checks host and path by trying the key on an image that it is meant for.
func bareKey(host, below string) (string, error) {
	switch {
	case host == "":
		return "", ErrEmpty
	case host == "hub.docker.com":
		return "", ErrHubWebsite
	case slices.Contains(hubHosts, host):
		host = DockerHub
	}
	if _, port := splitHost(host); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", ErrPort
		}
	}
	key := host + below
	image := strings.TrimSuffix(strings.ReplaceAll(host, "*", "x")+below, "/") + "/x/x"
	if strings.ContainsAny(key, "@?#%") || !Matches(key, image) {
		return "", ErrUnmatchable
	}
	return key, nil
}

// CanMatch reports whether a kubelet uses an entry under this key for any image at all. A host that people take for
// Docker Hub counts only if images of docker.io match.
func CanMatch(key string) bool {
	index, ok := indexOf(key)
	if !ok {
		return false
	}
	host, below, _ := strings.Cut(index, "/")
	if slices.Contains(hubHosts, host) {
		if Matches(key, DockerHub+"/x/x") {
			return true
		}
		_, below = split(key)
		host, below = DockerHub, strings.TrimPrefix(below, "/")
	}
	host = strings.TrimSuffix(host, ":")
	// An upper case letter, because a single label with one is a host and not a user name of Docker Hub. Not beside an
	// underscore, because that is a host only in lower case.
	return Matches(key, strings.ReplaceAll(host, "*", "X")+"/"+below+"x/x") || Matches(key, strings.ReplaceAll(host, "*", "x")+"/"+below+"x/x")
}

// split separates the host of a registry or docker config key from the path below it. Scheme and API version go;
// unlike the kubelet it takes /v1 and /v2 without a trailing slash for the version, because that is what was meant.
func split(registry string) (host, below string) {
	for _, scheme := range []string{"https://", "http://"} {
		registry = strings.TrimPrefix(registry, scheme)
	}
	host, below, _ = strings.Cut(registry, "/")
	for _, version := range []string{"v1", "v2"} {
		rest, found := strings.CutPrefix(below, version)
		if found && (rest == "" || rest[0] == '/') {
			below = strings.TrimPrefix(rest, "/")
			break
		}
	}
	if below == "" {
		return host, ""
	}
	return host, "/" + below
}
