package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"regcred.dev/regcred/hack/cluster/internal/node"
)

// stopTimeout is how long a box may take to end before it is killed.
const stopTimeout = 20 * time.Second

// ErrNotRunning says that there is no such box.
var ErrNotRunning = errors.New("the box is not running")

// Running returns the box, or ErrNotRunning. A box that is just starting or ending is waited for.
func (f Folder) Running(ctx context.Context) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var info Info
	err := poll(ctx, func() error {
		if _, err := os.Stat(string(f)); errors.Is(err, os.ErrNotExist) {
			info.Supervisor = 0
			return nil
		}
		lock, err := f.tryLock()
		if err == nil {
			info = Info{}
			return lock.Close()
		}
		if !errors.Is(err, ErrRunning) {
			return err
		}
		return readJSON(f.infoFile(), &info)
	})
	if err == nil && info.Supervisor == 0 {
		err = ErrNotRunning
	}
	return info, err
}

// Up starts the box and returns when it is ready. If the context ends before, or this process does, there is no box.
func (f Folder) Up(ctx context.Context, spec Spec, progress io.Writer) error {
	lock, err := f.tryLock()
	if err != nil {
		return err
	}
	defer lock.Close() // without unlocking: the janitor has it too
	if err := f.prepare(&spec); err != nil {
		return err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	command, err := self(janitorVerb, f, lock, theirs)
	if err != nil {
		return err
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	lock.Close()
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	followErr := follow(ours, progress)
	if followErr == nil {
		go command.Wait() // should it end while this process still runs
		return nil
	}
	ours.Close()
	command.Wait() // it has cleaned up when it ends
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return followErr
}

// prepare clears what an earlier box left and writes down what this one is to be.
func (f Folder) prepare(spec *Spec) error {
	if err := f.cleanUp(); err != nil {
		return fmt.Errorf("clean up after the last box: %w", err)
	}
	if err := os.RemoveAll(f.Logs()); err != nil {
		return err
	}
	if err := os.MkdirAll(f.Logs(), 0o755); err != nil {
		return err
	}
	if spec.Node {
		for _, folder := range []string{string(f), spec.Binaries["containerd"], spec.CNIBinaries} {
			if err := node.CheckFolder(folder); err != nil {
				return err
			}
		}
		var err error
		if spec.Controllers, err = node.Controllers(); err != nil {
			return errors.Join(fmt.Errorf("%w; --no-node leaves the node out", err), node.ReturnControllers(spec.Controllers))
		}
	}
	return writeJSON(f.specFile(), spec)
}

// socketPair is a line between two processes: each notices when the other is gone.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range pair {
		unix.CloseOnExec(fd)
	}
	file := os.NewFile(uintptr(pair[0]), "line")
	defer file.Close() // the connection has a copy
	theirs = os.NewFile(uintptr(pair[1]), "line")
	if ours, err = net.FileConn(file); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// Down ends the box and returns when nothing is left of it but the logs. Without a box it cleans up after one that
// crashed together with all that should have cleaned up after it.
func (f Folder) Down(ctx context.Context) (wasRunning bool, err error) {
	if _, err := os.Stat(string(f)); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	info, err := f.Running(ctx)
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return false, err
	}
	wasRunning = err == nil
	if wasRunning {
		if err := syscall.Kill(info.Supervisor, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return true, fmt.Errorf("stop the box's supervisor: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return wasRunning, poll(ctx, func() error {
		lock, err := f.tryLock()
		if err != nil {
			return err
		}
		defer lock.Close()
		return f.cleanUp()
	})
}

// Forget removes what Down leaves. It fails with ErrRunning if there is a box.
func (f Folder) Forget() error {
	if _, err := os.Stat(string(f)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := f.tryLock()
	if err != nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(string(f))
}

// SignalNode sends one of the signals that the node's first process understands.
func (f Folder) SignalNode(ctx context.Context, signal syscall.Signal) error {
	info, err := f.Running(ctx)
	if err != nil {
		return err
	}
	if info.Node == 0 {
		return errors.New("this box has no node")
	}
	return syscall.Kill(info.Node, signal)
}
