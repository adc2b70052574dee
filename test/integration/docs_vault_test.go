package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"k8s.io/client-go/kubernetes"

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
	for _, method := range []string{"kubernetes", "jwt", "appRole", "token", "cert", "aws", "gcp", "azure"} {
		t.Run(method, func(t *testing.T) {
			cloud := box.CloudForTest(t)
			server := box.VaultForTest(t, box.VaultOptions{TLS: method == "cert", Env: cloud.Env()})
			folder := docsFolder(t, c, server, cloud, clientset)
			for _, commands := range blocks(section(t, text, "## The policy"), "sh") {
				runDocs(t, folder, server, commands)
			}
			login := section(t, text, "### "+method)
			said := ""
			ours := strings.NewReplacer("https://kubernetes.default.svc", c.config.Host, "TENANT_ID", cloud.Azure.Tenant, "PRINCIPAL_ID", cloud.Azure.Principal)
			for _, commands := range blocks(login, "sh") {
				said += runDocs(t, folder, server, ours.Replace(commands))
			}
			manifest := strings.NewReplacer("https://vault.company.io:8200", server.Address, "ROLE_ID", strings.TrimSpace(said)).
				Replace(blocks(login, "yaml")[0])
			file := filepath.Join(folder, "connection.yaml")
			vaultMust(t, os.WriteFile(file, []byte(manifest), 0o600))
			c.kubectl(t, "apply", "-f", file)
			if got := readAsOperator(t, c, server, cloud, method); got != "robot:example" {
				t.Errorf("the credential is another one than the commands wrote: %q", got)
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
func docsFolder(t *testing.T, c *installation, server *box.Vault, cloud *box.Cloud, clientset kubernetes.Interface) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{
		"cluster-ca.crt": string(c.config.CAData), "issuer.pem": strings.Join(vaultIssuerKeys(t, clientset), "\n"),
		"vault-gcp.json": vaultFile(t, cloud.GCP.CredentialsFile),
	}
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

// kubectlDid is how kubectl tells what it did.
var kubectlDid = regexp.MustCompile(` (created|annotated|labeled)\n$`)

// runDocs runs commands in a shell and returns what they print, without what kubectl says of its own work.
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
		if !kubectlDid.MatchString(line) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
