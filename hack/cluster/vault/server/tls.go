package server

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

// tlsFiles is a fresh CA with a serving certificate for this server, and a client certificate on disk with which a
// test can log in by the cert auth method.
type tlsFiles struct {
	caFile string
	server *tls.Config
}

func (t *tlsFiles) scheme() string {
	if t == nil {
		return "http"
	}
	return "https"
}

// newTLSFiles returns nil where no TLS is wanted.
func newTLSFiles(o options) (*tlsFiles, error) {
	if o.tlsDir == "" {
		return nil, nil
	}
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	names := append([]string{"localhost", "127.0.0.1", "::1"}, splitNames(o.tlsNames)...)
	for _, address := range []string{o.listen, o.standbyListen} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	serving, err := ca.issue("vault", x509.ExtKeyUsageServerAuth, names)
	if err != nil {
		return nil, err
	}
	client, err := ca.issue("regcred", x509.ExtKeyUsageClientAuth, nil)
	if err != nil {
		return nil, err
	}
	if err := writeTLSFiles(o.tlsDir, ca, client); err != nil {
		return nil, err
	}
	return &tlsFiles{
		caFile: filepath.Join(o.tlsDir, "ca.pem"),
		server: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{serving},
			ClientAuth:   tls.RequestClientCert, // the cert auth method checks it
		},
	}, nil
}

func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate("Vault of the box, CA")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate: certificate, key: key}, err
}

func (a *authority) issue(commonName string, usage x509.ExtKeyUsage, names []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := certificateTemplate(commonName)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
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

func writeTLSFiles(dir string, ca *authority, client tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem":         {Type: "CERTIFICATE", Bytes: ca.certificate.Raw},
		"client.pem":     {Type: "CERTIFICATE", Bytes: client.Certificate[0]},
		"client-key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
