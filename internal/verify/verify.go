package verify

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/registry"
)

// Options says how a registry may be spoken to. The zero value is the strict default.
type Options struct {
	// InsecureRegistries lists as host[:port] what may be spoken to over plain http where https does not answer. A
	// token realm over plain http is allowed only for such a registry, and only at its own host or at another one of
	// this list.
	InsecureRegistries []string
	// AllowLoopback allows registries and token realms at loopback addresses. A realm that is written as an IP
	// address is still refused unless its host and port are the registry's own.
	AllowLoopback bool
	// Timeout bounds the test of one registry, all its images included. Defaults to 10 seconds.
	Timeout time.Duration
	// MaxBody bounds the body of one response, in bytes. Defaults to 1 MiB. A token response is bounded to 64 KiB by
	// the library beneath.
	MaxBody int64
	// RootCAs returns the certificate authorities that are trusted in the test of a registry, given as host[:port] in
	// lower case. As in container runtimes they count for its token realm too. It may be nil, and a nil pool means
	// those of the system.
	RootCAs func(registry string) *x509.CertPool
	// Proxy returns the proxy for a target, given as host:port, or nil for none. named says that the target is a registry that a key
	// names; others are token realms, and registries that an image names. The error says why such a target is not reached at all. It
	// may be nil.
	Proxy func(address string, named bool) (*proxy.Server, error)
	// UserAgent is sent with each request. Defaults to "regcred".
	UserAgent string
}

// insecure reports whether a host, with its port where it has one, was declared insecure.
func (o Options) insecure(host string) bool {
	return slices.ContainsFunc(o.InsecureRegistries, func(declared string) bool {
		return strings.EqualFold(declared, host)
	})
}

// Verifier tests credentials at registries. It keeps nothing from one test to the next, waits for nobody and counts
// nothing: how often a test may run is for its caller to mind. It is safe for concurrent use.
type Verifier struct {
	options Options
}

// New returns a Verifier.
func New(options Options) *Verifier {
	options.Timeout = cmp.Or(options.Timeout, 10*time.Second)
	options.MaxBody = cmp.Or(options.MaxBody, 1<<20)
	options.UserAgent = cmp.Or(options.UserAgent, "regcred")
	return &Verifier{options: options}
}

// Login tests whether the registry of a docker config key takes the credential. A wrong one is shown to it once.
//
// Valid means that the login is in order. It says nothing about any image.
func (v *Verifier) Login(ctx context.Context, key string, credential dockerconfig.Credential) Result {
	host := registry.Host(key)
	switch {
	case host == "":
		return notTestable("", "", "the key names no registry host: correct it in the source")
	case registry.HasWildcard(key):
		return notTestable("", "", "a key with wildcards names no single registry: name an image to test instead")
	case credential.IsZero():
		return notTestable(host, "", "there is no credential to test")
	}
	s, err := v.open(host, credential, true)
	if err != nil {
		return notTestable(host, "", "the registry's name cannot be part of a URL: correct it in the source")
	}
	defer s.close()
	ctx, cancel := context.WithDeadline(ctx, s.deadline)
	defer cancel()
	_, login := s.enter(ctx)
	return login.describe()
}

// Pull tests for each image whether this credential, and no other, can pull it. The results are in the order of the
// images. The login to a registry is tested once, before its images: where it fails, that is the result of all of
// them, so that a wrong credential is shown to each registry once.
//
// Valid means that the registry took the credential and showed the manifest for it.
func (v *Verifier) Pull(ctx context.Context, key string, credential dockerconfig.Credential, images ...string) []Result {
	// A key with wildcards can stand for several registries.
	sessions := map[string]*session{}
	defer func() {
		for _, s := range sessions {
			s.close()
		}
	}()
	results := make([]Result, 0, len(images))
	for _, image := range images {
		results = append(results, v.pull(ctx, sessions, key, credential, image))
	}
	return results
}

func (v *Verifier) pull(ctx context.Context, sessions map[string]*session, key string, credential dockerconfig.Credential, image string) Result {
	parsed, err := registry.ParseImage(image)
	switch {
	case err != nil:
		return notTestable("", image, "this is no image reference: correct it")
	case credential.IsZero():
		return notTestable(parsed.Registry, image, "there is no credential to test")
	case !covers(key, parsed, image):
		return notTestable(parsed.Registry, image, "the credential is not meant for this image: name one that its registry serves")
	}
	s, ok := sessions[parsed.Registry]
	if !ok {
		if s, err = v.open(parsed.Registry, credential, !registry.HasWildcard(key)); err != nil {
			return notTestable(parsed.Registry, image, "the registry's name cannot be part of a URL: correct it")
		}
		sessions[parsed.Registry] = s
	}
	ctx, cancel := context.WithDeadline(ctx, s.deadline)
	defer cancel()
	found := s.pull(ctx, parsed)
	found.Image = image
	return found.describe()
}

// covers reports whether a credential under this key may be shown to the image's registry. A kubelet also shows the
// one for Docker Hub to hosts without a dot, such as localhost: nobody means that.
func covers(key string, parsed registry.Image, image string) bool {
	if !registry.HasWildcard(key) && registry.Host(key) != parsed.Registry {
		return false
	}
	return registry.Matches(key, image)
}
