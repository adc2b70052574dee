// Package registry knows image references, registry hosts and the rule by which a kubelet picks the docker config
// entries for an image.
//
// The rule is the kubelet's own (Kubernetes 1.37, pkg/credentialprovider/keyring.go and pkg/kubelet/images), quirks
// included. testdata holds the kubelet's answers for a cross product of keys and images. The maintained keyring of
// go-containerregistry (pkg/authn/kubernetes) was looked at and not used: it lacks the fallback to index.docker.io,
// fails as a whole on one unreadable key, and needs a Kubernetes client to be linked.
package registry

import (
	_ "crypto/sha256" // the digest algorithms that a kubelet accepts in a reference
	_ "crypto/sha512"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// DockerHub is the registry host of Docker Hub in a normalised image reference.
const DockerHub = "docker.io"

// Image is a normalised image reference: what a kubelet makes of the string in a pod.
type Image struct {
	// Registry is host[:port]. It is "docker.io" where the reference names no registry or index.docker.io.
	Registry string
	// Repository is the path below the registry, such as "library/nginx".
	Repository string
	// Tag is "latest" where the reference has neither tag nor digest, and empty where it has a digest alone.
	Tag string
	// Digest is "sha256:…" or empty.
	Digest string
}

// ParseImage reads an image reference as a kubelet does. What it refuses, a kubelet reports as InvalidImageName.
func ParseImage(image string) (Image, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Image{}, fmt.Errorf("parse image %q: %w", image, err)
	}
	// Not reference.Domain: it is empty for a host with an underscore, which the kubelet's keyring still takes for one.
	var parsed Image
	parsed.Registry, parsed.Repository, _ = strings.Cut(named.Name(), "/")
	if tagged, ok := named.(reference.Tagged); ok {
		parsed.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		parsed.Digest = digested.Digest().String()
	}
	if parsed.Tag == "" && parsed.Digest == "" {
		parsed.Tag = "latest"
	}
	return parsed, nil
}

// Name is the registry and the repository, without tag and digest: what a kubelet matches credentials against.
func (i Image) Name() string {
	return i.Registry + "/" + i.Repository
}

// String is the whole normalised reference.
func (i Image) String() string {
	s := i.Name()
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}
