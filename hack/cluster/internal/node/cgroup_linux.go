package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// neededControllers are those that the kubelet wants to find in the cgroup of its pods.
var neededControllers = []string{"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}

// unified says whether this is cgroup v2 alone; otherwise each controller has a hierarchy of its own.
func unified() bool {
	var stat unix.Statfs_t
	return unix.Statfs(cgroupMount, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}

// hierarchies are the roots in which a cgroup of the box can be.
func hierarchies() ([]string, error) {
	if unified() {
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, entry := range entries {
		if entry.IsDir() { // links like cpu -> cpu,cpuacct lead to one that is listed anyway
			roots = append(roots, filepath.Join(cgroupMount, entry.Name()))
		}
	}
	return roots, nil
}

// MakeCgroup makes the cgroup that holds all pods of the box, in each hierarchy.
func MakeCgroup(cgroup string) error {
	roots, err := hierarchies()
	if err != nil {
		return fmt.Errorf("a node needs cgroups: %w", err)
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, cgroup), 0o755); err != nil {
			return err
		}
		if filepath.Base(root) == "cpuset" && !unified() {
			// A new cpuset is empty and nothing can run in it until it says where.
			if err := inherit(root, cgroup, "cpuset.cpus", "cpuset.mems"); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(root, cgroup string, files ...string) error {
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, cgroup, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// RemoveCgroup removes the cgroup with everything below it. Processes in it are on their way out, so it tries again
// until they are gone, for up to ten seconds.
func RemoveCgroup(cgroup string) error {
	roots, err := hierarchies()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var failures []error
		for _, root := range roots {
			failures = append(failures, removeTree(filepath.Join(root, cgroup)))
		}
		err := errors.Join(failures...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// removeTree removes folders from the bottom up. The files in them are the kernel's and vanish with them.
func removeTree(root string) error {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	for _, folder := range slices.Backward(folders) {
		if removeErr := unix.Rmdir(folder); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, &fs.PathError{Op: "rmdir", Path: folder, Err: removeErr})
		}
	}
	return err
}

// Controllers hands the needed controllers down to the root's children, where cgroup v2 does not do so already. It
// returns those that were not before, for ReturnControllers.
func Controllers() ([]string, error) {
	if !unified() {
		return nil, nil
	}
	available, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	handedDown, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.subtree_control"))
	if err != nil {
		return nil, err
	}
	before := strings.Fields(string(handedDown))
	var added []string
	for _, controller := range strings.Fields(string(available)) {
		if slices.Contains(before, controller) || !slices.Contains(neededControllers, controller) {
			continue
		}
		if err := subtreeControl("+" + controller); err != nil {
			return added, fmt.Errorf("hand the cgroup controller %s down to the box: %w", controller, err)
		}
		added = append(added, controller)
	}
	return added, nil
}

// ReturnControllers undoes Controllers. A controller that somebody else has come to use stays.
func ReturnControllers(added []string) error {
	var failures []error
	for _, controller := range added {
		if err := subtreeControl("-" + controller); !errors.Is(err, unix.EBUSY) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func subtreeControl(change string) error {
	return os.WriteFile(filepath.Join(cgroupMount, "cgroup.subtree_control"), []byte(change), 0)
}
