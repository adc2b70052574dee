package box_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

func TestAFaultAnswersTheRequestsThatItMatches(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	for name, test := range map[string]struct {
		fault  box.Fault
		status int
		check  func(*testing.T, *http.Response, string)
	}{
		"a status has the registry's own error": {box.Fault{Status: 403}, 403, contains(`"DENIED"`)},
		"a rate limit says when to come back": {box.Fault{Status: 429, RetryAfter: "60"}, 429, func(t *testing.T, r *http.Response, body string) {
			if r.Header.Get("Retry-After") != "60" || !strings.Contains(body, `"TOOMANYREQUESTS"`) {
				t.Errorf("Retry-After %q, body %s", r.Header.Get("Retry-After"), body)
			}
		}},
		"a server error":      {box.Fault{Status: 503}, 503, contains(`"UNAVAILABLE"`)},
		"a body of one's own": {box.Fault{Status: 200, Body: "<html>", ContentType: "text/html"}, 200, contains("<html>")},
		"a body that is too long": {box.Fault{Status: 200, Body: "{", BodyBytes: 5 << 20}, 200, func(t *testing.T, _ *http.Response, body string) {
			if len(body) != 5<<20 {
				t.Errorf("%d bytes", len(body))
			}
		}},
		"a redirect": {box.Fault{RedirectTo: "http://127.0.0.1:1/elsewhere"}, 307, func(t *testing.T, r *http.Response, _ string) {
			if r.Header.Get("Location") != "http://127.0.0.1:1/elsewhere" {
				t.Errorf("Location %q", r.Header.Get("Location"))
			}
		}},
		"a redirect with a status":  {box.Fault{RedirectTo: "/elsewhere", Status: 301}, 301, contains("")},
		"a delay alone":             {box.Fault{DelaySeconds: 0.01}, 200, contains("schemaVersion")},
		"a fault of the repository": {box.Fault{Repository: "shop/", Status: 500}, 500, contains("")},
		"another repository":        {box.Fault{Repository: "base/", Status: 500}, 200, contains("schemaVersion")},
		"another path":              {box.Fault{Path: "/token", Status: 500}, 200, contains("schemaVersion")},
		"another method":            {box.Fault{Method: "HEAD", Status: 500}, 200, contains("schemaVersion")},
		"another registry":          {box.Fault{Registry: "token", Status: 500}, 200, contains("schemaVersion")},
		"this user":                 {box.Fault{User: "admin", Status: 500}, 500, contains("")},
		"another user":              {box.Fault{User: "alice", Status: 500}, 200, contains("schemaVersion")},
		"with credentials":          {box.Fault{Authenticated: true, Status: 500}, 500, contains("")},
	} {
		t.Run(name, func(t *testing.T) {
			noError(t, registry.SetFaults(ctx, test.fault))
			response, err := getManifest(ctx, registry, "admin")
			noError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			noError(t, err)
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			test.check(t, response, string(body))
		})
	}
}

func contains(want string) func(*testing.T, *http.Response, string) {
	return func(t *testing.T, _ *http.Response, body string) {
		if !strings.Contains(body, want) {
			t.Errorf("the body does not contain %s: %s", want, body)
		}
	}
}

func TestAFaultOfAuthenticatedRequestsLeavesTheChallenge(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.SetFaults(ctx, box.Fault{Authenticated: true, Status: 500}))
	response, err := getManifest(ctx, registry, "")
	noError(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("status %s, challenge %q", response.Status, response.Header.Get("WWW-Authenticate"))
	}
}

func TestAFaultHappensOnlySoOften(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, registry.SetFaults(ctx, box.Fault{Status: 503, Times: 2}))
	for _, want := range []int{503, 503, 200} {
		response, err := getManifest(ctx, registry, "admin")
		noError(t, err)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
	}
}

func TestClearedFaultsAreGone(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.SetFaults(ctx, box.Fault{Status: 503}), registry.ClearFaults(ctx))
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
}

func TestAHangingRequestIsSeenWhileItHangs(t *testing.T) {
	ctx, registry := t.Context(), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.SetFaults(ctx, box.Fault{Hang: true}))
	request, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		response, err := getManifest(request, registry, "admin")
		if err == nil {
			err = errors.Join(errors.New("it was answered"), response.Body.Close())
		}
		ended <- err
	}()
	eventually(t, "the request is seen", func() bool {
		seen, err := registry.Requests(ctx, 0)
		return err == nil && len(seen.Requests) == 1 && seen.Requests[0].Status == 0 && seen.Requests[0].Fault
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestGarbageIsNotHTTP(t *testing.T) {
	for name, options := range map[string]box.RegistryOptions{"plain": {}, "TLS": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			ctx, registry := t.Context(), box.RegistryForTest(t, options)
			noError(t, registry.SetFaults(ctx, box.Fault{Garbage: true}))
			response, err := getManifest(ctx, registry, "admin")
			if err == nil {
				response.Body.Close()
				t.Errorf("got %s", response.Status)
			}
		})
	}
}

func getManifest(ctx context.Context, registry *box.Registry, user string) (*http.Response, error) {
	scheme := "http://"
	if registry.CAFile != "" {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+registry.Basic+"/v2/shop/cart/manifests/1", nil)
	if err != nil {
		return nil, err
	}
	if user != "" {
		request.SetBasicAuth(user, "admin")
	}
	roundTripper, err := registry.Transport()
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport: roundTripper, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.Do(request)
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	noError(t, err)
	response, err := http.DefaultClient.Do(request)
	noError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	noError(t, err)
	return string(body)
}
