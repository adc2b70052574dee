package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// servingCertificate is a certificate of a fresh CA. It is nil where no TLS is wanted.
type servingCertificate struct {
	authorityFile string
	config        *tls.Config
}

func (s *servingCertificate) scheme() string {
	if s == nil {
		return "http"
	}
	return "https"
}

func (s *servingCertificate) caFile() string {
	if s == nil {
		return ""
	}
	return s.authorityFile
}

func newServingCertificate(o options) (*servingCertificate, error) {
	if o.tlsDir == "" {
		return nil, nil
	}
	names := append([]string{"localhost", "127.0.0.1", "::1"}, splitNames(o.tlsNames)...)
	for _, address := range []string{o.basic, o.token} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	authority, certificate, err := issue(names)
	if err != nil {
		return nil, err
	}
	s := &servingCertificate{
		authorityFile: filepath.Join(o.tlsDir, "ca.pem"),
		// Without HTTP/2, so that a fault can take over the connection.
		config: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}},
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority})
	return s, os.WriteFile(s.authorityFile, block, 0o600)
}

func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// issue makes a CA, whose certificate it returns in DER, and with it a serving certificate for the names.
func issue(names []string) (authority []byte, serving tls.Certificate, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, serving, err
	}
	authorityTemplate := certificateTemplate("Registry of the box, CA")
	authorityTemplate.IsCA, authorityTemplate.BasicConstraintsValid = true, true
	authorityTemplate.KeyUsage = x509.KeyUsageCertSign
	authority, err = x509.CreateCertificate(rand.Reader, authorityTemplate, authorityTemplate, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, serving, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, serving, err
	}
	template := certificateTemplate("registry")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, authorityTemplate, key.Public(), authorityKey)
	return authority, tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}, err
}

func certificateTemplate(commonName string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(7 * 24 * time.Hour),
	}
}
