package box_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/test/box"
)

func TestAVersion2SecretGoesThroughAllItsStates(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	const mount, path = "secret", "platform/registry"
	for want := 1; want <= 2; want++ {
		version, err := vault.WriteKV2(ctx, mount, path, map[string]any{"password": "p"})
		if err != nil || version != want {
			t.Fatalf("write %d: version %d, %v", want, version, err)
		}
	}
	for _, step := range []struct {
		name   string
		act    func() error
		status int
		data   bool // whether the 404 carries data, as it does for a deleted version
	}{
		{"written", func() error { return nil }, http.StatusOK, true},
		{"deleted", func() error { return vault.DeleteKV2(ctx, mount, path) }, http.StatusNotFound, true},
		{"undeleted", func() error { return vault.UndeleteKV2(ctx, mount, path, 2) }, http.StatusOK, true},
		{"destroyed", func() error { return vault.DestroyKV2(ctx, mount, path, 2) }, http.StatusNotFound, true},
		{"forgotten", func() error { return vault.ForgetKV2(ctx, mount, path) }, http.StatusNotFound, false},
	} {
		if err := step.act(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		status, secret := readRaw(ctx, t, vault.Client(), mount+"/data/"+path)
		if status != step.status || (secret != nil && secret.Data != nil) != step.data {
			t.Errorf("%s: status %d, answer %+v", step.name, status, secret)
		}
	}
}

func TestAVersion1SecretIsWrittenAndDeleted(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	if err := vault.MountKV(ctx, "old", 1); err != nil {
		t.Fatal(err)
	}
	if err := vault.WriteKV1(ctx, "old", "registry", map[string]any{"password": "p"}); err != nil {
		t.Fatal(err)
	}
	status, secret := readRaw(ctx, t, vault.Client(), "old/registry")
	if status != http.StatusOK || secret.Data["password"] != "p" {
		t.Errorf("status %d, answer %+v", status, secret)
	}
	if err := vault.DeleteKV1(ctx, "old", "registry"); err != nil {
		t.Fatal(err)
	}
	if status, _ := readRaw(ctx, t, vault.Client(), "old/registry"); status != http.StatusNotFound {
		t.Errorf("status %d after the deletion", status)
	}
}

func TestTheClientTakesNothingFromTheEnvironment(t *testing.T) {
	for variable, value := range map[string]string{
		"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "wrong", "VAULT_NAMESPACE": "elsewhere",
		"VAULT_HEADERS": `{"X-Other":"1"}`, "VAULT_PROXY_ADDR": "http://127.0.0.1:1",
	} {
		t.Setenv(variable, value)
	}
	vault := box.VaultForTest(t, box.VaultOptions{})
	client, err := vault.NewClient(vault.Token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Auth().Token().LookupSelfWithContext(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(http.Header{api.RequestHeaderName: {"true"}}, client.Headers()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestASealedVaultAnswers503UntilItIsUnsealed(t *testing.T) {
	for name, options := range map[string]box.VaultOptions{
		"sealed by a request": {}, "left sealed at the start": {LeaveSealed: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, vault := t.Context(), box.VaultForTest(t, options)
			if !options.LeaveSealed {
				if err := vault.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if status, _ := readRaw(ctx, t, vault.Client(), "secret/data/x"); status != http.StatusServiceUnavailable {
				t.Errorf("status %d while sealed", status)
			}
			if err := vault.Unseal(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := vault.WriteKV2(ctx, "secret", "x", map[string]any{"a": "b"}); err != nil {
				t.Errorf("after unsealing: %v", err)
			}
		})
	}
}

func TestAStandbyTakesOverWithAllData(t *testing.T) {
	for name, act := range map[string]func(*box.Vault, context.Context) error{
		"after a step-down": (*box.Vault).StepDown, "after the active node was sealed": (*box.Vault).Seal,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{Standby: true})
			if _, err := vault.WriteKV2(ctx, "secret", "x", map[string]any{"a": "b"}); err != nil {
				t.Fatal(err)
			}
			if active, err := vault.ActiveAddress(ctx); err != nil || active != vault.Address {
				t.Fatalf("active at the start: %s, %v", active, err)
			}
			if err := act(vault, ctx); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the standby is active", func() bool {
				active, err := vault.ActiveAddress(ctx)
				return err == nil && active == vault.StandbyAddress
			})
			second := *vault
			second.Address = vault.StandbyAddress
			client, err := second.NewClient(vault.Token)
			if err != nil {
				t.Fatal(err)
			}
			if status, _ := readRaw(ctx, t, client, "secret/data/x"); status != http.StatusOK {
				t.Errorf("status %d from the new active node", status)
			}
		})
	}
}

func TestASingleNodeCannotStepDown(t *testing.T) {
	vault := box.VaultForTest(t, box.VaultOptions{})
	if err := vault.StepDown(t.Context()); err == nil {
		t.Error("want an error")
	}
}

func TestARateLimitIsAnsweredWith429(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	if err := vault.SetRateLimit(ctx, "tight", "secret/", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "429", func() bool {
		status, _ := readRaw(ctx, t, vault.Client(), "secret/data/x")
		return status == http.StatusTooManyRequests
	})
	if err := vault.RemoveRateLimit(ctx, "tight"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if status, _ := readRaw(ctx, t, vault.Client(), "secret/data/x"); status != http.StatusNotFound {
			t.Fatalf("status %d without a limit", status)
		}
	}
}

func TestAnAuditCountsRequestsAndDenials(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	if _, err := vault.WriteKV2(ctx, "secret", "team/x", map[string]any{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	audit, err := vault.StartAudit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		readRaw(ctx, t, vault.Client(), "secret/data/team/x")
	}
	stranger, err := vault.NewClient("no-such-token")
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := readRaw(ctx, t, stranger, "secret/data/team/x"); status != http.StatusForbidden {
		t.Fatalf("status %d with a wrong token", status)
	}
	for _, test := range []struct {
		operation, path string
		want            int
	}{
		{"read", "secret/data/team/x", 4}, {"", "secret/", 4}, {"update", "secret/", 0}, {"read", "secret/data/team", 0},
	} {
		if got, err := audit.Count(test.operation, test.path); err != nil || got != test.want {
			t.Errorf("%q %s: %d requests, want %d (%v)", test.operation, test.path, got, test.want, err)
		}
	}
	requests, err := audit.Requests()
	if err != nil {
		t.Fatal(err)
	}
	if last := requests[len(requests)-1]; last.Error == "" {
		t.Errorf("the denied request has no error: %+v", last)
	}
	if err := audit.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestEventsCanBeSubscribedToWhereTheyAreEnabled(t *testing.T) {
	for name, want := range map[string]int{"enabled": http.StatusSwitchingProtocols, "not enabled": http.StatusNotFound} {
		t.Run(name, func(t *testing.T) {
			vault := box.VaultForTest(t, box.VaultOptions{Events: want == http.StatusSwitchingProtocols})
			url := vault.Address + "/v1/sys/events/subscribe/kv*?json=true"
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			for header, value := range map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
				"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "X-Vault-Token": vault.Token,
			} {
				request.Header.Set(header, value)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("status %s", response.Status)
			}
		})
	}
}

// readRaw reads a path without the helpers that hide what a 404 carries.
func readRaw(ctx context.Context, t *testing.T, client *api.Client, path string) (status int, secret *api.Secret) {
	t.Helper()
	response, err := client.Logical().ReadRawWithContext(ctx, path)
	var failure *api.ResponseError
	if err != nil && !errors.As(err, &failure) {
		t.Fatal(err)
	}
	defer response.Body.Close()
	secret, err = api.ParseSecret(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode, secret
}
