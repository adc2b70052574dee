package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"regcred.dev/regcred/hack/cluster/internal/box"
	"regcred.dev/regcred/hack/cluster/internal/build"
	"regcred.dev/regcred/hack/cluster/internal/network"
	"regcred.dev/regcred/hack/cluster/internal/node"
)

func TestMain(m *testing.M) {
	if ran, err := box.Internal(os.Args[1:]); ran { // a box of these tests starts its processes from this binary
		exit(err)
	}
	os.Exit(m.Run())
}

// specForTest is a box of what is in the cache already: building Kubernetes takes longer than a test may.
func specForTest(t *testing.T, withNode bool) box.Spec {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
	if withNode {
		if os.Geteuid() != 0 {
			t.Skip("a node needs root")
		}
		if err := network.CanIsolate(); err != nil {
			t.Skipf("a node needs namespaces of its own: %v", err)
		}
	}
	root, err := build.DefaultRoot()
	if err != nil {
		t.Fatal(err)
	}
	if built, _ := filepath.Glob(filepath.Join(root, "kubernetes", "*", "kubernetes")); len(built) == 0 {
		t.Skip("Kubernetes has not been built yet, which takes minutes: go -C hack/cluster run . build")
	}
	artifacts, err := build.Select(nil, withNode, os.Getenv("BOX_VAULT_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	spec := box.Spec{Name: "test", Node: withNode}
	spec.Binaries, err = build.Cache{Root: root, Source: source, Progress: t.Output()}.Ensure(t.Context(), artifacts)
	if err != nil {
		t.Fatal(err)
	}
	if withNode {
		if spec.CNIBinaries, err = node.Packages(t.Context(), t.Output()); err != nil {
			t.Fatal(err)
		}
	}
	return spec
}

func startBox(t *testing.T, spec box.Spec) (box.Folder, box.Info) {
	t.Helper()
	folder := folderForTest(t)
	if err := folder.Up(t.Context(), spec, t.Output()); err != nil {
		t.Fatal(err)
	}
	info, err := folder.Running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return folder, info
}

func folderForTest(t *testing.T) box.Folder {
	t.Helper()
	folder, err := box.FolderOf(t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := folder.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestBoxEndsWithoutATrace(t *testing.T) {
	spec := specForTest(t, true)
	kill := func(t *testing.T, pids ...int) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	}
	tests := map[string]func(t *testing.T, folder box.Folder, info box.Info){
		"after down": func(t *testing.T, folder box.Folder, _ box.Info) {
			if was, err := folder.Down(t.Context()); err != nil || !was {
				t.Errorf("down: was running %t, error %v", was, err)
			}
		},
		"after the supervisor was killed": func(t *testing.T, _ box.Folder, info box.Info) {
			kill(t, info.Supervisor)
		},
		"after the janitor was killed": func(t *testing.T, _ box.Folder, info box.Info) {
			kill(t, parentOf(t, info.Supervisor))
		},
		"after both were killed and down cleaned up": func(t *testing.T, folder box.Folder, info box.Info) {
			kill(t, parentOf(t, info.Supervisor), info.Supervisor)
			if _, err := folder.Down(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"after one of its servers was killed": func(t *testing.T, _ box.Folder, info box.Info) {
			kill(t, childOf(t, info.Supervisor, "etcd"))
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			before := takeTraces(t)
			folder, info := startBox(t, spec)
			runPod(t, info)
			during := takeTraces(t)
			during.ofBox(t, info)
			during.ended = sinceBoot(t)
			end(t, folder, info)
			await(t, func() error {
				if _, err := folder.Running(t.Context()); !errors.Is(err, box.ErrNotRunning) {
					return fmt.Errorf("still there: %w", err)
				}
				return during.gone(before, takeTraces(t))
			})
		})
	}
}

func TestBoxThatIsNotWaitedForEnds(t *testing.T) {
	spec := specForTest(t, true)
	before := takeTraces(t)
	folder := folderForTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The first line says that servers run.
	err := folder.Up(ctx, spec, writerFunc(func(line []byte) (int, error) { cancel(); return len(line), nil }))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("up returns %v, want that it was cancelled", err)
	}
	if _, err := folder.Running(t.Context()); !errors.Is(err, box.ErrNotRunning) {
		t.Errorf("running: %v", err)
	}
	if err := before.gone(before, takeTraces(t)); err != nil {
		t.Error(err)
	}
}

func TestBoxWithoutANode(t *testing.T) {
	spec := specForTest(t, false)
	_, info := startBox(t, spec)
	for _, address := range []string{
		info.Variables["BOX_VAULT_ADDR"] + "/v1/sys/health",
		info.Variables["BOX_REGISTRY_ADMIN"] + "/users",
	} {
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", address, response.Status)
		}
	}
	if output := kubectl(t, info, "get", "--raw", "/readyz"); output != "ok" {
		t.Errorf("readyz says %q", output)
	}
}

// kubectl runs with the administrator's kubeconfig and returns what it prints.
func kubectl(t *testing.T, info box.Info, arguments ...string) string {
	t.Helper()
	output, err := tryKubectl(info, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func tryKubectl(info box.Info, arguments ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.Command(filepath.Join(info.Spec.Binaries["kubernetes"], "kubectl"), arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+info.Variables["KUBECONFIG"])
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// await tries for a minute: the kernel and the kubelet take their time on a busy machine.
func await(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(line []byte) (int, error) { return f(line) }
