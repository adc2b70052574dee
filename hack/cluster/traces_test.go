package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/hack/cluster/internal/box"
)

// sysctls that a kubelet would change on the host.
var sysctls = []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward"}

// traces are what a box could leave on the machine.
type traces struct {
	mounts, cgroups, named []string
	sysctls                map[string]string
	// namespaces and processes are those of one box: other ones may come and go at the same time.
	namespaces []string
	processes  []string
	// ended is when the end of the box was begun, by the clock that dates processes.
	ended time.Duration
}

func takeTraces(t *testing.T) traces {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	taken := traces{mounts: strings.Split(string(mounts), "\n"), sysctls: map[string]string{}}
	taken.cgroups, _ = filepath.Glob("/sys/fs/cgroup/*/regcred-test-*")
	unified, _ := filepath.Glob("/sys/fs/cgroup/regcred-test-*")
	taken.cgroups = append(taken.cgroups, unified...)
	taken.named, _ = filepath.Glob("/run/netns/*")
	for _, name := range sysctls {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		taken.sysctls[name] = string(value)
	}
	return taken
}

// ofBox notes what belongs to the box, and fails if that is not what a box with a running pod has.
func (tr *traces) ofBox(t *testing.T, info box.Info) {
	t.Helper()
	tr.processes = []string{strconv.Itoa(info.Supervisor), strconv.Itoa(parentOf(t, info.Supervisor))}
	for _, kind := range []string{"net", "mnt", "pid_for_children"} {
		ours, theirs := readLink(t, "self", kind), readLink(t, strconv.Itoa(info.Node), kind)
		if ours == theirs {
			t.Errorf("the node shares the namespace %s with the host", theirs)
		}
		tr.namespaces = append(tr.namespaces, theirs)
	}
	for _, process := range numericFolders(t) {
		if tr.inNamespaces(process) {
			tr.processes = append(tr.processes, process)
		}
	}
	// Five servers, two backends are seven; the node has five more: init, containerd, kubelet, shim, pause, application.
	if len(tr.processes) < 12 {
		t.Errorf("only %d processes of the box: %v", len(tr.processes), tr.processes)
	}
	if len(tr.cgroups) == 0 {
		t.Error("the box has no cgroup")
	}
}

// gone says what is left of a box, comparing what was before with what is after.
func (tr traces) gone(before, after traces) error {
	var left []error
	for what, pair := range map[string][2][]string{
		"mounts":                   {before.mounts, after.mounts},
		"cgroups":                  {before.cgroups, after.cgroups},
		"named network namespaces": {before.named, after.named},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			left = append(left, fmt.Errorf("%s before: %q, after: %q", what, pair[0], pair[1]))
		}
	}
	if !maps.Equal(before.sysctls, after.sysctls) {
		left = append(left, fmt.Errorf("sysctls before: %q, after: %q", before.sysctls, after.sysctls))
	}
	for _, process := range tr.processes {
		if _, err := os.Stat("/proc/" + process); err == nil {
			left = append(left, fmt.Errorf("process %s", process))
		}
	}
	if processes, err := filepath.Glob("/proc/[0-9]*"); err == nil {
		for _, process := range processes {
			// The kernel gives the numbers of namespaces out again: what began later is of another box.
			if tr.inNamespaces(filepath.Base(process)) && began(process) < tr.ended {
				left = append(left, fmt.Errorf("process %s in a namespace of the box", process))
			}
		}
	}
	return errors.Join(left...)
}

func (tr traces) inNamespaces(process string) bool {
	for _, kind := range []string{"net", "mnt", "pid_for_children"} {
		link, err := os.Readlink(filepath.Join("/proc", process, "ns", kind))
		if err == nil && slices.Contains(tr.namespaces, link) {
			return true
		}
	}
	return false
}

// sinceBoot is the time by the clock that dates processes.
func sinceBoot(t *testing.T) time.Duration {
	t.Helper()
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	seconds, _, _ := strings.Cut(string(uptime), " ")
	since, err := time.ParseDuration(seconds + "s")
	if err != nil {
		t.Fatal(err)
	}
	return since
}

// began is when a process did, in the folder that /proc has for it. One that is gone never did.
func began(process string) time.Duration {
	stat, err := os.ReadFile(filepath.Join(process, "stat"))
	if err != nil {
		return math.MaxInt64
	}
	// The name, in brackets, may contain anything. The state after it is field 3, the beginning in hundredths of a second field 22.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	hundredths, err := strconv.ParseInt(fields[22-3], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(hundredths) * 10 * time.Millisecond
}

func readLink(t *testing.T, process, kind string) string {
	t.Helper()
	link, err := os.Readlink(filepath.Join("/proc", process, "ns", kind))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func numericFolders(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range folders {
		folders[i] = filepath.Base(folders[i])
	}
	return folders
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "PPid:"); found {
			parent, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return parent
		}
	}
	t.Fatalf("process %d has no parent", pid)
	return 0
}

// childOf is the child of the process that was started with the argument.
func childOf(t *testing.T, parent int, argument string) int {
	t.Helper()
	for _, process := range numericFolders(t) {
		command, err := os.ReadFile(filepath.Join("/proc", process, "cmdline"))
		if err != nil || !slices.Contains(strings.Split(string(command), "\x00"), argument) {
			continue
		}
		pid, err := strconv.Atoi(process)
		if err == nil && parentOf(t, pid) == parent {
			return pid
		}
	}
	t.Fatalf("process %d has no child %s", parent, argument)
	return 0
}
