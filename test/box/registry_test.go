package box_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/test/box"
)

func TestBothRegistriesHoldTheSameImagesAndKnowTheSameUsers(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")), registry.Push(ctx, "base/app:1", testImage(t, "2")))
	noError(t, registry.SetUser(ctx, box.User{Name: "alice", Password: "right", Pull: []string{"shop/"}}))
	for _, test := range []struct {
		name, image, user, password string
		basic, token                int
	}{
		{"an image that the user may pull", "shop/cart:1", "alice", "right", 200, 200},
		{"an image that the user may not pull", "base/app:1", "alice", "right", 403, 401},
		{"a wrong password", "shop/cart:1", "alice", "wrong", 401, 401},
		{"an unknown user", "shop/cart:1", "bob", "right", 401, 401},
		{"no credentials", "shop/cart:1", "", "", 401, 401},
		{"an image that is not there", "shop/cart:2", "alice", "right", 404, 404},
		{"the admin", "base/app:1", "admin", "admin", 200, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			for address, want := range map[string]int{registry.Basic: test.basic, registry.Token: test.token} {
				if got := head(t, registry, address, test.image, test.user, test.password); got != want {
					t.Errorf("%s: status %d, want %d", address, got, want)
				}
			}
		})
	}
}

func TestUsersChangeWhileTheRegistryRuns(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	for _, password := range []string{"old", "new"} {
		noError(t, registry.SetUser(ctx, box.User{Name: "alice", Password: password, Pull: []string{""}}))
		for _, address := range []string{registry.Basic, registry.Token} {
			if got := head(t, registry, address, "shop/cart:1", "alice", password); got != 200 {
				t.Errorf("%s, password %s: status %d", address, password, got)
			}
		}
	}
	for password, want := range map[string]int{"old": 401, "new": 200} {
		for _, address := range []string{registry.Basic, registry.Token} {
			if got := head(t, registry, address, "shop/cart:1", "alice", password); got != want {
				t.Errorf("%s, password %s: status %d, want %d", address, password, got, want)
			}
		}
	}
	noError(t, registry.DeleteUser(ctx, "alice"))
	if got := head(t, registry, registry.Basic, "shop/cart:1", "alice", "new"); got != 401 {
		t.Errorf("status %d after the deletion", got)
	}
	if err := registry.DeleteUser(ctx, "alice"); err == nil {
		t.Error("deleted a user twice")
	}
}

func TestOnlyUsersWithPushRightsPush(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.SetUser(ctx, box.User{Name: "ci", Password: "p", Pull: []string{"shop/"}, Push: []string{"shop/"}}))
	noError(t, registry.SetUser(ctx, box.User{Name: "reader", Password: "p", Pull: []string{"shop/"}}))
	for _, address := range []string{registry.Basic, registry.Token} {
		for user, allowed := range map[string]bool{"ci": true, "reader": false} {
			ref, options := target(t, registry, address, "shop/"+user+":1", user, "p")
			if err := remote.Write(ref, testImage(t, user), options...); (err == nil) != allowed {
				t.Errorf("%s, %s: %v", address, user, err)
			}
		}
	}
}

func TestRequestsWithoutCredentialsHaveTheRightsOfAnonymous(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "public/app:1", testImage(t, "1")), registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, registry.SetUser(ctx, box.User{Name: box.Anonymous, Password: "p", Pull: []string{"public/"}}))
	for _, address := range []string{registry.Basic, registry.Token} {
		for image, want := range map[string]int{"public/app:1": 200, "shop/cart:1": 401} {
			if got := head(t, registry, address, image, "", ""); got != want {
				t.Errorf("%s, %s: status %d, want %d", address, image, got, want)
			}
		}
		if got := head(t, registry, address, "public/app:1", box.Anonymous, "p"); got != 401 {
			t.Errorf("%s: status %d: nobody logs in as anonymous", address, got)
		}
	}
}

