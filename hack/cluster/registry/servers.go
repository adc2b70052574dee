package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

// realm is the name of this registry in challenges and tokens.
const realm = "box"

// A server is one listener with its handler.
type server struct {
	listener net.Listener
	http     *http.Server
}

type servers struct {
	basic  *server
	token  *server
	admin  *server
	caFile string
}

func newServers(o options) (*servers, error) {
	if o.data == "" {
		return nil, errors.New("-data is required")
	}
	certificate, err := newServingCertificate(o)
	if err != nil {
		return nil, err
	}
	state := newState(o)
	if err := registerUsersBackend(state.users); err != nil {
		return nil, err
	}
	basicHandler, tokenHandler, err := newRegistries(o, state, certificate)
	if err != nil {
		return nil, err
	}
	s := &servers{caFile: certificate.caFile()}
	if s.basic, err = newServer(o.basic, o.allowAnyAddress, certificate, state.observe("basic", basicHandler)); err != nil {
		return nil, err
	}
	if s.token, err = newServer(o.token, o.allowAnyAddress, certificate, state.observe("token", tokenHandler)); err != nil {
		return nil, err
	}
	s.admin, err = newServer(o.admin, o.allowAnyAddress, nil, newAdminAPI(state))
	return s, err
}

// newRegistries returns the handlers of the basic and the token registry.
func newRegistries(o options, state *state, certificate *servingCertificate) (basic, token http.Handler, err error) {
	issuer, err := newTokenIssuer(filepath.Join(o.data, "token-keys.json"))
	if err != nil {
		return nil, nil, err
	}
	uploadSecret := rand.Text() // shared: an upload may be finished at the other port
	basicApp := newRegistryApp(o.data, uploadSecret, configuration.Auth{usersBackend: {}})
	tokenApp := newRegistryApp(o.data, uploadSecret, issuer.authConfig())

	mux := http.NewServeMux()
	mux.Handle("/token", &tokenServer{users: state.users, mode: &state.mode, issuer: issuer})
	mux.Handle("/", withScheme(certificate.scheme(), denyAfterLie(state, tokenApp)))
	return withScheme(certificate.scheme(), denyForbidden(state.users, basicApp)), mux, nil
}

func newRegistryApp(data, secret string, auth configuration.Auth) http.Handler {
	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Auth:    auth,
		Storage: configuration.Storage{
			"filesystem":  {"rootdirectory": filepath.Join(data, "storage")},
			"delete":      {"enabled": true},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.Secret = secret
	config.Catalog.MaxEntries = 1000
	return handlers.NewApp(context.Background(), config)
}

// withScheme tells distribution by which scheme it is reached. It takes the host of its realm and of its Location
// headers from the request, so the registry works under every address that leads to it.
func withScheme(scheme string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Forwarded-Proto", scheme)
		next.ServeHTTP(w, r)
	})
}

func newServer(address string, allowAny bool, certificate *servingCertificate, handler http.Handler) (*server, error) {
	listener, err := listen(address, allowAny)
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		listener = tls.NewListener(listener, certificate.config)
	}
	return &server{listener: listener, http: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}}, nil
}

func (s *servers) all() []*server { return []*server{s.basic, s.token, s.admin} }

// serve starts every server. The channel yields the first error of one that stopped by itself.
func (s *servers) serve() <-chan error {
	failed := make(chan error, len(s.all()))
	for _, one := range s.all() {
		go func() {
			if err := one.http.Serve(one.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving on %s: %w", one.listener.Addr(), err)
			}
		}()
	}
	return failed
}

// shutdown gives running requests a second: some of them hang on purpose.
func (s *servers) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, one := range s.all() {
		if err := one.http.Shutdown(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "registry: closing open requests")
			_ = one.http.Close()
		}
	}
}
