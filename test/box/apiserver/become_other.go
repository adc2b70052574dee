//go:build !linux

package apiserver

import (
	"fmt"
	"os"
	"syscall"
)

// serverVariable in the environment names the server that this program is to become.
const serverVariable, parentVariable = "BOX_APISERVER_PROGRAM", "BOX_APISERVER_PARENT"

func init() {
	if server := os.Getenv(serverVariable); server != "" {
		fmt.Fprintln(os.Stderr, become(server))
		os.Exit(1)
	}
}

// become makes this process the server. What ends a process with its parent has no counterpart here: a server outlives a test that is killed.
func become(server string) error {
	return fmt.Errorf("start %s: %w", server, syscall.Exec(server, append([]string{server}, os.Args[1:]...), os.Environ()))
}
