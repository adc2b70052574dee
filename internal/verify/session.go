package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// manifestTypes is what a manifest may be. An index comes first, so that its digest is the one that is learnt.
var manifestTypes = strings.Join([]string{
	string(types.OCIImageIndex), string(types.DockerManifestList),
	string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}, ",")

// session is the test of one credential at one registry.
type session struct {
	options    Options
	registry   string
	remote     name.Registry
	credential authn.Authenticator
	transport  *boundedTransport
	deadline   time.Time

	// What the login found out, once it was tried.
	access *access
}

// access is how a registry wants to be authenticated, and whether it took the credential that way.
type access struct {
	challenge *transport.Challenge // nil where there was none
	login     finding
}

// open begins a test. named says that a key names the host, which is in the spelling of image references.
func (v *Verifier) open(host string, credential dockerconfig.Credential, named bool) (*session, error) {
	address := registry.Address(host)
	var options []name.Option
	if v.options.insecure(address) {
		options = append(options, name.Insecure)
	}
	remote, err := name.NewRegistry(address, options...)
	if err != nil {
		return nil, err
	}
	s := &session{
		options:  v.options,
		registry: host,
		remote:   remote,
		credential: authn.FromConfig(authn.AuthConfig{
			Username: credential.Username(),
			Password: credential.Password(),
		}),
		deadline: time.Now().Add(v.options.Timeout),
	}
	var roots *x509.CertPool
	if v.options.RootCAs != nil {
		roots = v.options.RootCAs(address)
	}
	route := &route{options: v.options}
	if named {
		route.named = remote.RegistryStr()
	}
	s.transport = newBoundedTransport(v.options, roots, route)
	return s, nil
}

func (s *session) close() { s.transport.close() }

// pull tests the credential with an image.
func (s *session) pull(ctx context.Context, image registry.Image) finding {
	if s.access == nil {
		challenge, login := s.enter(ctx)
		login.BeforeImage = true
		s.access = &access{challenge, login}
	}
	if s.access.challenge == nil && s.access.login.Reason == LoginUnproven {
		challenge, login := s.enterByManifest(ctx, image)
		if challenge == nil {
			return login // About this image alone. The next may be less public.
		}
		s.access = &access{challenge, login}
	}
	login := s.access.login
	if login.Reason != LoginAccepted && login.Reason != LoginUnproven {
		return login
	}
	challenge := s.access.challenge
	found := s.head(ctx, s.credential, challenge, image)
	if found.Reason == PullDenied {
		if own := s.ownChallenge(ctx, image); own != nil {
			challenge, found = own, s.head(ctx, s.credential, own, image)
		}
	}
	if found.Reason == PullAllowed && login.Reason == LoginUnproven && !s.isPrivate(ctx, challenge, image) {
		found.Reason = LoginUnproven
	}
	return found
}

// enter asks /v2/ how to log in, and does.
func (s *session) enter(ctx context.Context) (*transport.Challenge, finding) {
	challenge, failed := s.ping(ctx, s.transport)
	if failed != nil {
		return nil, *failed
	}
	return challenge, s.authenticate(ctx, challenge)
}

// enterByManifest is for a registry whose /v2/ is open to everybody. It asks the manifest how to log in, which is
// where container runtimes ask in the first place.
func (s *session) enterByManifest(ctx context.Context, image registry.Image) (*transport.Challenge, finding) {
	challenge, failed := s.ping(ctx, &manifestPing{inner: s.transport, path: manifestPath(image)})
	if failed != nil {
		failed.Step = StepHead
		if failed.StatusCode == http.StatusNotFound {
			failed.Reason = ImageNotFound
		}
		return nil, *failed
	}
	login := s.authenticate(ctx, challenge)
	if login.Step == StepBasic && login.Reason == LoginAccepted {
		login.Reason = LoginUnproven // An open /v2/ takes everybody.
	}
	return challenge, login
}