func TestTheTokenServerDeniesInThreeWays(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "base/app:1", testImage(t, "1")), registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, registry.SetUser(ctx, box.User{Name: "alice", Password: "p", Pull: []string{"shop/"}}))
	for _, test := range []struct {
		mode            box.TokenMode
		token, manifest int // what the token server and then the registry answer
	}{
		{box.TokenLimited, 200, 401},
		{box.TokenRefusing, 403, 0},
		{box.TokenLying, 200, 403},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			noError(t, registry.SetTokenMode(ctx, test.mode), registry.ClearRequests(ctx))
			if got := head(t, registry, registry.Token, "shop/cart:1", "alice", "p"); got != 200 {
				t.Errorf("status %d for what alice may pull", got)
			}
			if got := head(t, registry, registry.Token, "shop/cart:1", "alice", "wrong"); got != 401 {
				t.Errorf("status %d for a wrong password", got)
			}
			noError(t, registry.ClearRequests(ctx))
			head(t, registry, registry.Token, "base/app:1", "alice", "p")
			seen, err := registry.Requests(ctx, 0)
			noError(t, err)
			token, manifest := 0, 0
			for _, request := range seen.Requests {
				switch {
				case request.Path == "/token":
					token = request.Status
				case request.Repository == "base/app":
					manifest = request.Status
				}
			}
			if token != test.token || manifest != test.manifest {
				t.Errorf("token server %d, registry %d; want %d, %d", token, manifest, test.token, test.manifest)
			}
		})
	}
	if err := registry.SetTokenMode(ctx, "other"); err == nil {
		t.Error("an unknown mode was taken")
	}
}

func TestTheTokenServerTakesAForm(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, registry.SetUser(ctx, box.User{Name: "alice", Password: "p", Pull: []string{"shop/"}}))
	for _, test := range []struct {
		name            string
		form            url.Values
		token, manifest int
	}{
		{"a right password", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"p"}}, 200, 200},
		{"a wrong password", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"q"}}, 401, 401},
		{"a refresh token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"t"}}, 401, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.form.Set("scope", "repository:shop/cart:pull")
			body := strings.NewReader(test.form.Encode())
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+registry.Token+"/token", body)
			noError(t, err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			var answer struct {
				Token string `json:"token"`
			}
			if got := do(t, request, &answer); got != test.token {
				t.Errorf("token server: status %d, want %d", got, test.token)
			}
			request, err = http.NewRequestWithContext(ctx, http.MethodGet, "http://"+registry.Token+"/v2/shop/cart/manifests/1", nil)
			noError(t, err)
			request.Header.Set("Authorization", "Bearer "+answer.Token)
			if got := do(t, request, &struct{}{}); got != test.manifest {
				t.Errorf("registry: status %d, want %d", got, test.manifest)
			}
		})
	}
}

// The realm has to lead back by the way that the client came, or forwarders and second addresses would not work.
func TestTheRealmIsAtTheHostOfTheRequest(t *testing.T) {
	registry := box.RegistryForTest(t, box.RegistryOptions{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry.Token+"/v2/", nil)
	noError(t, err)
	request.Host = "10.88.0.1:5001"
	response, err := http.DefaultClient.Do(request)
	noError(t, err)
	defer response.Body.Close()
	if got := response.Header.Get("WWW-Authenticate"); !strings.Contains(got, `realm="http://10.88.0.1:5001/token"`) {
		t.Errorf("challenge %s", got)
	}
}

func do(t *testing.T, request *http.Request, into any) (status int) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	noError(t, err)
	defer response.Body.Close()
	noError(t, json.NewDecoder(response.Body).Decode(into))
	return response.StatusCode
}

func TestRequestsAreRememberedWithoutPasswords(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, registry.SetUser(ctx, box.User{Name: "alice", Password: "s3cr3t-right", Pull: []string{""}}))
	before, err := registry.Requests(ctx, 0)
	noError(t, err)
	noError(t, registry.ClearRequests(ctx))
	for _, address := range []string{registry.Basic, registry.Token} {
		head(t, registry, address, "shop/cart:1", "alice", "s3cr3t-right")
		head(t, registry, address, "shop/cart:1", "alice", "s3cr3t-wrong")
	}
	seen, err := registry.Requests(ctx, before.Last)
	noError(t, err)
	if got := seen.Counters["alice"]; got[200] != 3 || got[401] != 2 {
		t.Errorf("counters of alice: %v; want 200 for a token and two manifests, 401 for a manifest and a token", got)
	}
	for _, request := range seen.Requests {
		if request.Sequence <= before.Last || request.Status == 0 {
			t.Errorf("request %+v", request)
		}
	}
	if answer := get(t, registry.Admin+"/requests") + get(t, registry.Admin+"/users"); strings.Contains(answer, "s3cr3t") {
		t.Error("the admin API tells a password")
	}
}

