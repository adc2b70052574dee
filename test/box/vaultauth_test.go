package box_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/test/box"
)

const readPolicy = `path "secret/data/platform/*" { capabilities = ["read"] }`

func TestEveryAuthMethodLogsInWithItsPolicy(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{TLS: true})
	if err := vault.Policy(ctx, "reader", readPolicy); err != nil {
		t.Fatal(err)
	}
	for name, method := range map[string]func(*testing.T) (client *api.Client, path string, login map[string]any){
		"approle": func(t *testing.T) (*api.Client, string, map[string]any) {
			roleID, secretID, err := vault.EnableAppRoleAuth(ctx, box.AppRoleAuth{Role: "regcred", Policies: []string{"reader"}})
			noError(t, err)
			return newClient(t, vault), "auth/approle/login", map[string]any{"role_id": roleID, "secret_id": secretID}
		},
		"userpass": func(t *testing.T) (*api.Client, string, map[string]any) {
			noError(t, vault.EnableUserpassAuth(ctx, "regcred", "pw", "reader"))
			return newClient(t, vault), "auth/userpass/login/regcred", map[string]any{"password": "pw"}
		},
		"cert": func(t *testing.T) (*api.Client, string, map[string]any) {
			noError(t, vault.EnableCertAuth(ctx, "regcred", "reader"))
			client, err := vault.NewCertificateClient()
			noError(t, err)
			return client, "auth/cert/login", map[string]any{"name": "regcred"}
		},
		"jwt": func(t *testing.T) (*api.Client, string, map[string]any) {
			subject := "system:serviceaccount:regcred-system:regcred-vault"
			now := time.Now()
			token, publicKey := signedJWT(t, map[string]any{
				"sub": subject, "aud": "vault", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			})
			noError(t, vault.EnableJWTAuth(ctx, box.JWTAuth{
				PublicKeys: []string{publicKey}, Role: "regcred", Subject: subject, Audience: "vault", Policies: []string{"reader"},
			}))
			return newClient(t, vault), "auth/jwt/login", map[string]any{"role": "regcred", "jwt": token}
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, path, login := method(t)
			secret, err := client.Logical().WriteWithContext(ctx, path, login)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(secret.Auth.Policies, "reader") || secret.Auth.LeaseDuration <= 0 {
				t.Errorf("policies %v, for %d s", secret.Auth.Policies, secret.Auth.LeaseDuration)
			}
			client.SetToken(secret.Auth.ClientToken)
			if status, _ := readRaw(ctx, t, client, "secret/data/platform/x"); status != http.StatusNotFound {
				t.Errorf("status %d where the policy allows", status)
			}
			if status, _ := readRaw(ctx, t, client, "secret/data/other"); status != http.StatusForbidden {
				t.Errorf("status %d where the policy is silent", status)
			}
		})
	}
}

func TestACertificateLoginNeedsTheCertificate(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{TLS: true})
	noError(t, vault.EnableCertAuth(ctx, "regcred", "default"))
	if _, err := newClient(t, vault).Logical().WriteWithContext(ctx, "auth/cert/login", map[string]any{"name": "regcred"}); err == nil {
		t.Error("logged in without a certificate")
	}
}

func TestLeasedUsersExistAtTheRegistryUntilTheirLeaseIsRevoked(t *testing.T) {
	ctx, vault, registry := t.Context(), box.VaultForTest(t, box.VaultOptions{}), box.RegistryForTest(t, box.RegistryOptions{})
	noError(t, registry.Push(ctx, "shop/cart:1", testImage(t, "1")))
	noError(t, vault.MountRegistryTokens(ctx, "robots", registry))
	noError(t, vault.SetTokenRole(ctx, "robots", "puller", box.TokenRole{TTLSeconds: 600, MaxTTLSeconds: 900, Pull: []string{"shop/"}}))

	secret := read(ctx, t, vault, "robots/creds/puller")
	username, password := secret.Data["username"].(string), secret.Data["password"].(string)
	if secret.LeaseID == "" || secret.LeaseDuration != 600 || !secret.Renewable {
		t.Errorf("lease %q for %d s, renewable: %t", secret.LeaseID, secret.LeaseDuration, secret.Renewable)
	}
	if status := head(t, registry, registry.Basic, "shop/cart:1", username, password); status != http.StatusOK {
		t.Errorf("status %d for a leased user", status)
	}
	if _, err := vault.Client().Sys().RenewWithContext(ctx, secret.LeaseID, 700); err != nil {
		t.Errorf("renewal: %v", err)
	}
	second := read(ctx, t, vault, "robots/creds/puller")
	wantLeases(ctx, t, vault, "robots", 2, 2)

	noError(t, vault.Client().Sys().RevokeWithOptionsWithContext(ctx, &api.RevokeOptions{LeaseID: secret.LeaseID, Sync: true}))
	wantLeases(ctx, t, vault, "robots", 2, 1)
	if status := head(t, registry, registry.Basic, "shop/cart:1", username, password); status != http.StatusUnauthorized {
		t.Errorf("status %d after the revocation", status)
	}
	count, err := vault.Leases(ctx, "robots")
	noError(t, err)
	if len(count.OutstandingUsernames) != 1 || count.OutstandingUsernames[0] != second.Data["username"] {
		t.Errorf("outstanding: %v", count.OutstandingUsernames)
	}
}

