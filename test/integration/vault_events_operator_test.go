package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestARotationReachesTheClusterWithoutWaitingForThePeriod runs the program with a refresh period of an hour: an event brings a rotation into
// the Secrets, and where there are no events, the commands of the docs do, with the rights of the docs and no others.
func TestARotationReachesTheClusterWithoutWaitingForThePeriod(t *testing.T) {
	t.Parallel()
	r := startOperatorRunWith(t, box.VaultOptions{Events: true})
	allowed := policyOfRuns + "\n" + `path "sys/events/subscribe/kv*" { capabilities = ["read"] }`
	vaultMust(t, r.vault.Policy(t.Context(), "regcred", allowed))
	namespaces := r.makeNamespaces(t, 2)
	r.rotate(t, "password-0")
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.RefreshPeriodSeconds = new(int32(3600)) })
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "password-0") })
	awaitWithin(t, time.Minute, func(context.Context) error {
		log, err := os.ReadFile(r.logs)
		if err == nil && !strings.Contains(string(log), "its events are followed") {
			err = fmt.Errorf("the log says nothing of events yet")
		}
		return err
	})
	for n := 1; n <= 5; n++ { // the one look after the subscription could show one of them
		r.rotateUntilSeen(t, namespaces, fmt.Sprintf("password-%d", n))
	}

	// The policy for events is gone, and with the next process the events are.
	r.kill(t)
	vaultMust(t, r.vault.Policy(t.Context(), "regcred", policyOfRuns))
	r.start(t)
	awaitWithin(t, time.Minute, func(context.Context) error {
		log, err := os.ReadFile(r.logs)
		if err == nil && !strings.Contains(string(log), "may not be followed") {
			err = fmt.Errorf("the log does not say that the policy refuses events")
		}
		return err
	})
	r.rotate(t, "password-of-the-job")
	r.runRotationJob(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "password-of-the-job") })
}

// rotateUntilSeen rotates, and writes the same again every few seconds: Vault 1.14 loses an event now and then.
func (r *operatorRun) rotateUntilSeen(t *testing.T, namespaces []string, password string) {
	t.Helper()
	r.rotate(t, password)
	began, last := time.Now(), time.Now()
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		if time.Since(last) > 5*time.Second {
			r.rotate(t, password)
			last = time.Now()
		}
		return r.allHold(ctx, namespaces, password)
	})
	t.Logf("measured: %s was in all Secrets %s after its rotation", password, time.Since(began).Round(time.Millisecond))
}

// runRotationJob runs the commands of docs/vault.md as a ServiceAccount that has the rights of docs/vault.md, and sees that it has no others.
func (r *operatorRun) runRotationJob(t *testing.T) {
	t.Helper()
	_, text, found := strings.Cut(page(t, "docs/vault.md"), "\n### Without events\n")
	text, _, ended := strings.Cut(text, "\n### ")
	text = strings.ReplaceAll(text, "company-registry", "company")
	commands, rights := blocks(text, "sh"), blocks(text, "yaml")
	if !found || !ended || len(commands) != 1 || len(rights) != 1 {
		t.Fatalf("docs/vault.md has %d blocks of commands and %d manifests there", len(commands), len(rights))
	}
	folder := t.TempDir()
	manifest := filepath.Join(folder, "rights.yaml")
	vaultMust(t, os.WriteFile(manifest, []byte(rights[0]), 0o600))
	r.installation.kubectl(t, "apply", "-f", manifest)
	const job = "system:serviceaccount:rotation:rotator"
	script := fmt.Sprintf("#!/bin/sh\nexec %q --kubeconfig %q --cache-dir %q --as %s \"$@\"\n", kubectlPath(t), r.installation.kubeconfig, folder, job)
	vaultMust(t, os.WriteFile(filepath.Join(folder, "kubectl"), []byte(script), 0o700)) //nolint:gosec // it is run
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands[0])
	command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the commands of docs/vault.md: %v: %s", err, said)
	}
	for _, refused := range [][]string{{"get", "secrets", "-n", r.home}, {"get", "registrycredentials"}, {"delete", "registrycredential", "company"}} {
		_, _, err := runKubectl(t, append([]string{"--kubeconfig", r.installation.kubeconfig, "--cache-dir", folder, "--as", job}, refused...)...)
		if err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("kubectl %s: %v", strings.Join(refused, " "), err)
		}
	}
}