func TestARegistryServesTLSOnBothPorts(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{TLS: true})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	for _, address := range []string{registry.Basic, registry.Token} {
		if got := head(t, registry, address, "shop/cart:1", "admin", "admin"); got != 200 {
			t.Errorf("%s: status %d", address, got)
		}
		if err := answers(t, "https://"+address+"/v2/"); err == nil {
			t.Errorf("%s answered a client that does not know the CA", address)
		}
	}
}

func TestTheDigestIsTheOneOfThePushedImage(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	index, err := box.Index(testImage(t, "1"), testImage(t, "2"))
	noError(t, err)
	for reference, pushed := range map[string]interface {
		remote.Taggable
		Digest() (v1.Hash, error)
	}{"shop/cart:1": testImage(t, "1"), "shop/cart:multi": index} {
		noError(t, registry.Push(ctx, reference, pushed))
		want, err := pushed.Digest()
		noError(t, err)
		if got, err := registry.Digest(ctx, reference); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", reference, got, err, want)
		}
	}
}

// head asks a registry for a manifest as the kubelet does, and returns the status that decided; 0 stands for no
// HTTP answer at all.
func head(t *testing.T, registry *box.Registry, address, image, user, password string) int {
	t.Helper()
	ref, options := target(t, registry, address, image, user, password)
	_, err := remote.Head(ref, options...)
	var failure *transport.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &failure):
		return failure.StatusCode
	default:
		return 0
	}
}

func target(t *testing.T, registry *box.Registry, address, image, user, password string) (name.Reference, []remote.Option) {
	t.Helper()
	var secure []name.Option
	if registry.CAFile == "" {
		secure = append(secure, name.Insecure)
	}
	ref, err := name.ParseReference(address+"/"+image, secure...)
	noError(t, err)
	roundTripper, err := registry.Transport()
	noError(t, err)
	auth := authn.Anonymous
	if user != "" {
		auth = &authn.Basic{Username: user, Password: password}
	}
	return ref, []remote.Option{
		remote.WithContext(t.Context()), remote.WithTransport(roundTripper), remote.WithAuth(auth), remote.WithRetryStatusCodes(),
	}
}

func testImage(t *testing.T, salt string) v1.Image {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	noError(t, os.WriteFile(program, []byte("#!/bin/true\n"), 0o755))
	image, err := box.Image(program, box.ImageOptions{Salt: salt})
	noError(t, err)
	return image
}

func TestAUserHasLoginsThatEnd(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.SetUser(ctx, box.User{Name: "AWS", Password: "of-the-user", Pull: []string{""}}))
	noError(t, registry.AddLogin(ctx, "AWS", "ended", time.Now().Add(-time.Second)))
	noError(t, registry.AddLogin(ctx, "AWS", "first", time.Now().Add(time.Hour)))
	noError(t, registry.AddLogin(ctx, "AWS", "second", time.Now().Add(time.Hour)))
	for password, want := range map[string]int{"of-the-user": 200, "first": 200, "second": 200, "ended": 401, "other": 401} {
		if status, err := registry.TryLogin(ctx, "AWS", password); err != nil || status != want {
			t.Errorf("%s is answered with %d (%v), want %d", password, status, err, want)
		}
	}
	if err := registry.AddLogin(ctx, "nobody", "first", time.Now().Add(time.Hour)); err == nil {
		t.Error("a user that is not there has a login")
	}
	noError(t, registry.DeleteUser(ctx, "AWS"))
	noError(t, registry.SetUser(ctx, box.User{Name: "AWS", Password: "of-the-user"}))
	if status, err := registry.TryLogin(ctx, "AWS", "first"); err != nil || status != 401 {
		t.Errorf("a login outlives its user: %d, %v", status, err)
	}
}
