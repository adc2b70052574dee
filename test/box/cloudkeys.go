package box

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// cloudAuthority signs for all hosts of the clouds.
type cloudAuthority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newCloudAuthority writes its certificate to a file.
func newCloudAuthority(caFile string) (*cloudAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the clouds' CA: %w", err)
	}
	template := cloudCertificate("clouds of the box, CA")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the clouds' CA: %w", err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(caFile, content, 0o600); err != nil {
		return nil, fmt.Errorf("writing the clouds' CA: %w", err)
	}
	return &cloudAuthority{root: template, key: key}, nil
}

// certificate makes one for the host that a caller names. Its key is the authority's own, which spares a new one each time.
func (a *cloudAuthority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := cloudCertificate(hello.ServerName)
	template.DNSNames = []string{hello.ServerName}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %s: %w", hello.ServerName, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}, nil
}

func cloudCertificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(24 * time.Hour),
	}
}

// cloudKey signs JWTs.
type cloudKey struct {
	id  string
	key *rsa.PrivateKey
}

func newCloudKey() (*cloudKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("making a key of a cloud: %w", err)
	}
	return &cloudKey{id: randomWord(20), key: key}, nil
}

// sign makes a JWT of claims in JSON.
func (k *cloudKey) sign(claims []byte) (string, error) {
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.key, KeyID: k.id}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("signing for a cloud: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signing for a cloud: %w", err)
	}
	return signed.CompactSerialize()
}

// certificate is the public key in the form that Google gives it.
func (k *cloudKey) certificate(name string) (string, error) {
	template := cloudCertificate(name)
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.key.Public(), k.key)
	if err != nil {
		return "", fmt.Errorf("making the certificate of %s: %w", name, err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// public is the public key in the form that Azure gives it.
func (k *cloudKey) public() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.key.Public(), KeyID: k.id, Use: "sig"}}}
}

func (k *cloudKey) pem() (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return "", fmt.Errorf("writing a key of a cloud: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func randomWord(length int) string {
	random := make([]byte, length/2)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the caller may be gone
}
