package install

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// way is how regcred is installed, and removed by the same tool.
type way struct {
	install   func(*testing.T)
	uninstall func(*testing.T)
}

func ways() map[string]func(*testing.T) way {
	return map[string]func(*testing.T) way{"chart": byChart, "kustomize": byKustomize, "install.yaml": byFile}
}

// byChart is Helm with the packed chart, which names the image by its digest.
func byChart(t *testing.T) way { return byChartWith(t) }

func byChartWith(t *testing.T, arguments ...string) way {
	chart, err := built.chart()
	must(t, err)
	values := fmt.Sprintf("vault: {addresses: [%q]}\nregistries: {insecure: [%q]}\n", s.Box.Vault.AddressInCluster, s.Registry)
	return way{
		install: func(t *testing.T) {
			must(t, s.CreateNamespace(t.Context(), scenario.SystemNamespace, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}))
			helm(t, values, append([]string{"upgrade", "--install", "regcred", chart, "--values", "-"}, arguments...)...)
		},
		// The default way to wait ends early, with an error, where the first events are of objects that are gone (helm/helm#31766): "legacy" polls.
		uninstall: func(t *testing.T) { helm(t, "", "uninstall", "regcred", "--wait=legacy", "--cascade", "foreground") },
	}
}

func helm(t *testing.T, values string, arguments ...string) {
	t.Helper()
	program, err := box.Helm()
	must(t, err)
	command := exec.CommandContext(t.Context(), program, append(arguments, "--namespace", scenario.SystemNamespace)...)
	command.Stdin, command.Env = strings.NewReader(values), append(os.Environ(), "HOME="+t.TempDir())
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("helm %s: %v: %s", strings.Join(arguments, " "), err, output)
	}
}

// byKustomize is an overlay as config/README.md shows it.
func byKustomize(t *testing.T) way {
	folder, err := s.WriteOverlay("digest: " + built.digest)
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(folder)) })
	return byKubectl("-k", folder)
}

func byFile(t *testing.T) way {
	path, err := built.manifest(t.TempDir())
	must(t, err)
	return byKubectl("-f", path)
}

func byKubectl(from, what string) way {
	return way{
		install:   func(t *testing.T) { kubectl(t, "apply", "--server-side", from, what) },
		uninstall: func(t *testing.T) { kubectl(t, "delete", "--ignore-not-found", deletedWithin, from, what) },
	}
}
