package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// info is what the info file says once the servers answer.
type info struct {
	Basic  string `json:"basic"` // host:port, as in image references
	Token  string `json:"token"` // host:port
	Admin  string `json:"admin"` // URL
	CAFile string `json:"caFile,omitempty"`
}

func (s *servers) info() info {
	return info{
		Basic:  s.basic.listener.Addr().String(),
		Token:  s.token.listener.Addr().String(),
		Admin:  "http://" + s.admin.listener.Addr().String(),
		CAFile: s.caFile,
	}
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

// listen refuses addresses that others can reach: the admin API asks for no credentials.
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
