package box

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// RegistryOptions says what kind of registry to start.
type RegistryOptions struct {
	TLS           bool   // serve TLS with a fresh CA
	AdminPassword string // defaults to admin
}

// Registry is a handle on two registries over the same storage: one with basic auth, one with token auth.
type Registry struct {
	Basic          string // host:port of the one with basic auth, as in image references
	Token          string // host:port of the one with token auth
	BasicInCluster string // the same as pods and the kubelet reach it, in a box that runs already
	TokenInCluster string
	Admin          string // URL of the admin API
	CAFile         string // PEM, with TLS

	adminPassword string
	process       *process
}

// StartRegistry starts a registry on free loopback ports. The context bounds the start; the registry runs until Stop,
// or until this process ends.
func StartRegistry(ctx context.Context, o RegistryOptions) (*Registry, error) {
	binary, err := existingPath("BOX_REGISTRY_BIN")
	if err != nil {
		return nil, err
	}
	if o.AdminPassword == "" {
		o.AdminPassword = defaultAdminPassword
	}
	var info struct {
		Basic, Token, Admin, CAFile string
	}
	process, err := startProcess(ctx, "registry", binary, &info, o.flags)
	if err != nil {
		return nil, err
	}
	return &Registry{
		Basic: info.Basic, Token: info.Token, BasicInCluster: info.Basic, TokenInCluster: info.Token,
		Admin: info.Admin, CAFile: info.CAFile, adminPassword: o.AdminPassword, process: process,
	}, nil
}

func (o RegistryOptions) flags(folder string) []string {
	flags := []string{
		"-basic", "127.0.0.1:0", "-token", "127.0.0.1:0", "-admin", "127.0.0.1:0",
		"-data", folder, "-admin-password", o.AdminPassword,
	}
	if o.TLS {
		flags = append(flags, "-tls-dir", folder)
	}
	return flags
}

// RegistryForTest starts a registry that stops with the test, and fails the test where there is none.
func RegistryForTest(t testing.TB, o RegistryOptions) *Registry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	r, err := StartRegistry(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Stop ends a registry that was started here, with its images. A registry of a running box goes on.
func (r *Registry) Stop() error {
	if r.process == nil {
		return nil
	}
	return r.process.stop()
}

// Anonymous is the user whose rights requests without credentials have. There is none until a test makes it.
const Anonymous = "anonymous"

// User may pull and push the repositories whose names start with one of the prefixes; the prefix "" means all.
type User struct {
	Name     string   `json:"-"`
	Password string   `json:"password"`
	Pull     []string `json:"pull,omitempty"`
	Push     []string `json:"push,omitempty"`
}

// SetUser makes a user or replaces it. Tokens that were given out before stay valid.
func (r *Registry) SetUser(ctx context.Context, u User) error {
	return r.call(ctx, http.MethodPut, "/users/"+url.PathEscape(u.Name), u, nil)
}

// AddLogin gives a user one more password, which is taken until its end. The user is there already.
func (r *Registry) AddLogin(ctx context.Context, name, password string, ends time.Time) error {
	login := map[string]any{"password": password, "ends": ends}
	return r.call(ctx, http.MethodPost, "/users/"+url.PathEscape(name)+"/logins", login, nil)
}

// TryLogin is the status with which the registry with basic auth answers a login.
func (r *Registry) TryLogin(ctx context.Context, name, password string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Basic+"/v2/", nil)
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(name, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// DeleteUser removes a user.
func (r *Registry) DeleteUser(ctx context.Context, name string) error {
	return r.call(ctx, http.MethodDelete, "/users/"+url.PathEscape(name), nil, nil)
}

// TokenMode is how the token server treats a scope that the user has no right to.
type TokenMode string

// The modes of the token server.
const (
	TokenLimited  TokenMode = "limited"  // 200 and a token without it; the default
	TokenRefusing TokenMode = "refusing" // 403 from the token server
	TokenLying    TokenMode = "lying"    // 200 and a token with it, which the registry then answers with 403
)

// SetTokenMode changes the token server for all users.
func (r *Registry) SetTokenMode(ctx context.Context, mode TokenMode) error {
	return r.call(ctx, http.MethodPut, "/mode", map[string]TokenMode{"token": mode}, nil)
}

// call does a request to the admin API.
func (r *Registry) call(ctx context.Context, method, path string, body, into any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.Admin+path, &content)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		message := strings.TrimSpace(string(answer))
		return fmt.Errorf("registry's admin API: %s %s: %w", method, path, errors.New(response.Status+": "+message))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
