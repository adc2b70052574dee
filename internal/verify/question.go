package verify

import (
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

const (
	// MaxImageLength is the most bytes of an image reference that is tested. A name has 255 at most (distribution's reference
	// grammar), a tag 128 and a digest below 140; what is longer cannot be pulled by anybody.
	MaxImageLength = 512
	// MaxSampled is the most images in use that one question asks for.
	MaxSampled = 5

	messageLength = 600 // of an Answer, in bytes
)

// Verdict says whether a value works at a registry.
type Verdict string

// The verdicts of an [Answer]. The first two are about the value; the third says that nothing was learnt about it.
const (
	ValueAccepted Verdict = "Accepted"
	ValueRejected Verdict = "Rejected"
	ValueUnknown  Verdict = "Unknown"
)

// Question asks whether a value works at one registry.
type Question struct {
	// Keys are the docker config keys of one registry host, or wildcard keys, under which the value is.
	Keys       []string
	Credential dockerconfig.Credential
	// InUse is the value in use at the same registry. It is nil where there is none, where it is the same, or where what the
	// registry says of it is known.
	InUse *InUse
	// LoginOnly asks for no image. With wildcard keys Named and Sampled still say which hosts are asked.
	LoginOnly bool
	// Named are images of the spec that these keys cover: each must be pullable.
	Named []string
	// Sampled are images in use that these keys cover. They are asked for where Named is empty.
	Sampled []string
}

// InUse is the value that is in use, and the docker config keys under which it is.
type InUse struct {
	Keys       []string
	Credential dockerconfig.Credential
}

// Proof says how an accepted value was proven.
type Proof string

// A login proves less than a pull: an expired robot account of Harbor logs in and cannot pull.
const (
	ProvenByPull  Proof = "Pull"
	ProvenByLogin Proof = "Login"
)

// Answer is what a registry says to a [Question]. It holds nothing secret.
type Answer struct {
	Verdict Verdict
	// Proof is empty unless Verdict is [ValueAccepted].
	Proof Proof
	// InUse is what the registry said of the value in use, and empty where it was not asked.
	InUse Verdict
	// Message says what happened, where, and what to do next; InUseMessage the same of the value in use. Both are clean and at most
	// 600 bytes long.
	Message, InUseMessage string
	// Digests are those of the images that were pulled, by reference.
	Digests map[string]string
	// RetryAfter is how long the registry asks to be left alone, at most [MaxRetryAfter].
	RetryAfter time.Duration
	// NoRegistry is true where nothing at the hosts that were asked answered as a registry does: perhaps their names are wrong.
	NoRegistry bool
}

// hostQuestion is the part of a question that one host answers.
type hostQuestion struct {
	host     string
	wildcard bool     // known by images alone: it can be somebody else's
	images   []string // in an order that does not depend on how they were listed
}

// plan is what a question comes to.
type plan struct {
	hosts []hostQuestion
	named bool
	// unreadable are named images that nobody can pull.
	unreadable []string
}

// plan sorts the images to their hosts. Images of hosts that the keys do not name are dropped, so that a host is asked for its own
// images or for the login alone, and never for nothing.
func (q Question) plan() plan {
	p := plan{named: len(q.Named) > 0}
	images := q.Named
	if !p.named {
		images = q.Sampled
	}
	found := q.hosts()
	count := 0
	for _, image := range slices.Compact(slices.Sorted(slices.Values(images))) {
		parsed, readable := readImage(image)
		if !readable && p.named {
			p.unreadable = append(p.unreadable, image)
		}
		if !readable || !coveredByAny(q.Keys, parsed, image) || !p.named && count == MaxSampled {
			continue
		}
		count++
		if found[parsed.Registry] == nil {
			found[parsed.Registry] = &hostQuestion{host: parsed.Registry, wildcard: true}
		}
		if !q.LoginOnly {
			found[parsed.Registry].images = append(found[parsed.Registry].images, image)
		}
	}
	for _, host := range found {
		p.hosts = append(p.hosts, *host)
	}
	slices.SortFunc(p.hosts, func(a, b hostQuestion) int { return strings.Compare(a.host, b.host) })
	return p
}

// hosts are those that the keys name.
func (q Question) hosts() map[string]*hostQuestion {
	hosts := map[string]*hostQuestion{}
	for _, key := range q.Keys {
		if host := registry.Host(key); host != "" && !registry.HasWildcard(key) {
			hosts[host] = &hostQuestion{host: host}
		}
	}
	return hosts
}

func readImage(image string) (registry.Image, bool) {
	if len(image) > MaxImageLength {
		return registry.Image{}, false
	}
	parsed, err := registry.ParseImage(image)
	return parsed, err == nil
}

func coveredByAny(keys []string, parsed registry.Image, image string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return covers(key, parsed, image) })
}

// namesHost reports whether a value under these keys may be shown to a host.
func (u *InUse) namesHost(host string) bool {
	return u != nil && !u.Credential.IsZero() && slices.ContainsFunc(u.Keys, func(key string) bool {
		if registry.HasWildcard(key) {
			hostOnly := registry.Host(key)
			return registry.Matches(hostOnly, host+"/any")
		}
		return registry.Host(key) == host
	})
}
