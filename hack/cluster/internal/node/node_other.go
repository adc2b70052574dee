//go:build !linux

package node

import (
	"errors"
	"os/exec"
	"syscall"
)

// Signals to the node's first process, of which there is none here.
const (
	RestartKubelet = syscall.SIGHUP
	StopKubelet    = syscall.SIGUSR1
	StartKubelet   = syscall.SIGUSR2
)

var errNeedsLinux = errors.New("a node needs Linux")

// Command is not there without Linux: no box has a node here.
func Command(string, ...string) *exec.Cmd { return &exec.Cmd{Err: errNeedsLinux} }

// Init fails: a node needs Linux.
func Init(string) error { return errNeedsLinux }

// CheckFolder has nothing to object to.
func CheckFolder(string) error { return nil }

// MakeCgroup fails: cgroups are Linux's.
func MakeCgroup(string) error { return errNeedsLinux }

// RemoveCgroup has nothing to remove.
func RemoveCgroup(string) error { return nil }

// Controllers has none to hand down.
func Controllers() ([]string, error) { return nil, nil }

// ReturnControllers has none to take back.
func ReturnControllers([]string) error { return nil }
