package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// stopTimeout is how long a server may take to end on its own.
const stopTimeout = 10 * time.Second

// A process is a running server with a folder of its own, which goes with it.
type process struct {
	name   string
	folder string
	cmd    *exec.Cmd
	ended  chan struct{} // closed once cmd has ended; err may be read then
	err    error
}

// startProcess starts a server and waits until it has written its info file, which is read into info. Flags are made
// by a function because they name the server's folder. env is added to this process's environment.
func startProcess(ctx context.Context, name, binary string, info any, flags func(folder string) []string, env ...string) (*process, error) {
	folder, err := os.MkdirTemp("", "box-"+name+"-")
	if err != nil {
		return nil, err
	}
	p := &process{name: name, folder: folder, ended: make(chan struct{})}
	infoFile := filepath.Join(folder, "info.json")
	if err := p.start(binary, append(flags(folder), "-info-file", infoFile), env); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), os.RemoveAll(folder))
	}
	if err := p.waitForInfo(ctx, infoFile, info); err != nil {
		_ = p.cmd.Process.Kill() // it may have ended already
		<-p.ended
		err = fmt.Errorf("starting %s: %w; it said: %s", name, err, p.output())
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return p, nil
}

// Start starts a command that ends with the test that started it, however the test ends. Wait for it by the function that it returns, which says
// how it ended, and not by the command's own.
//
// The thread that starts it is kept until it ends: the kernel delivers the parent-death signal when that thread ends, not when the process does.
func Start(command *exec.Cmd) (wait func() error, err error) {
	command.SysProcAttr = diesWithParent()
	started, ended := make(chan error), make(chan struct{})
	var how error
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := command.Start()
		started <- err
		if err == nil {
			how = command.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error { <-ended; return how }, nil
}

func (p *process) start(binary string, args, env []string) error {
	log, err := os.Create(p.logFile())
	if err != nil {
		return err
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	defer log.Close() // the process has it, too
	wait, err := Start(p.cmd)
	if err != nil {
		return err
	}
	go func() {
		p.err = wait()
		close(p.ended)
	}()
	return nil
}

func (p *process) waitForInfo(ctx context.Context, path string, info any) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		content, err := os.ReadFile(path)
		if err == nil {
			return json.Unmarshal(content, info)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		select {
		case <-poll.C:
		case <-p.ended:
			return fmt.Errorf("it ended before it was ready: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", context.Cause(ctx))
		}
	}
}

// stop ends the server and removes its folder. It fails if the server had ended on its own or did not end well.
func (p *process) stop() error {
	signalled := p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		signalled = errors.Join(fmt.Errorf("it ignored SIGTERM for %s", stopTimeout), p.cmd.Process.Kill())
		<-p.ended
	}
	err := errors.Join(signalled, p.err)
	if err != nil {
		err = fmt.Errorf("stopping %s: %w; it said: %s", p.name, err, p.output())
	}
	return errors.Join(err, os.RemoveAll(p.folder))
}

func (p *process) logFile() string { return filepath.Join(p.folder, "log") }

// output is the end of what the server has printed.
func (p *process) output() string {
	const kept = 4096
	content, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-kept):])
}
