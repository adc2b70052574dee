package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/test/box"
)

// reader is somebody who follows a page of the documentation at a shell: it has a folder with the commands that the page uses, and what the
// page calls by the names of its examples is that of this test.
type reader struct {
	c       *installation
	page    string
	folder  string
	ours    []string // names of the page and what they are here, in pairs
	vault   *box.Vault
	noticed map[string]bool // commands whose output was compared
}

// console is a command with its output, as a page shows them.
var console = regexp.MustCompile("(?ms)^```console\n\\$ ([^\n]*)\n(.*?)^```$")

// newReader makes the commands kubectl, vault, helm and make. helm is the real one; make builds the chart alone, as `make push` would.
func newReader(t *testing.T, c *installation, page string, server *box.Vault, ours ...string) *reader {
	t.Helper()
	r := &reader{c: c, page: page, folder: t.TempDir(), ours: ours, vault: server, noticed: map[string]bool{}}
	program, err := os.Executable()
	vaultMust(t, err)
	r.command(t, "kubectl", fmt.Sprintf("KUBECONFIG=%s exec %s \"$@\"", c.kubeconfig, kubectlPath(t))) // a flag cannot stand before the name of a plugin
	r.command(t, "vault", fmt.Sprintf("%s=1 exec %s \"$@\"", asVaultCommand, program))
	return r
}

func (r *reader) command(t *testing.T, name, does string) {
	t.Helper()
	vaultMust(t, os.WriteFile(filepath.Join(r.folder, name), []byte("#!/bin/sh\n"+does+"\n"), 0o700))
}

// at is the same reader at another page.
func (r *reader) at(page string) *reader {
	return &reader{c: r.c, page: page, folder: r.folder, ours: r.ours, vault: r.vault, noticed: map[string]bool{}}
}

// do runs commands of the page and returns what they print.
func (r *reader) do(t *testing.T, commands string) string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.NewReplacer(r.ours...).Replace(commands))
	shell.Dir = r.folder
	shell.Env = append(os.Environ(), "PATH="+r.folder+":"+os.Getenv("PATH"), "HOME="+r.folder,
		api.EnvVaultAddress+"="+r.vault.Address, api.EnvVaultToken+"="+r.vault.Token)
	out, err := shell.CombinedOutput()
	if err != nil && !strings.HasPrefix(commands, "kubectl regcred ") { // the plugin's exit codes are answers, and the output is compared
		t.Fatalf("%s: %v: %s\nin\n%s", r.page, err, out, commands)
	}
	return string(out)
}

// apply gives a manifest of the page to the API server.
func (r *reader) apply(t *testing.T, manifest string) {
	t.Helper()
	file := filepath.Join(r.folder, "company.yaml")
	vaultMust(t, os.WriteFile(file, []byte(strings.NewReplacer(r.ours...).Replace(manifest)), 0o600))
	r.c.kubectl(t, "apply", "-f", file)
}

// sees runs a command that the page shows with its output, and compares the two but for what differs from run to run. With UPDATE_DOCS=1 it
// puts the present output there.
func (r *reader) sees(t *testing.T, command string) string {
	t.Helper()
	r.noticed[command] = true
	theirs := make([]string, 0, len(r.ours))
	for i := len(r.ours) - 2; i >= 0; i -= 2 {
		theirs = append(theirs, r.ours[i+1], r.ours[i])
	}
	output := holder.ReplaceAllString(strings.NewReplacer(theirs...).Replace(r.do(t, command)), "regcred-6d8f7c9b5d-4xk2p_$1") // as in a cluster
	file := filepath.Join("..", "..", filepath.FromSlash(r.page))
	text := page(t, r.page)
	for _, block := range console.FindAllStringSubmatchIndex(text, -1) {
		if text[block[2]:block[3]] != command {
			continue
		}
		diff := cmp.Diff(withoutChance(text[block[4]:block[5]]), withoutChance(output))
		if diff == "" {
			return output
		}
		if os.Getenv("UPDATE_DOCS") == "" {
			t.Errorf("%s shows another output of %s; UPDATE_DOCS=1 puts the present one there:\n%s", r.page, command, diff)
			return output
		}
		vaultMust(t, os.WriteFile(file, []byte(text[:block[4]]+output+text[block[5]:]), 0o644))
		return output
	}
	t.Errorf("%s does not show the output of %s", r.page, command)
	return output
}

// seenAll fails where the page shows the output of a command that was not compared.
func (r *reader) seenAll(t *testing.T) {
	t.Helper()
	for _, block := range console.FindAllStringSubmatch(page(t, r.page), -1) {
		if !r.noticed[block[1]] {
			t.Errorf("%s shows the output of %s, which no test runs", r.page, block[1])
		}
	}
}

// operatorOf runs the operator's program with the flags and rights that a chart gave it.
func operatorOf(t *testing.T, c *chartRun, server *box.Vault, registry *box.Registry) *operatorRun {
	t.Helper()
	r := &operatorRun{installation: c.installation, vault: server, registry: registry, logs: filepath.Join(t.TempDir(), "log"), flags: c.operatorArguments(t)}
	var err error
	r.binary, err = operatorProgram()
	vaultMust(t, err)
	r.kubeconfig = writeKubeconfig(t, r.withToken(t))
	t.Cleanup(func() { r.kill(t) })
	r.start(t)
	return r
}
