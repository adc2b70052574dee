package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/test/box"
)

// TestDocsLogins does what docs/vault.md says for each login method: it runs the commands, applies the manifest, and reads the
// credential with it.
func TestDocsLogins(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	clientset, err := kubernetes.NewForConfig(c.config)
	vaultMust(t, err)
	text := page(t, "docs/vault.md")
	for _, method := range []string{"kubernetes", "jwt", "appRole", "token", "cert"} {
		t.Run(method, func(t *testing.T) {
			server := box.VaultForTest(t, box.VaultOptions{TLS: method == "cert"})
			folder := docsFolder(t, c, server, clientset)
			for _, commands := range blocks(section(t, text, "## The policy"), "sh") {
				runDocs(t, folder, server, commands)
			}
			login := section(t, text, "### "+method)
			said := ""
			for _, commands := range blocks(login, "sh") {
				said += runDocs(t, folder, server, strings.ReplaceAll(commands, "https://kubernetes.default.svc", c.config.Host))
			}
			manifest := strings.NewReplacer("https://vault.company.io:8200", server.Address, "ROLE_ID", strings.TrimSpace(said)).
				Replace(blocks(login, "yaml")[0])
			file := filepath.Join(folder, "connection.yaml")
			vaultMust(t, os.WriteFile(file, []byte(manifest), 0o600))
			c.kubectl(t, "apply", "-f", file)
			snapshot, err := docsManager(t, c, clientset).Read(t.Context(), source.Request{
				Registries: []v1alpha1.Registry{"registry.company.io"},
				Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/registries/company"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := snapshot.Config["registry.company.io"]; got.Username() != "robot" || got.Password() != "example" {
				t.Errorf("the credential is another one than the commands wrote: user name %q", got.Username())
			}
		})
	}
}

// section is what follows a heading, up to the next one of the same or a higher level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/vault.md has no heading %q", heading)
	}
	level := strings.IndexByte(heading, ' ')
	for i := 1; i <= level; i++ {
		after, _, _ = strings.Cut(after, "\n"+strings.Repeat("#", i)+" ")
	}
	return after
}

// docsFolder holds the files that the commands name.
func docsFolder(t *testing.T, c *installation, server *box.Vault, clientset kubernetes.Interface) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{"cluster-ca.crt": string(c.config.CAData), "issuer.pem": strings.Join(vaultIssuerKeys(t, clientset), "\n")}
	if server.CAFile != "" {
		certificate, key := server.ClientCertificate()
		files["vault-ca.crt"], files["client-ca.crt"] = vaultFile(t, server.CAFile), vaultFile(t, server.CAFile)
		files["client.crt"], files["client.key"] = vaultFile(t, certificate), vaultFile(t, key)
	}
	program, err := os.Executable()
	vaultMust(t, err)
	files["kubectl"] = fmt.Sprintf("#!/bin/sh\nexec %s --kubeconfig %s \"$@\"\n", kubectlPath(t), c.kubeconfig)
	files["vault"] = fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", asVaultCommand, program)
	for name, content := range files {
		vaultMust(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o700))
	}
	return folder
}

// runDocs runs commands in a shell and returns what they print.
func runDocs(t *testing.T, folder string, server *box.Vault, commands string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir, shell.Stdout, shell.Stderr = folder, &out, &complaints
	shell.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"),
		api.EnvVaultAddress+"="+server.Address, api.EnvVaultToken+"="+server.Token, api.EnvVaultCACert+"="+server.CAFile)
	if err := shell.Run(); err != nil {
		t.Fatalf("%v: %s\nin\n%s", err, complaints.String(), commands)
	}
	var kept []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, " created\n") { // kubectl tells what it did
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// docsManager reads Vault as the operator does, with objects and tokens of the API server.
func docsManager(t *testing.T, c *installation, clientset kubernetes.Interface) *vault.Manager {
	t.Helper()
	manager, err := vault.New(vault.Options{
		Connection: func(ctx context.Context, name string) (*v1alpha1.VaultConnection, error) {
			var connection v1alpha1.VaultConnection
			return &connection, c.admin.Get(ctx, client.ObjectKey{Name: name}, &connection)
		},
		Secret: func(ctx context.Context, name, key string) ([]byte, error) {
			var secret corev1.Secret
			err := c.admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, &secret)
			return secret.Data[key], err
		},
		ConfigMap: func(ctx context.Context, name, key string) ([]byte, error) {
			var configMap corev1.ConfigMap
			err := c.admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, &configMap)
			return []byte(configMap.Data[key]), err
		},
		RequestToken: func(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
			request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: new(int64(lifetime.Seconds()))}}
			answer, err := clientset.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
			if err != nil {
				return "", err
			}
			return answer.Status.Token, nil
		},
	})
	vaultMust(t, err)
	t.Cleanup(func() { vaultMust(t, manager.Close(context.WithoutCancel(t.Context()))) })
	return manager
}

// asVaultCommand in the environment makes this test's program the command vault, as far as the documentation uses it: the real
// one comes with all of Vault.
const asVaultCommand = "REGCRED_TEST_IS_VAULT_COMMAND"

func init() {
	if os.Getenv(asVaultCommand) == "" {
		return
	}
	if err := vaultCommand(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func vaultCommand(arguments []string) error {
	server, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return err
	}
	flags, words := map[string]string{}, []string{}
	for _, argument := range arguments {
		if name, value, _ := strings.Cut(argument, "="); strings.HasPrefix(name, "-") && name != "-" {
			flags[strings.TrimLeft(name, "-")] = value
		} else {
			words = append(words, argument)
		}
	}
	switch command := strings.Join(words[:min(2, len(words))], " "); {
	case command == "policy write" && len(words) == 4 && words[3] == "-":
		rules, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		return server.Sys().PutPolicy(words[2], string(rules))
	case command == "auth enable" && len(words) == 3:
		return server.Sys().EnableAuthWithOptions(words[2], &api.EnableAuthOptions{Type: words[2]})
	case command == "kv put" && len(words) > 3:
		data, err := vaultArguments(words[3:])
		if err != nil {
			return err
		}
		_, err = server.KVv2(flags["mount"]).Put(context.Background(), words[2], data)
		return err
	case command == "token create":
		secret, err := server.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{flags["policy"]}, Period: flags["period"]})
		if err != nil {
			return err
		}
		return printField(flags, map[string]any{"token": secret.Auth.ClientToken})
	case len(words) > 1 && words[0] == "read":
		return vaultAnswer(flags)(server.Logical().Read(words[1]))
	case len(words) > 1 && words[0] == "write":
		data, err := vaultArguments(words[2:])
		if err != nil {
			return err
		}
		return vaultAnswer(flags)(server.Logical().Write(words[1], data))
	}
	return errors.New("the documentation uses a command that this test does not know: " + strings.Join(arguments, " "))
}

// vaultArguments reads key=value, where the value @FILE stands for a file's content.
func vaultArguments(pairs []string) (map[string]any, error) {
	data := map[string]any{}
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("%q is not key=value", pair)
		}
		if file, named := strings.CutPrefix(value, "@"); named {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			value = string(content)
		}
		data[key] = value
	}
	return data, nil
}

func vaultAnswer(flags map[string]string) func(*api.Secret, error) error {
	return func(secret *api.Secret, err error) error {
		if err != nil || secret == nil {
			return err
		}
		return printField(flags, secret.Data)
	}
}

func printField(flags map[string]string, data map[string]any) error {
	if flags["field"] != "" {
		fmt.Println(data[flags["field"]])
	}
	return nil
}
