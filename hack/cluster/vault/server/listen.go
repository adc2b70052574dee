package server

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// info is what the info file says once the server answers.
type info struct {
	Address        string `json:"address"`                  // URL of the first node
	StandbyAddress string `json:"standbyAddress,omitempty"` // URL of the second node
	RootToken      string `json:"rootToken"`
	UnsealKey      string `json:"unsealKey"` // the only key share, in hex
	CAFile         string `json:"caFile,omitempty"`
}

func (c *cluster) info(rootToken, unsealKey string) info {
	i := info{RootToken: rootToken, UnsealKey: unsealKey}
	scheme := c.tls.scheme() + "://"
	i.Address = scheme + c.active.listener.Addr().String()
	if c.standby != nil {
		i.StandbyAddress = scheme + c.standby.listener.Addr().String()
	}
	if c.tls != nil {
		i.CAFile = c.tls.caFile
	}
	return i
}

// writeInfo renames a complete file into place, so that a reader who sees the file can read all of it.
func writeInfo(path string, i info) error {
	if path == "" {
		return nil
	}
	content, err := json.Marshal(i)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if _, err := temporary.Write(append(content, '\n')); err != nil {
		_ = temporary.Close()
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// listen refuses addresses that others can reach: a root token given on a command line protects nothing.
func listen(address string, allowAny bool) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !allowAny && (resolved.IP == nil || !resolved.IP.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address: this server is for tests; use -allow-any-address inside an isolated network", address)
	}
	return net.ListenTCP("tcp", resolved)
}

// freeLoopbackAddress picks the address on which the core listens for its peer. The core takes addresses only, not
// listeners.
func freeLoopbackAddress() (*net.TCPAddr, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return listener.Addr().(*net.TCPAddr), listener.Close()
}
