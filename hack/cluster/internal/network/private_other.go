//go:build !linux

package network

import (
	"errors"
	"os/exec"
)

// Private fails: network namespaces are Linux's.
func Private() (*Network, error) { return nil, CanIsolate() }

// CanIsolate says that a node needs Linux.
func CanIsolate() error { return errors.New("a node needs Linux") }

func dieWithParent(*exec.Cmd) {}

func stopWithParent(*exec.Cmd) {}
