// Package apiserver starts API servers of envtest that end with the process that started them, however that process ends.
package apiserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"regcred.dev/regcred/test/box"
)

// Start starts the API server and the etcd of an environment. stop ends them, and is to be called in any case. A killed process cannot call it:
// then the kernel ends both.
func Start(environment *envtest.Environment) (config *rest.Config, stop func() error, err error) {
	folder, err := wrap(environment)
	if err != nil {
		return nil, func() error { return nil }, err
	}
	type answer struct {
		config *rest.Config
		err    error
	}
	started, stopped := make(chan answer), make(chan struct{})
	go func() {
		// The kernel ends the servers when the thread that started them ends, so that it is kept for them until they are stopped. It is never
		// unlocked: it ends with this goroutine.
		runtime.LockOSThread()
		config, err := environment.Start()
		started <- answer{config, errors.Join(err, os.RemoveAll(folder))}
		<-stopped
	}()
	got := <-started
	return got.config, sync.OnceValue(func() error {
		defer close(stopped)
		return environment.Stop()
	}), got.err
}

// wrap has an environment start its servers through scripts in a folder, which is needed until they run. A script runs this program, which asks
// the kernel to end what it becomes (see become).
func wrap(environment *envtest.Environment) (folder string, err error) {
	assets, err := box.Assets()
	if err != nil {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "box-apiserver-"); err != nil {
		return "", err
	}
	var failures []error
	script := func(server string) string {
		path := filepath.Join(folder, server)
		text := fmt.Sprintf("#!/bin/sh\n%s=%d %s='%s' exec '%s' \"$@\"\n", parentVariable, os.Getpid(), serverVariable, filepath.Join(assets, server), program)
		failures = append(failures, os.WriteFile(path, []byte(text), 0o700))
		return path
	}
	plane := &environment.ControlPlane
	plane.GetAPIServer().Path = script("kube-apiserver")
	if plane.Etcd == nil {
		plane.Etcd = &envtest.Etcd{}
	}
	plane.Etcd.Path = script("etcd")
	return folder, errors.Join(failures...)
}
