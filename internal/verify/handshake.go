package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/internal/registry"
)

// errNoChallenge is a 401 that does not say how to authenticate. The library beneath takes it for a 200.
var errNoChallenge = errors.New("status 401 without WWW-Authenticate")

// challenged lets through what answers a ping.
type challenged struct {
	inner http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (c *challenged) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "" {
		return nil, errors.Join(errNoChallenge, resp.Body.Close())
	}
	// A container runtime takes Bearer wherever it stands (containerd, core/remotes/docker/auth/parse.go), the library beneath what comes first.
	slices.SortStableFunc(resp.Header["Www-Authenticate"], func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return resp, nil
}

func rank(challenge string) int {
	if scheme, _, _ := strings.Cut(challenge, " "); strings.EqualFold(scheme, "bearer") {
		return 0
	}
	return 1
}

// manifestPing turns a ping into the HEAD of a manifest, which is answered with the same kind of challenge.
type manifestPing struct {
	inner http.RoundTripper
	path  string
}

// RoundTrip implements [http.RoundTripper].
func (m *manifestPing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == "/v2/" {
		req = req.Clone(req.Context())
		req.Method = http.MethodHead
		req.URL.Path = m.path
		req.Header.Set("Accept", manifestTypes)
	}
	return m.inner.RoundTrip(req)
}

// sentinel notes whether anything was sent at all. The library beneath checks realms too, but has no error for it.
type sentinel struct {
	inner http.RoundTripper
	used  atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (s *sentinel) RoundTrip(req *http.Request) (*http.Response, error) {
	s.used.Store(true)
	return s.inner.RoundTrip(req)
}

// checkRealm says what speaks against a token realm, or nothing. The address behind its name is looked at when it is
// dialled.
func (s *session) checkRealm(challenge *transport.Challenge) string {
	u, err := url.Parse(challenge.Parameters["realm"])
	switch {
	case err != nil || u.Host == "":
		return "the registry does not say where its token endpoint is"
	case u.User != nil:
		return "a realm must not hold a user"
	case u.Scheme == "https":
	case u.Scheme != "http":
		return "a realm must begin with https://"
	case !challenge.Insecure:
		return "a realm over plain http is for registries that were declared insecure and speak plain http themselves"
	case !s.options.insecure(u.Host): // A registry that speaks plain http is declared itself.
		return fmt.Sprintf("the host of this realm, %q, would have to be declared insecure too", shown(u.Host))
	}
	return ""
}

// ping asks how the registry wants to be authenticated. The finding is nil where it said so.
func (s *session) ping(ctx context.Context, t http.RoundTripper) (*transport.Challenge, *finding) {
	challenge, err := transport.Ping(ctx, s.remote, &challenged{t})
	if err != nil {
		found := s.failure(ctx, StepPing, err)
		return nil, &found
	}
	switch strings.ToLower(challenge.Scheme) {
	case "basic", "bearer":
		return challenge, nil
	case "":
		found := s.found(StepPing, LoginUnproven, http.StatusOK)
		return nil, &found
	default:
		found := s.found(StepPing, RegistryError, http.StatusUnauthorized)
		found.detail = "it asks for a way to authenticate that is neither Basic nor Bearer"
		return nil, &found
	}
}

// ownChallenge is how an image wants to be asked for, where that is another way than that of /v2/, and nil otherwise. Registries that
// serve several repositories under one host can have a token endpoint for each, and name at /v2/ only one of them. A container runtime
// asks at the image.
func (s *session) ownChallenge(ctx context.Context, image registry.Image) *transport.Challenge {
	own, failed := s.ping(ctx, &manifestPing{inner: s.transport, path: manifestPath(image)})
	if failed != nil || sameWay(own, s.access.challenge) {
		return nil
	}
	return own
}

// sameWay reports whether two challenges have one show the credential in the same form to the same endpoint. Between two that want Basic
// the realm makes no difference: it is a text for people.
func sameWay(one, other *transport.Challenge) bool {
	if !strings.EqualFold(one.Scheme, other.Scheme) {
		return false
	}
	return strings.EqualFold(one.Scheme, "basic") ||
		one.Parameters["realm"] == other.Parameters["realm"] && one.Parameters["service"] == other.Parameters["service"]
}
