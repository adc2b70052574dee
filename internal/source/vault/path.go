package vault

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"regcred.dev/regcred/api/v1alpha1"
)

// reservedMounts are Vault's own. A token's lookup of itself under auth/ gives the token away as data. The server compares them letter by
// letter, so Sys is another mount; an escape such as %73ys does not get here, because pathFault refuses every %.
var reservedMounts = []string{"sys", "auth", "identity", "cubbyhole"}

// apiPath is the path of a read below /v1/. It checks again what the CRD's rules check: Vault's server resolves "..", so
// secret/data/../../sys/mounts would read sys/mounts.
func apiPath(s *v1alpha1.VaultSource) (string, *failure) {
	place := s.Mount + "/" + s.Path
	for _, part := range [...]struct{ name, path string }{{"mount", s.Mount}, {"path", s.Path}} {
		if fault := pathFault(part.path); fault != "" {
			return "", outcomePathRefused.at(place).saying(fmt.Sprintf("the %s %s", part.name, fault))
		}
	}
	if segment := reservedSegment(s); segment != "" {
		return "", outcomePathRefused.at(place).saying(segment + " is Vault's own: a registry credential is not read from there")
	}
	if s.EngineKind() == v1alpha1.EngineKVv2 {
		return s.Mount + "/data/" + s.Path, nil
	}
	return place, nil
}

// reservedSegment is the segment that makes a place one of Vault's own, or empty. On Vault Enterprise and OpenBao the first segments of
// a path can be namespaces, in namespaces: ns/sys with mounts, ns with sys/mounts, and ns with inner/sys/mounts all read sys/mounts of
// one. With KV v2, data/ stands between mount and path, so that only the first segment of the path can follow a namespace.
func reservedSegment(s *v1alpha1.VaultSource) string {
	looked := strings.Split(s.Mount, "/")
	path := strings.Split(s.Path, "/")
	if s.EngineKind() == v1alpha1.EngineKVv2 {
		path = path[:1]
	}
	for _, segment := range append(looked, path...) {
		if slices.Contains(reservedMounts, segment) {
			return segment
		}
	}
	return ""
}

// pathFault says what is wrong with a mount or path, or nothing.
func pathFault(path string) string {
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return "has an empty segment"
		case ".", "..":
			return `has a segment "." or ".."`
		}
	}
	if strings.ContainsAny(path, `?#%*+\`) || strings.ContainsFunc(path, unicode.IsControl) {
		return `holds one of ? # % * + \ or a control character`
	}
	return ""
}

// covered reports whether mount/path lies under one of the prefixes. Prefixes end in a slash, so that they compare by
// segment: secret/team/ does not cover secret/team-b/x. No list covers everything, an empty one nothing: the CRD's rules refuse
// that, but an object may be older than they are.
func covered(s *v1alpha1.VaultSource, prefixes []string) bool {
	if prefixes == nil {
		return true
	}
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		return strings.HasSuffix(prefix, "/") && strings.HasPrefix(s.Mount+"/"+s.Path, prefix)
	})
}
