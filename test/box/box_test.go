package box_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

const (
	awaited = 20 * time.Second // for conditions that come true at once on an idle machine
	// helperVariable makes this test binary start a registry and wait to be killed.
	helperVariable = "BOX_TEST_STARTS_A_REGISTRY"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		startAndWait()
	}
	os.Exit(m.Run())
}

func startAndWait() {
	registry, err := box.StartRegistry(context.Background(), box.RegistryOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(registry.Admin)
	select {}
}

func TestAServerEndsWithTheProcessThatStartedIt(t *testing.T) {
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Env = append(os.Environ(), helperVariable+"=1", "TMPDIR="+t.TempDir())
	helper.Stderr = os.Stderr
	output, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	admin, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	admin = strings.TrimSpace(admin)
	if err := answers(t, admin+"/users"); err != nil {
		t.Fatal(err)
	}
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // it was killed
	eventually(t, "the registry ends", func() bool { return answers(t, admin+"/users") != nil })
}

func answers(t *testing.T, url string) error {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestTheErrorNamesWhatIsMissingAndTheCommandThatHelps(t *testing.T) {
	for _, variable := range []string{
		"KUBEBUILDER_ASSETS", "BOX_VAULT_BIN", "BOX_REGISTRY_BIN", "BOX_PAUSE_BIN", "BOX_VAULT_ADDR", "BOX_REGISTRY_ADMIN",
	} {
		t.Setenv(variable, "")
	}
	_, binaries := box.Binaries()
	_, vault := box.StartVault(t.Context(), box.VaultOptions{})
	_, registry := box.StartRegistry(t.Context(), box.RegistryOptions{})
	_, running := box.FromEnv()
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"all binaries": {binaries, []string{"KUBEBUILDER_ASSETS", "BOX_VAULT_BIN", "BOX_REGISTRY_BIN", "BOX_PAUSE_BIN", "make test"}},
		"Vault":        {vault, []string{"BOX_VAULT_BIN", "make test"}},
		"registry":     {registry, []string{"BOX_REGISTRY_BIN", "make test"}},
		"running box":  {running, []string{"BOX_VAULT_ADDR", "BOX_REGISTRY_ADMIN", "hack/cluster run . up"}},
	} {
		for _, want := range test.want {
			if test.err == nil || !strings.Contains(test.err.Error(), want) {
				t.Errorf("%s: the error %v does not name %s", name, test.err, want)
			}
		}
	}
}

func TestABinaryThatIsNotThereIsAnError(t *testing.T) {
	t.Setenv("BOX_VAULT_BIN", t.TempDir()+"/vault")
	if _, err := box.StartVault(t.Context(), box.VaultOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFromEnvReachesTheServersThatTheEnvironmentNames(t *testing.T) {
	vault := box.VaultForTest(t, box.VaultOptions{})
	registry := box.RegistryForTest(t, box.RegistryOptions{})
	for variable, value := range map[string]string{
		"BOX_VAULT_ADDR": vault.Address, "BOX_VAULT_TOKEN": vault.Token, "BOX_VAULT_UNSEAL_KEY": vault.UnsealKey,
		"BOX_VAULT_ADDR_IN_CLUSTER": "http://10.88.0.1:8200",
		"BOX_REGISTRY_BASIC":        registry.Basic, "BOX_REGISTRY_TOKEN": registry.Token, "BOX_REGISTRY_ADMIN": registry.Admin,
		"BOX_REGISTRY_BASIC_IN_CLUSTER": "10.88.0.1:5000", "BOX_REGISTRY_TOKEN_IN_CLUSTER": "10.88.0.1:5001",
		"BOX_APISERVER_IN_CLUSTER": "https://10.96.0.1", "BOX_NODE": "true",
	} {
		t.Setenv(variable, value)
	}
	running, err := box.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.Vault.WriteKV2(t.Context(), "secret", "x", map[string]any{"a": "b"}); err != nil {
		t.Error(err)
	}
	if err := running.Registry.Push(t.Context(), "shop/cart:1", testImage(t, "1")); err != nil {
		t.Error(err)
	}
	if !running.HasNode {
		t.Error("the box has a node")
	}
	if err := errors.Join(running.Vault.Stop(), running.Registry.Stop()); err != nil {
		t.Error(err)
	}
	if _, err := vault.ActiveAddress(t.Context()); err != nil {
		t.Errorf("Stop ended a Vault that it had not started: %v", err)
	}
}

func TestServersRefuseAddressesThatOthersCanReach(t *testing.T) {
	for _, test := range []struct {
		variable string
		flags    []string
	}{
		{"BOX_VAULT_BIN", []string{"-listen", "0.0.0.0:0"}},
		{"BOX_VAULT_BIN", []string{"-listen", "127.0.0.1:0", "-standby-listen", ":0"}},
		{"BOX_REGISTRY_BIN", []string{"-data", t.TempDir(), "-basic", ":0", "-token", "127.0.0.1:0", "-admin", "127.0.0.1:0"}},
		{"BOX_REGISTRY_BIN", []string{"-data", t.TempDir(), "-basic", "127.0.0.1:0", "-token", "127.0.0.1:0", "-admin", "0.0.0.0:0"}},
	} {
		program := os.Getenv(test.variable)
		if program == "" {
			_, err := box.Binaries()
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), program, test.flags...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(string(output), "is not a loopback address") {
			t.Errorf("%s %v: %v, %s", test.variable, test.flags, err, output)
		}
	}
}

// eventually polls a condition until it holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(awaited); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", awaited, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
