package registry

import (
	"fmt"
	"strings"
)

// Miss is why a docker config key does not serve an image for which it was probably meant.
type Miss string

// What people take for the same and a kubelet does not. The empty Miss is none.
const (
	// MissPort: the image has a port that the key lacks.
	MissPort Miss = "port"
	// MissOtherPort: the key has a port, and the image has another one or none.
	MissOtherPort Miss = "other port"
	// MissCase: the hosts differ by upper case letters.
	MissCase Miss = "case"
	// MissName: the hosts are two names of one service, such as docker.io and registry-1.docker.io.
	MissName Miss = "name"
)

// Misses says why a docker config key does not serve an image that it nearly serves.
func Misses(key, image string) Miss {
	switch {
	case MissesByPort(key, image):
		return MissPort
	case missesByOtherPort(key, image):
		return MissOtherPort
	case MissesByCase(key, image):
		return MissCase
	case missesByName(key, image):
		return MissName
	}
	return ""
}

// Rule is what a kubelet does, in words.
func (m Miss) Rule() string {
	switch m {
	case MissPort:
		return "a kubelet takes a registry with a port for another one"
	case MissOtherPort:
		return "a kubelet takes a registry with another port for another one"
	case MissCase:
		return "a kubelet compares hosts letter by letter"
	case MissName:
		return "a kubelet takes another name of the same service for another registry"
	}
	return ""
}

// missesByOtherPort: the key would serve the image if it had the image's port, or none as the image has none.
func missesByOtherPort(key, image string) bool {
	parsed, err := ParseImage(image)
	index, ok := indexOf(key)
	if err != nil || !ok {
		return false
	}
	host, below, _ := strings.Cut(index, "/")
	_, has := splitHost(host)
	_, wants := splitHost(parsed.Registry)
	if has == "" || has == wants {
		return false
	}
	host = strings.TrimSuffix(host, ":"+has)
	if wants != "" {
		host += ":" + wants
	}
	return covers(host+strings.TrimSuffix("/"+below, "/"), parsed.Name())
}

// missesByName: the key would serve the image if the image were written with the key's host.
func missesByName(key, image string) bool {
	parsed, err := ParseImage(image)
	if err != nil || !SameService(Host(key), parsed.Registry) {
		return false
	}
	return Matches(key, fmt.Sprintf("%s/%s", Host(key), parsed.Repository))
}

// services are registries that are reached under several names. A name that begins with a dash is the end of one. A kubelet takes each
// for a registry of its own.
var services = [][]string{
	{DockerHub, "registry-1.docker.io", "registry.hub.docker.com"},
	{"gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io", "-docker.pkg.dev"},
	{"registry.redhat.io", "registry.connect.redhat.com"},
}

// SameService reports whether two hosts of [Host] are different names of one service, so that who has stored a credential for one may
// have meant the other. To a kubelet they are different registries.
func SameService(a, b string) bool {
	if Address(a) == Address(b) {
		return false
	}
	for _, names := range services {
		if isNamed(names, a) && isNamed(names, b) {
			return true
		}
	}
	return false
}

func isNamed(names []string, host string) bool {
	host = Address(host)
	for _, name := range names {
		if host == name || name[0] == '-' && strings.HasSuffix(host, name) && len(host) > len(name) {
			return true
		}
	}
	return false
}
