package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

// Signals to the node's first process.
const (
	// RestartKubelet ends the kubelet; a new one starts at once, as on any node.
	RestartKubelet = syscall.SIGHUP
	// StopKubelet ends the kubelet for the time being. Its pods go on running, its Node becomes NotReady.
	StopKubelet = syscall.SIGUSR1
	// StartKubelet starts it again.
	StartKubelet = syscall.SIGUSR2
)

// kubeletPause is between the end of a kubelet and the start of the next, so that one that cannot start does not
// spin.
const kubeletPause = 500 * time.Millisecond

// Command is the node's first process, in new mount and process namespaces: killing it ends all that runs in the
// node and unmounts all that is mounted there. The binary has to call Init when it sees the arguments.
func Command(configFile string, arguments ...string) *exec.Cmd {
	command := exec.Command("/proc/self/exe", append(arguments, configFile)...)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	return command
}

// Init is the node's first process. It returns only to report what makes the node impossible.
func Init(configFile string) error {
	config, err := Read(configFile)
	if err != nil {
		return err
	}
	if err := mountAll(config); err != nil {
		return err
	}
	os.Setenv("PATH", config.Containerd+":"+os.Getenv("PATH")) // containerd looks for its shim and for runc there
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGCHLD, RestartKubelet, StopKubelet, StartKubelet)
	n := &initProcess{config: config, children: newChildren(), kubelet: make(chan os.Signal, 16)}
	failed := make(chan error, 1)
	go func() { failed <- n.run() }()
	for {
		select {
		case err := <-failed:
			return err
		case received := <-signals:
			if received == unix.SIGCHLD {
				n.children.reap()
				continue
			}
			n.kubelet <- received
		}
	}
}

type initProcess struct {
	config   Config
	children *children
	kubelet  chan os.Signal
}

func (n *initProcess) run() error {
	containerd, err := n.startContainerd()
	if err != nil {
		return err
	}
	for {
		if err := n.runKubelet(containerd); err != nil {
			return err
		}
		time.Sleep(kubeletPause)
	}
}

// startContainerd returns when containerd answers and has the sandbox image.
func (n *initProcess) startContainerd() (ended <-chan unix.WaitStatus, err error) {
	log := filepath.Join(n.config.Logs, "containerd.log")
	binary := filepath.Join(n.config.Containerd, "containerd")
	_, ended, err = n.children.start(log, binary, "--config", filepath.Join(n.config.Folder, "containerd.toml"))
	if err != nil {
		return nil, err
	}
	ctr := []string{filepath.Join(n.config.Containerd, "ctr"), "--address", containerdSocket, "--namespace", "k8s.io"}
	importLog := filepath.Join(n.config.Logs, "ctr.log")
	importImage := append(ctr, "images", "import", "--all-platforms", n.config.imageFile())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ended:
			return nil, fmt.Errorf("containerd ended, see %s", log)
		case <-ctx.Done():
			return nil, fmt.Errorf("containerd does not answer, see %s and %s", log, importLog)
		case <-poll.C:
		}
		if _, err := os.Stat(containerdSocket); err != nil {
			continue
		}
		if n.children.run(importLog, importImage...) == nil {
			return ended, nil
		}
	}
}

// runKubelet keeps one kubelet until it ends, by a signal or by itself. It ends with an error only if containerd does.
func (n *initProcess) runKubelet(containerd <-chan unix.WaitStatus) error {
	pid, ended, err := n.children.start(filepath.Join(n.config.Logs, "kubelet.log"),
		n.config.Kubernetes, "kubelet",
		"--config="+filepath.Join(n.config.Folder, "kubelet.yaml"),
		"--kubeconfig="+n.config.Kubeconfig,
		"--hostname-override="+Name,
		"--node-ip="+network.NodeIP,
		"--root-dir=/var/lib/kubelet",
		"--cert-dir=/var/lib/kubelet/pki",
	)
	if err != nil {
		return err
	}
	stopped := false
	for {
		select {
		case <-containerd:
			return errors.New("containerd ended, see containerd.log")
		case received := <-n.kubelet:
			stopped = received == StopKubelet
			switch running := ended != nil; {
			case running && received != StartKubelet:
				unix.Kill(pid, unix.SIGTERM)
			case !running && !stopped:
				return nil
			}
		case <-ended:
			ended = nil
			if !stopped {
				return nil
			}
		}
	}
}