// isPrivate reports whether an image is hidden from those who have no credential. Where the login proved nothing, a
// manifest that is shown to everybody proves nothing either.
func (s *session) isPrivate(ctx context.Context, challenge *transport.Challenge, image registry.Image) bool {
	reason := s.head(ctx, authn.Anonymous, challenge, image).Reason
	return reason == PullDenied || reason == ImageNotFound
}

// authenticate shows the credential to the registry, or to its token endpoint, once.
func (s *session) authenticate(ctx context.Context, challenge *transport.Challenge) finding {
	if strings.EqualFold(challenge.Scheme, "bearer") {
		token, failed := s.token(ctx, s.credential, challenge)
		switch {
		case failed != nil:
			return *failed
		case isAnonymous(token.Token):
			return s.found(StepToken, LoginUnproven, http.StatusOK)
		default:
			return s.found(StepToken, LoginAccepted, http.StatusOK)
		}
	}
	if _, err := s.do(ctx, s.credential, challenge, nil, http.MethodGet, "/v2/"); err != nil {
		return s.failure(ctx, StepBasic, err)
	}
	return s.found(StepBasic, LoginAccepted, http.StatusOK)
}

// token asks the token endpoint. Without scopes, its answer is about the credential alone.
func (s *session) token(ctx context.Context, who authn.Authenticator, challenge *transport.Challenge, scopes ...string) (*transport.Token, *finding) {
	if detail := s.checkRealm(challenge); detail != "" {
		found := s.found(StepToken, TokenRealmRefused, 0)
		found.detail = detail
		return nil, &found
	}
	sent := &sentinel{inner: s.transport}
	token, err := transport.Exchange(ctx, s.remote, who, sent, scopes, challenge)
	if err == nil {
		// Some servers send access_token, some token, some both.
		if token.AccessToken != "" {
			token.Token = token.AccessToken
		}
		return token, nil
	}
	if !sent.used.Load() {
		found := s.found(StepToken, TokenRealmRefused, 0)
		found.detail = "it is a private address other than the registry's own, or unreadable"
		return nil, &found
	}
	found := s.failure(ctx, StepToken, err)
	return nil, &found
}

// head asks for the manifest of an image.
func (s *session) head(ctx context.Context, who authn.Authenticator, challenge *transport.Challenge, image registry.Image) finding {
	var token *transport.Token
	if strings.EqualFold(challenge.Scheme, "bearer") {
		var failed *finding
		token, failed = s.token(ctx, who, challenge, "repository:"+image.Repository+":pull")
		if failed != nil {
			// The login was taken before: this is about the scope.
			if failed.Reason == LoginFailed {
				failed.Reason = PullDenied
			}
			return *failed
		}
	}
	header, err := s.do(ctx, who, challenge, token, http.MethodHead, manifestPath(image))
	if err != nil {
		return s.failure(ctx, StepHead, err)
	}
	found := s.found(StepHead, PullAllowed, http.StatusOK)
	if digest, err := v1.NewHash(header.Get("Docker-Content-Digest")); err == nil {
		found.Digest = digest.String()
	}
	return found
}

// do sends one request to the registry and expects 200.
func (s *session) do(ctx context.Context, who authn.Authenticator, challenge *transport.Challenge, token *transport.Token, method, path string) (http.Header, error) {
	authenticated, err := transport.FromToken(s.remote, who, s.transport, challenge, token)
	if err != nil {
		return nil, err
	}
	address := url.URL{Scheme: "https", Host: s.remote.RegistryStr(), Path: path}
	if challenge.Insecure {
		address.Scheme = "http"
	}
	req, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", manifestTypes)
	client := http.Client{Transport: authenticated}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Header, errors.Join(transport.CheckError(resp, http.StatusOK), resp.Body.Close())
}

func manifestPath(image registry.Image) string {
	reference := image.Digest
	if reference == "" {
		reference = image.Tag
	}
	return "/v2/" + image.Repository + "/manifests/" + reference
}