func TestALeaseEndsByItselfAndWithItsToken(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	noError(t, vault.MountRegistryTokens(ctx, "robots", nil))
	noError(t, vault.SetTokenRole(ctx, "robots", "short", box.TokenRole{TTLSeconds: 1, MaxTTLSeconds: 1, NotRenewable: true}))
	noError(t, vault.SetTokenRole(ctx, "robots", "long", box.TokenRole{}))

	if secret := read(ctx, t, vault, "robots/creds/short"); secret.Renewable {
		t.Error("the lease is renewable")
	}
	eventually(t, "the short lease is revoked", func() bool {
		count, err := vault.Leases(ctx, "robots")
		return err == nil && count.Revoked == 1
	})
	token, err := vault.Client().Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"root"}})
	noError(t, err)
	client, err := vault.NewClient(token.Auth.ClientToken)
	noError(t, err)
	if _, err := client.Logical().ReadWithContext(ctx, "robots/creds/long"); err != nil {
		t.Fatal(err)
	}
	wantLeases(ctx, t, vault, "robots", 2, 1)
	noError(t, client.Auth().Token().RevokeSelfWithContext(ctx, ""))
	eventually(t, "the lease of the revoked token is revoked", func() bool {
		count, err := vault.Leases(ctx, "robots")
		return err == nil && count.Outstanding == 0
	})
}

func TestATokenWithoutALeaseCarriesItsExpiryInTheData(t *testing.T) {
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{})
	noError(t, vault.MountRegistryTokens(ctx, "robots", nil))
	noError(t, vault.SetTokenRole(ctx, "robots", "puller", box.TokenRole{TTLSeconds: 600}))
	secret := read(ctx, t, vault, "robots/token/puller")
	expires, err := secret.Data["expires_at_seconds"].(json.Number).Int64()
	noError(t, err)
	if left := time.Until(time.Unix(expires, 0)); secret.LeaseID != "" || left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("lease %q, %s left", secret.LeaseID, left)
	}
}

func wantLeases(ctx context.Context, t *testing.T, vault *box.Vault, mount string, issued, outstanding int) {
	t.Helper()
	count, err := vault.Leases(ctx, mount)
	noError(t, err)
	if count.Issued != issued || count.Outstanding != outstanding || count.Revoked != issued-outstanding {
		t.Errorf("leases %+v, want %d issued and %d outstanding", count, issued, outstanding)
	}
}

func read(ctx context.Context, t *testing.T, vault *box.Vault, path string) *api.Secret {
	t.Helper()
	secret, err := vault.Client().Logical().ReadWithContext(ctx, path)
	noError(t, err)
	if secret == nil {
		t.Fatalf("nothing at %s", path)
	}
	return secret
}

func newClient(t *testing.T, vault *box.Vault) *api.Client {
	t.Helper()
	client, err := vault.NewClient("")
	noError(t, err)
	return client
}

// signedJWT returns a token and the PEM of the key that verifies it.
func signedJWT(t *testing.T, claims map[string]any) (token, publicKey string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	noError(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	noError(t, err)
	payload, err := json.Marshal(claims)
	noError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	noError(t, err)
	return signed + "." + encode(signature), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

func noError(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
