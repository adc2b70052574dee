package apiserver

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func init() { log.SetLogger(logr.Discard()) } // envtest says nothing that its errors do not say

// asKilled in the environment makes the test start servers and wait to be killed.
const asKilled = "BOX_APISERVER_TEST_IS_KILLED"

const ready = "ready"

// TestServersEndWithAKilledTest kills a test that has started an API server, and waits until that and its etcd are gone.
func TestServersEndWithAKilledTest(t *testing.T) {
	if os.Getenv(asKilled) != "" {
		waitToBeKilled(t)
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("processes are found in /proc")
	}
	program, err := os.Executable()
	noError(t, err)
	command := exec.CommandContext(t.Context(), program, "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), asKilled+"=1")
	out, err := command.StdoutPipe()
	noError(t, err)
	command.Stderr = os.Stderr
	noError(t, command.Start())
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != ready {
		t.Fatalf("it says %q: %v", lines.Text(), lines.Err())
	}
	servers := childrenOf(t, command.Process.Pid)
	if len(servers) != 2 {
		t.Fatalf("the test runs %v, want an API server and an etcd", servers)
	}
	noError(t, command.Process.Signal(syscall.SIGKILL))
	if err := command.Wait(); err == nil {
		t.Fatal("a killed test ends well")
	}
	deadline := time.Now().Add(30 * time.Second)
	for pid, name := range servers {
		for alive(pid, name) {
			if time.Now().After(deadline) {
				t.Fatalf("%s, process %d, outlives the test that started it", name, pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func waitToBeKilled(t *testing.T) {
	_, stop, err := Start(&envtest.Environment{ControlPlaneStartTimeout: 2 * time.Minute})
	t.Cleanup(func() { noError(t, stop()) })
	noError(t, err)
	fmt.Println(ready)
	<-t.Context().Done()
}

// TestServersThatAreStoppedAreGone sees that a stop leaves nothing, and that a second one does no harm.
func TestServersThatAreStoppedAreGone(t *testing.T) {
	config, stop, err := Start(&envtest.Environment{ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: 2 * time.Minute})
	if err == nil && config == nil {
		t.Error("there is no way to the API server")
	}
	noError(t, err)
	noError(t, stop())
	noError(t, stop())
	for pid, name := range childrenOf(t, os.Getpid()) {
		t.Errorf("%s, process %d, still runs", name, pid)
	}
}

// childrenOf are the API servers and etcds that a process started, by their process number.
func childrenOf(t *testing.T, parent int) map[int]string {
	t.Helper()
	found := map[int]string{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	noError(t, err)
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		noError(t, err)
		if state, of, there := statOf(pid); there && of == parent && state != "Z" {
			if name := nameOf(pid); name == "etcd" || name == "kube-apiserver" {
				found[pid] = name
			}
		}
	}
	return found
}

func alive(pid int, name string) bool {
	state, _, there := statOf(pid)
	return there && state != "Z" && nameOf(pid) == name
}

// nameOf is the name by which a process was called.
func nameOf(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(line), "\x00")
	return filepath.Base(first)
}

// statOf reads state and parent of a process (proc(5)): both come after the name, which is in brackets.
func statOf(pid int) (state string, parent int, there bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, false
	}
	fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
