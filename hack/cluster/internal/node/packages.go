package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cniFolders are where distributions put the network plugins.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// Packages makes sure that the system has what is not built from Go modules, and returns the folder of the network
// plugins. It installs Debian packages where it can.
func Packages(ctx context.Context, progress io.Writer) (string, error) {
	missing := missingPackages()
	if len(missing) == 0 {
		return cniFolder(), nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("the node needs %s: install them (Fedora: dnf install %s), or leave the node out by --no-node",
			list, list)
	}
	fmt.Fprintf(progress, "installing %s by apt-get\n", list)
	if err := install(ctx, progress, missing); err != nil {
		return "", fmt.Errorf("the node needs %s; apt-get install %s failed: %w", list, list, err)
	}
	if still := missingPackages(); len(still) > 0 {
		return "", fmt.Errorf("%s is installed and yet not found in PATH or %s", strings.Join(still, ", "),
			strings.Join(cniFolders, ", "))
	}
	return cniFolder(), nil
}

// missingPackages are Debian's names for what is not there.
func missingPackages() []string {
	var missing []string
	if _, err := exec.LookPath("runc"); err != nil {
		missing = append(missing, "runc")
	}
	if _, err := exec.LookPath("mount"); err != nil { // the kubelet mounts Secrets and tokens by it
		missing = append(missing, "mount")
	}
	if cniFolder() == "" {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}

func cniFolder() string {
	for _, folder := range cniFolders {
		_, bridge := os.Stat(filepath.Join(folder, "bridge"))
		_, addresses := os.Stat(filepath.Join(folder, "host-local"))
		if errors.Join(bridge, addresses) == nil {
			return folder
		}
	}
	return ""
}

// install tries with the package lists that are there, and fetches new ones only if that fails.
func install(ctx context.Context, progress io.Writer, packages []string) error {
	arguments := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if aptGet(ctx, io.Discard, arguments...) == nil {
		return nil
	}
	if err := aptGet(ctx, io.Discard, "update"); err != nil {
		return fmt.Errorf("apt-get update: %w", err)
	}
	return aptGet(ctx, progress, arguments...)
}

func aptGet(ctx context.Context, output io.Writer, arguments ...string) error {
	command := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet"}, arguments...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	command.Stdout, command.Stderr = output, output
	return command.Run()
}
