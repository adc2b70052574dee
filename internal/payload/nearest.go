package payload

import (
	"fmt"
	"strings"
	"unicode"

	"regcred.dev/regcred/internal/registry"
)

// missing names the registries for which there is no entry, and the entry that was probably meant.
func (s *stored) missing(names []string) *Error {
	message := fmt.Sprintf("%s has no entry for %s", s.name, strings.Join(names, ", "))
	return &Error{Reason: ErrRegistryMissing, Message: message + s.nearest(names) + s.elsewhere()}
}

func (s *stored) elsewhere() string {
	if s.delegation == nil {
		return ""
	}
	return "; " + s.delegation.Error()
}

// nearest says which entry was probably meant for one of the missing registries, and why a kubelet would not use it.
func (s *stored) nearest(missing []string) string {
	const compared = 4 // of the missing, with all entries
	missing = missing[:min(len(missing), compared)]
	for _, why := range []func(listed, key string) string{hubSession, lacksPort, otherPort, otherLetters, onlyPart, namesImage, misspelt, otherPath, otherName} {
		for _, listed := range missing {
			for _, key := range s.keys {
				if says := why(listed, key); says != "" {
					return fmt.Sprintf("; its entry %s %s", quotedKey(key), says)
				}
			}
		}
	}
	if len(s.keys) > 0 {
		return fmt.Sprintf("; it has %d, such as %s", len(s.keys), quotedKey(s.keys[0]))
	}
	return "; it has none at all"
}

// hubSession is for what `docker login` keeps beside the entry of Docker Hub, which may be in a store of the machine.
func hubSession(listed, key string) string {
	if !registry.IsHubSession(key) || registry.Host(listed) != registry.DockerHub {
		return ""
	}
	return fmt.Sprintf("is a token of docker login alone, which no registry takes: store an access token of Docker Hub for %q", listed)
}

func lacksPort(listed, key string) string {
	if !registry.MissesByPort(key, registry.Host(listed)+"/x/x") {
		return ""
	}
	return fmt.Sprintf("lacks the port, without which a kubelet takes it for another registry: store it as %q", listed)
}

// otherPort is for an entry with a port where the registry has another or none, 443 included: no kubelet takes that for the port that is meant.
func otherPort(listed, key string) string {
	host, is := registry.Host(listed), registry.Host(key)
	if host == is || withoutPort(host) != withoutPort(is) || registry.Misses(key, host+"/x/x") != registry.MissOtherPort {
		return ""
	}
	return fmt.Sprintf("has another port, with which a kubelet takes it for another registry: store it as %q", listed)
}

func withoutPort(host string) string {
	end := strings.LastIndex(host, ":")
	if end < 0 || strings.HasSuffix(host, "]") {
		return host
	}
	return host[:end]
}

func otherLetters(listed, key string) string {
	host, is := registry.Host(listed), registry.Host(key)
	if is == host || !strings.EqualFold(is, host) {
		return ""
	}
	return fmt.Sprintf("has other letters, and a kubelet compares letter by letter: store it as %q", listed)
}

// onlyPart is for an entry below the registry: it covers some images and not all.
func onlyPart(listed, key string) string {
	canonical, err := registry.CanonicalStored(key)
	if err != nil || !registry.Matches(listed, anyImageOf(canonical)) {
		return ""
	}
	return fmt.Sprintf("covers a part of it only: store one for %q, or list the part in spec.registries", listed)
}

// namesImage is for an entry whose key is an image with a tag or digest, which no kubelet uses.
func namesImage(listed, key string) string {
	slash := strings.LastIndex(key, "/")
	end := strings.IndexAny(key[slash+1:], ":@")
	if slash < 0 || end < 0 {
		return ""
	}
	canonical, err := registry.CanonicalKey(key[:slash+1+end])
	if err != nil || canonical == registry.Host(canonical) || registry.Host(canonical) != registry.Host(listed) {
		return ""
	}
	return fmt.Sprintf("has a tag or digest, with which a kubelet uses it for no image: store it as %q", listed)
}

// misspelt is for a key with a scheme that kubelets do not know, or with space or quotes around it.
func misspelt(listed, key string) string {
	bare := strings.TrimFunc(key, func(c rune) bool { return unicode.IsSpace(c) || isHidden(c) || c == '"' || c == '\'' })
	if _, rest, has := strings.Cut(bare, "://"); has && !strings.HasPrefix(bare, "http://") && !strings.HasPrefix(bare, "https://") {
		bare = rest
	}
	if bare == key {
		return ""
	}
	canonical, err := registry.CanonicalKey(bare)
	if err != nil || registry.Host(canonical) != registry.Host(listed) {
		return ""
	}
	return fmt.Sprintf("has a scheme, a space or a quote that no kubelet reads there: store it as %q", listed)
}

func otherPath(listed, key string) string {
	if registry.Host(listed) != registry.Host(key) {
		return ""
	}
	return fmt.Sprintf("is for another path of that host: store one for %q", listed)
}

// otherName is for an entry of the same service under another name, such as registry-1.docker.io for docker.io.
func otherName(listed, key string) string {
	if !registry.SameService(registry.Host(listed), registry.Host(key)) {
		return ""
	}
	return fmt.Sprintf("is for images that are written with that host, and a kubelet uses it for no other: store one for %q, too", listed)
}
