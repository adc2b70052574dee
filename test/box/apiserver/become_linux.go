package apiserver

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// serverVariable in the environment names the server that this program is to become, parentVariable the process with which it is to end.
const serverVariable, parentVariable = "BOX_APISERVER_PROGRAM", "BOX_APISERVER_PARENT"

func init() {
	if server := os.Getenv(serverVariable); server != "" {
		fmt.Fprintln(os.Stderr, become(server))
		os.Exit(1)
	}
}

// become asks the kernel to end this process with its parent, which lasts across the exec, and makes it the server. It returns where that
// fails. The server finds nothing of this in its environment.
func become(server string) error {
	parent, err := strconv.Atoi(os.Getenv(parentVariable))
	if err != nil {
		return fmt.Errorf("%s: %w", parentVariable, err)
	}
	runtime.LockOSThread() // the thread that asks is the one that becomes the server
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask the kernel to end %s with process %d: %w", server, parent, err)
	}
	if os.Getppid() != parent {
		return fmt.Errorf("process %d, which started %s, has ended", parent, server)
	}
	for _, variable := range []string{serverVariable, parentVariable} {
		if err := os.Unsetenv(variable); err != nil {
			return err
		}
	}
	return fmt.Errorf("start %s: %w", server, syscall.Exec(server, append([]string{server}, os.Args[1:]...), os.Environ()))
}
