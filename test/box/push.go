package box

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push pushes an image or an index as the admin, through the registry with basic auth. The reference has no host: as
// shop/cart:1. The image is then in both registries. A fault that matches the admin's requests stops it.
func (r *Registry) Push(ctx context.Context, reference string, image remote.Taggable) error {
	ref, err := r.reference(reference)
	if err != nil {
		return err
	}
	options, err := r.remoteOptions(ctx)
	if err != nil {
		return err
	}
	if err := remote.Push(ref, image, options...); err != nil {
		return fmt.Errorf("pushing %s: %w", ref, err)
	}
	return nil
}

// Digest asks the registry, as the admin, for the digest of a reference without a host.
func (r *Registry) Digest(ctx context.Context, reference string) (v1.Hash, error) {
	ref, err := r.reference(reference)
	if err != nil {
		return v1.Hash{}, err
	}
	options, err := r.remoteOptions(ctx)
	if err != nil {
		return v1.Hash{}, err
	}
	descriptor, err := remote.Head(ref, options...)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("reading the digest of %s: %w", ref, err)
	}
	return descriptor.Digest, nil
}

func (r *Registry) reference(reference string) (name.Reference, error) {
	if r.CAFile != "" {
		return name.ParseReference(r.Basic + "/" + reference)
	}
	return name.ParseReference(r.Basic+"/"+reference, name.Insecure)
}

func (r *Registry) remoteOptions(ctx context.Context) ([]remote.Option, error) {
	transport, err := r.Transport()
	if err != nil {
		return nil, err
	}
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(transport),
		remote.WithAuth(&authn.Basic{Username: "admin", Password: r.adminPassword}),
	}, nil
}

// Transport trusts the registry's CA, and uses no proxy.
func (r *Registry) Transport() (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CAFile != "" {
		bundle, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(bundle) {
			return nil, fmt.Errorf("%s holds no certificate", r.CAFile)
		}
	}
	return &http.Transport{TLSClientConfig: config}, nil
}
