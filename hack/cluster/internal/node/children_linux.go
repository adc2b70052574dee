package node

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// children are the processes that the node's first process starts. As process 1 it also has to reap all orphans of
// the namespace, and reaping takes whoever ended, so nobody but reap may wait.
type children struct {
	mu   sync.Mutex
	done map[int]chan unix.WaitStatus
}

func newChildren() *children {
	c := &children{done: map[int]chan unix.WaitStatus{}}
	return c
}

// start runs a program with its output appended to the log file. The channel yields how it ended.
func (c *children) start(log string, argv ...string) (pid int, ended <-chan unix.WaitStatus, err error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, nil, err
	}
	defer output.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()

	c.mu.Lock() // until the channel is there, or reap could miss a child that ends at once
	defer c.mu.Unlock()
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), output.Fd(), output.Fd()},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	channel := make(chan unix.WaitStatus, 1)
	c.done[pid] = channel
	return pid, channel, nil
}

// run starts a program and waits for its success.
func (c *children) run(log string, argv ...string) error {
	_, ended, err := c.start(log, argv...)
	if err != nil {
		return err
	}
	if status := <-ended; !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("%s failed, see %s", argv[0], log)
	}
	return nil
}

// reap collects whatever has ended. It is to be called at each SIGCHLD.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if channel, ours := c.done[pid]; ours {
			channel <- status
			delete(c.done, pid)
		}
	}
}
