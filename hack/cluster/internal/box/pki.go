package box

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

// validity is far longer than any box lives.
const validity = 365 * 24 * time.Hour

// pki holds the certificates of one box, made when it starts and gone with it.
type pki struct {
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	folder Folder
}

func (f Folder) pkiFile(name string) string { return f.path("pki", name) }

// writePKI makes a certificate authority, the API server's serving certificate, its client certificate for the
// kubelet, and the key that signs service account tokens.
func writePKI(folder Folder) error {
	if err := os.MkdirAll(folder.path("pki"), 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := template(pkix.Name{CommonName: "box"})
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	p := pki{ca: authority, caKey: key, folder: folder}

	server := template(pkix.Name{CommonName: "kube-apiserver"})
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(network.NodeIP), net.ParseIP(network.ServiceIP)}

	client := template(pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}})
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}

	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(
		p.writeCertificate("ca.crt", authority, &key.PublicKey),
		p.issue("apiserver", server),
		p.issue("apiserver-kubelet", client),
		p.writeKey("service-accounts.key", signer),
	)
}

func template(subject pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func (p pki) issue(name string, certificate *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(
		p.writeCertificate(name+".crt", certificate, &key.PublicKey),
		p.writeKey(name+".key", key),
	)
}

func (p pki) writeCertificate(name string, certificate *x509.Certificate, key *ecdsa.PublicKey) error {
	der, err := x509.CreateCertificate(rand.Reader, certificate, p.ca, key, p.caKey)
	if err != nil {
		return err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return os.WriteFile(p.folder.pkiFile(name), content, 0o644)
}

func (p pki) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return os.WriteFile(p.folder.pkiFile(name), content, 0o600)
}
