package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	tokenService  = realm
	tokenIssuedBy = realm + "-tokens"
	tokenTTL      = 5 * time.Minute
)

// A tokenIssuer signs the tokens that the token registry trusts.
type tokenIssuer struct {
	signer   jose.Signer
	keysFile string // the public key, as a JWK set
}

func newTokenIssuer(keysFile string) (*tokenIssuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	keyID := rand.Text()
	public := jose.JSONWebKey{Key: key.Public(), KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig"}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(keysFile), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(keysFile, keys, 0o600); err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader(jose.HeaderKey("kid"), keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	return &tokenIssuer{signer: signer, keysFile: keysFile}, err
}

// authConfig makes distribution trust this issuer. With autoredirect the realm's host is the one of the request.
func (i *tokenIssuer) authConfig() configuration.Auth {
	return configuration.Auth{"token": {
		"realm":             "unused",
		"autoredirect":      true,
		"autoredirectpath":  "/token",
		"service":           tokenService,
		"issuer":            tokenIssuedBy,
		"jwks":              i.keysFile,
		"signingalgorithms": []any{string(jose.ES256)},
	}}
}

func (i *tokenIssuer) sign(subject string, access []*token.ResourceActions, now time.Time) (string, error) {
	claims := token.ClaimSet{
		Issuer:     tokenIssuedBy,
		Subject:    subject,
		Audience:   token.AudienceList{tokenService},
		Expiration: now.Add(tokenTTL).Unix(),
		NotBefore:  now.Unix(),
		IssuedAt:   now.Unix(),
		JWTID:      rand.Text(),
		Access:     access,
	}
	return jwt.Signed(i.signer).Claims(claims).Serialize()
}

// bearerSubject reads, without checking it, whose token a request carries.
func bearerSubject(r *http.Request) (subject string, isBearer bool) {
	scheme, raw, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", true
	}
	var claims token.ClaimSet
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", true
	}
	return claims.Subject, true
}
