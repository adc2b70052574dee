//go:build !linux

package box

import "syscall"

// diesWithParent has no counterpart here: a server outlives a test that is killed.
func diesWithParent() *syscall.SysProcAttr { return nil }
