package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// private are the folders in which containerd, kubelet and network plugins keep state at places that cannot all be
// configured. The node gets empty ones in memory, which end with its mount namespace.
var private = []string{"/run", "/var/lib", "/var/log"}

// sysctls are those the kubelet insists on (setupKernelTunables in its container manager), with the values it wants.
// They are not namespaced: reading the right value from a file of our own keeps it from changing the host's.
var sysctls = map[string]string{
	"vm/overcommit_memory":     "1",
	"vm/panic_on_oom":          "0",
	"kernel/panic":             "10",
	"kernel/panic_on_oops":     "1",
	"kernel/keys/root_maxkeys": "1000000",
	// 25 bytes for each key.
	"kernel/keys/root_maxbytes": "25000000",
}

// CheckFolder says that a folder cannot be used by the node because the node does not see it.
func CheckFolder(folder string) error {
	for _, hidden := range private {
		resolved, err := filepath.EvalSymlinks(hidden)
		if err != nil {
			continue
		}
		if relative, err := filepath.Rel(resolved, folder); err == nil && filepath.IsLocal(relative) {
			return fmt.Errorf("%s lies in %s, which the node replaces by a folder of its own; choose another place",
				folder, hidden)
		}
	}
	return nil
}

// mountAll turns this process's mount namespace into the node's. Nothing of it reaches the host's.
func mountAll(c Config) error {
	resolv, resolvErr := filepath.EvalSymlinks("/etc/resolv.conf") // before /run, where it may lead to, is replaced
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("separate the node's mounts from the host's: %w", err)
	}
	// Among the node's own namespaces mounts do spread: pods may ask for that.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts within the node: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, folder := range private {
		if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", folder, err)
		}
	}
	if resolvErr == nil {
		if err := replaceResolvConf(resolv, c.ResolvConf()); err != nil {
			return err
		}
	}
	return replaceSysctls()
}

func replaceResolvConf(target, replacement string) error {
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) { // it was in one of the replaced folders
		if err := writeFile(target, nil); err != nil {
			return err
		}
	}
	return bind(replacement, target)
}

func replaceSysctls() error {
	for name, value := range sysctls {
		target := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			continue // this kernel does not have it, and the kubelet finds no file to write
		}
		replacement := filepath.Join("/run/sysctl", strings.ReplaceAll(name, "/", "."))
		if err := writeFile(replacement, []byte(value+"\n")); err != nil {
			return err
		}
		if err := bind(replacement, target); err != nil {
			return err
		}
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("put %s in the place of %s: %w", from, to, err)
	}
	return nil
}
