package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// checkImage refuses what no chart and no install.yaml could name, before minutes are spent on them.
func (r *release) checkImage() error {
	if r.image == placeholder {
		return nil
	}
	_, err := name.NewRepository(r.image)
	if strings.Contains(r.image, "://") { // which is a registry named "https:" to the library
		err = errors.New("it has a scheme")
	}
	if err != nil {
		return fmt.Errorf("--image %q is no repository: write HOST[:PORT]/PATH without scheme, tag and digest, such as registry.company.io/platform/regcred: %w", r.image, err)
	}
	return nil
}

// reference is where the image is pushed to.
func (r *release) reference() (name.Tag, error) {
	if r.image == placeholder {
		return name.Tag{}, fmt.Errorf("--image must say where to push, such as registry.company.io/platform/regcred")
	}
	return name.NewTag(r.image + ":" + r.version)
}

// checkPush finds out whether the image can be pushed, before minutes are spent on it: it begins an upload and cancels it.
func (r *release) checkPush(ctx context.Context) error {
	reference, err := r.reference()
	if err != nil {
		return err
	}
	err = remote.CheckPushPermission(reference, authn.DefaultKeychain, inContext{ctx})
	if err == nil {
		return nil
	}
	host := reference.RegistryStr()
	var refused *transport.Error
	if errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%s refuses a push to %s (status %d): log in with a user who may push there, by `docker login %s` or as docs/quick-start.md says in step 1",
			host, reference.Repository, refused.StatusCode, host)
	}
	return fmt.Errorf("ask %s whether an image can be pushed to %s: %w", host, reference.Repository, err)
}

// inContext ends requests with a context.
type inContext struct{ context.Context }

func (c inContext) RoundTrip(request *http.Request) (*http.Response, error) {
	return remote.DefaultTransport.RoundTrip(request.WithContext(c))
}

// pushImage publishes the image of all platforms, with the login that `docker login` left in the configuration of this machine.
func (r *release) pushImage(ctx context.Context) error {
	reference, err := r.reference()
	if err != nil {
		return err
	}
	image, err := r.builtImage()
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(reference, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", reference, err)
	}
	fmt.Fprintln(os.Stderr, "release: pushed", reference)
	return nil
}

// next says how to install what was pushed: the chart already names the image.
func (r *release) next() string {
	return fmt.Sprintf(`
Next, with the address of your Vault and the names of your pull Secrets:

  helm install regcred %s --namespace regcred-system --create-namespace \
    --set 'vault.addresses={https://vault.company.io:8200}' --set 'secretNames={regcred,registry-creds}'

docs/quick-start.md goes on from there.
`, filepath.Join(filepath.Base(r.folder), "regcred-"+r.bare()+".tgz"))
}

// builtImage is the image in the folder of the release.
func (r *release) builtImage() (v1.ImageIndex, error) {
	folder, err := layout.ImageIndexFromPath(r.path(imageFolder))
	if err != nil {
		return nil, err
	}
	text, err := r.imageDigest()
	if err != nil {
		return nil, err
	}
	digest, err := v1.NewHash(text)
	if err != nil {
		return nil, err
	}
	return folder.ImageIndex(digest)
}

// imageDigest is that of the index over all platforms.
func (r *release) imageDigest() (string, error) {
	text, err := os.ReadFile(r.path("image.digest"))
	return strings.TrimSpace(string(text)), err
}
