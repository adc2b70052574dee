// Package box runs one box: control plane, Vault, registry and, where possible, a node.
//
// A box is three kinds of processes. The janitor only waits for the supervisor and cleans up after it. The supervisor
// owns every server and the node. If one of the first two dies, in whatever way, the other ends the box.
package box

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultRoot is $REGCRED_STATE, else the folder regcred in the user's state folder ($XDG_STATE_HOME, ~/.local/state).
func DefaultRoot() (string, error) {
	if root := os.Getenv("REGCRED_STATE"); root != "" {
		return filepath.Abs(root)
	}
	if root := os.Getenv("XDG_STATE_HOME"); root != "" {
		return filepath.Join(root, "regcred"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the box's state, set REGCRED_STATE to a folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "regcred"), nil
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// Folder is where a box keeps its files. Only the logs outlive the box.
type Folder string

// FolderOf returns the folder of the box with the name.
func FolderOf(root, name string) (Folder, error) {
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%q cannot name a box: use up to 32 lower-case letters, digits and dashes", name)
	}
	return Folder(filepath.Join(root, name)), nil
}

func (f Folder) path(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

// Logs is the folder of the logs.
func (f Folder) Logs() string { return f.path("logs") }

func (f Folder) log(name string) string { return f.path("logs", name+".log") }

// Kubeconfig is the file with the administrator's access, from the host.
func (f Folder) Kubeconfig() string { return f.path("kubeconfig") }

func (f Folder) specFile() string { return f.path("spec.json") }

func (f Folder) infoFile() string { return f.path("box.json") }

// cgroup is below each hierarchy's root. The folder is part of it: another user may have a box of the same name.
func (f Folder) cgroup() string {
	digest := sha256.Sum256([]byte(f))
	return fmt.Sprintf("/regcred-%s-%x", filepath.Base(string(f)), digest[:4])
}

// ErrRunning says that there is such a box, or that it is just starting or ending.
var ErrRunning = errors.New("the box is running")

// tryLock takes the lock that a box holds all its life. The kernel releases it with the last process that holds it.
func (f Folder) tryLock() (*os.File, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(f.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && f.holds(file) {
		return file, nil
	}
	file.Close()
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrRunning
	}
	return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
}

// holds reports whether the lock is still the one that others will find: Forget may have removed it after it was opened.
func (f Folder) holds(lock *os.File) bool {
	ours, err := lock.Stat()
	if err != nil {
		return false
	}
	current, err := os.Stat(f.path("lock"))
	return err == nil && os.SameFile(ours, current)
}

// clear removes everything but the lock and the logs.
func (f Folder) clear() error {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range entries {
		if name := entry.Name(); name != "lock" && name != "logs" {
			failures = append(failures, os.RemoveAll(f.path(name)))
		}
	}
	return errors.Join(failures...)
}

// LastWords is why the last box ended by itself, or nil if it did not.
func (f Folder) LastWords() error {
	content, err := os.ReadFile(f.log("box"))
	if text := strings.TrimSpace(string(content)); err == nil && text != "" {
		return errors.New(text)
	}
	return nil
}

func readJSON(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces the file at once: a reader sees the old content or the new, never half of it.
func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
