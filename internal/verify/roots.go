package verify

import (
	"crypto/x509"
	"fmt"
	"os"

	"regcred.dev/regcred/internal/registry"
)

// RootCAs gives the certificate authorities of registries by host[:port], for [Options.RootCAs], whatever the case of its letters. Their
// files are read again for each test, so that a mounted file may change. The error names a file that cannot be used at the start.
func RootCAs(files map[string]string) (func(host string) *x509.CertPool, error) {
	byAddress := make(map[string]string, len(files))
	for host, file := range files {
		if _, err := ReadPool(file); err != nil {
			return nil, fmt.Errorf("--registry-ca for %s: %w", host, err)
		}
		byAddress[registry.Address(host)] = file
	}
	return func(host string) *x509.CertPool {
		file, ok := byAddress[registry.Address(host)]
		if !ok {
			return nil
		}
		pool, err := ReadPool(file)
		if err != nil {
			return x509.NewCertPool() // nothing is trusted until the file can be read again
		}
		return pool
	}, nil
}

// ReadPool reads a file of PEM certificates.
func ReadPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}
