package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

// TestAnOlderInstallationIsUpgraded installs the commit that REGCRED_PREVIOUS names by kustomize, with its own program, and lets it heal pods.
// Then this release is installed over it in each way. Secrets and pods stay as they are, and the release heals the next incident. To build
// another commit takes minutes: without the name the test is skipped.
func TestAnOlderInstallationIsUpgraded(t *testing.T) {
	commit := os.Getenv("REGCRED_PREVIOUS")
	if commit == "" {
		t.Skip("name the commit to upgrade from by REGCRED_PREVIOUS: 895d7e6 is the last before there was a chart")
	}
	older := buildOlder(t, commit)
	takesOver := func(t *testing.T) way { return byChartWith(t, "--take-ownership", "--force-conflicts") } // as docs/upgrading.md says
	type steps = []func(*testing.T, *installation)
	for n, to := range []struct {
		name string
		way  func(*testing.T) way
		end  steps
	}{
		{"kustomize", byKustomize, steps{objects, uninstall}},
		{"install.yaml", byFile, steps{objects, uninstall}},
		{"chart", takesOver, steps{objects, uninstall, definitions, namespace}},
	} {
		t.Run(to.name, func(t *testing.T) {
			i := &installation{way: to.way(t), id: fmt.Sprintf("upgrade-%d", n+1)}
			t.Cleanup(func() { i.clearUp(t) })
			kubectl(t, "apply", "--server-side", "-k", older)
			await(t, 2*time.Minute, s.OperatorReady)
			must(t, s.ConnectVault(t.Context()))
			i.heal(t)

			i.install(t)
			i.works(t)
			i.secretsAre(t, true)
			i.healsAgain(t)
			for _, step := range to.end {
				step(t, i)
			}
			i.nothingIsLeft(t)
			i.secretsAre(t, false)
		})
	}
}

// buildOlder pushes the image of a commit, and returns a kustomization that installs it.
func buildOlder(t *testing.T, commit string) string {
	t.Helper()
	folder := t.TempDir()
	archive := filepath.Join(folder, "source.tar")
	runProgram(t, "", "git", "-C", filepath.Join("..", ".."), "archive", "--format=tar", "--output="+archive, commit)
	runProgram(t, "", "tar", "-C", folder, "-xf", archive)
	runProgram(t, folder, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "regcred", "./cmd/regcred")
	image, err := box.Image(filepath.Join(folder, "regcred"), box.ImageOptions{})
	must(t, err)
	must(t, s.PushOperator(t.Context(), commit, image))
	overlay, err := s.WriteOverlayOf(filepath.Join(folder, "config"), "newTag: "+commit)
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(overlay)) })
	return overlay
}

func runProgram(t *testing.T, folder, program string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", program, arguments[0], err, output)
	}
}

// healsAgain is the next incident: the registry refuses the password, and a new image is stuck until the one in Vault is right.
func (i *installation) healsAgain(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	i.password = i.id + "-2"
	must(t, s.SetRegistryPassword(ctx, i.password))
	var err error
	i.image, err = s.PushApp(ctx, i.password)
	must(t, err)
	namespaces := []string{i.namespace(kept), i.namespace(removed)}
	for _, namespace := range namespaces {
		must(t, s.SetImage(ctx, namespace, "web", i.image))
	}
	await(t, time.Minute, s.Stuck("web", "401 Unauthorized", namespaces...))
	must(t, s.SetVaultPassword(ctx, i.password))
	for _, name := range []string{kept, removed} {
		kubectl(t, "annotate", "registrycredential", name, "--overwrite", "regcred.dev/refresh-requested-at="+i.password)
	}
	await(t, time.Minute, s.Fresh(secretName, i.password, namespaces...))
	i.works(t)
}
