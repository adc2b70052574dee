package box

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"regcred.dev/regcred/hack/cluster/internal/network"
	"regcred.dev/regcred/hack/cluster/internal/node"
)

// Verbs with which this binary calls itself. Each takes one argument: the box's folder, or the node's configuration.
const (
	janitorVerb    = "internal-janitor"
	supervisorVerb = "internal-supervisor"
	nodeVerb       = "internal-node"
)

// Files that the janitor and the supervisor inherit: the box's lock, and the line to whoever started the box.
const (
	lockFD = 3 + iota
	lineFD
)

// What is said over the line. The supervisor ends with a line that starts with one of the first two, and goes down
// if the line ends before it has heard the third.
const (
	lineReady  = "ready"
	lineFailed = "failed: "
	lineThanks = "thanks"
)

// Internal runs one of the box's own processes, if that is what the arguments say.
func Internal(arguments []string) (ran bool, err error) {
	if len(arguments) != 2 {
		return false, nil
	}
	switch arguments[0] {
	case janitorVerb:
		return true, janitor(Folder(arguments[1]))
	case supervisorVerb:
		return true, supervisorMain(Folder(arguments[1]))
	case nodeVerb:
		return true, node.Init(arguments[1])
	}
	return false, nil
}

// self starts this binary again, even if its file is gone by now, as it is with go run.
func self(verb string, folder Folder, files ...*os.File) (*exec.Cmd, error) {
	path := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(folder.log("box"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	command := exec.Command(path, verb, string(folder))
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = files
	return command, nil
}

// janitor starts the supervisor and cleans up after it, whatever way it went. It does nothing else that could fail.
func janitor(folder Folder) error {
	// Caught and dropped rather than ignored: what is ignored stays so in every child.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	lock, line := os.NewFile(lockFD, "lock"), os.NewFile(lineFD, "line")
	command, err := self(supervisorVerb, folder, lock, line)
	if err != nil {
		return err
	}
	// A group of its own, and with it all servers: what does not die with the supervisor is killed by the group.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := network.Host().StartGently(command); err != nil {
		return err
	}
	line.Close()
	ended := command.Wait()
	syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	var exit *exec.ExitError
	if errors.As(ended, &exit) && exit.Exited() {
		ended = nil // it has said why in the same log
	}
	if ended != nil {
		ended = fmt.Errorf("the supervisor ended: %w", ended)
	}
	return errors.Join(ended, folder.cleanUp())
}

// cleanUp removes what a box leaves on the machine when its processes are gone. It can be called any number of times.
func (f Folder) cleanUp() error {
	var spec Spec
	if err := readJSON(f.specFile(), &spec); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if spec.Node {
		if err := errors.Join(node.RemoveCgroup(f.cgroup()), node.ReturnControllers(spec.Controllers)); err != nil {
			return err // and keep the specification, for whoever tries again
		}
	}
	return f.clear()
}

func supervisorMain(folder Folder) error {
	syscall.CloseOnExec(lockFD)
	syscall.CloseOnExec(lineFD)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	line := os.NewFile(lineFD, "line")
	detached := make(chan struct{})
	go func() {
		if answer, _ := bufio.NewReader(line).ReadString('\n'); answer != lineThanks+"\n" {
			stop() // whoever wanted the box is gone
			return
		}
		close(detached)
	}()
	var spec Spec
	if err := readJSON(folder.specFile(), &spec); err != nil {
		return err
	}
	err := supervise(ctx, folder, spec, line, func() error {
		fmt.Fprintln(line, lineReady)
		select {
		case <-detached:
		case <-ctx.Done():
		}
		return line.Close()
	})
	if err != nil {
		fmt.Fprintln(line, lineFailed+err.Error())
	}
	return errors.Join(err, folder.cleanUp())
}

// follow copies what the supervisor says to the progress until the box is ready or has failed.
func follow(line io.ReadWriter, progress io.Writer) error {
	lines := bufio.NewScanner(line)
	var failure error
	for lines.Scan() {
		switch text := lines.Text(); {
		case text == lineReady:
			_, err := fmt.Fprintln(line, lineThanks)
			return err
		case len(text) > len(lineFailed) && text[:len(lineFailed)] == lineFailed:
			failure = errors.New(text[len(lineFailed):])
		case failure != nil:
			failure = fmt.Errorf("%w\n%s", failure, text)
		default:
			fmt.Fprintln(progress, text)
		}
	}
	if failure == nil {
		failure = errors.New("its supervisor ended without a word")
	}
	return failure
}
