package box

import "syscall"

// diesWithParent ends a server with the test that started it, however the test ends.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
