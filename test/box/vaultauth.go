package box

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/vault/api"
)

// Policy writes a policy in Vault's policy language.
func (v *Vault) Policy(ctx context.Context, name, rules string) error {
	return v.client.Sys().PutPolicyWithContext(ctx, name, rules)
}

// KubernetesAuth is a mount of the kubernetes auth method with one role.
type KubernetesAuth struct {
	Mount          string // defaults to kubernetes
	APIServer      string // URL as Vault reaches it
	CA             string // PEM
	ReviewerJWT    string // without it the token that logs in reviews itself
	Role           string
	ServiceAccount string
	Namespace      string
	Audience       string // empty: any
	Policies       []string
	TTLSeconds     int // of the Vault token; defaults to 3600
}

// EnableKubernetesAuth mounts the method where it is not mounted yet, and writes its configuration and the role.
func (v *Vault) EnableKubernetesAuth(ctx context.Context, k KubernetesAuth) error {
	mount, err := v.enableAuth(ctx, "kubernetes", k.Mount)
	if err != nil {
		return err
	}
	config := map[string]any{
		"kubernetes_host": k.APIServer, "kubernetes_ca_cert": k.CA, "token_reviewer_jwt": k.ReviewerJWT,
		"disable_local_ca_jwt": true,
	}
	if err := v.write(ctx, mount+"/config", config); err != nil {
		return err
	}
	return v.write(ctx, mount+"/role/"+k.Role, map[string]any{
		"bound_service_account_names":      k.ServiceAccount,
		"bound_service_account_namespaces": k.Namespace,
		"audience":                         k.Audience,
		"token_policies":                   k.Policies,
		"token_ttl":                        orHour(k.TTLSeconds),
	})
}

// JWTAuth is a mount of the jwt auth method with one role.
type JWTAuth struct {
	Mount      string // defaults to jwt
	PublicKeys []string
	Role       string
	Subject    string // as system:serviceaccount:NAMESPACE:NAME
	Audience   string
	Policies   []string
	TTLSeconds int // of the Vault token; defaults to 3600
}

// EnableJWTAuth mounts the method where it is not mounted yet, and writes its configuration and the role.
func (v *Vault) EnableJWTAuth(ctx context.Context, j JWTAuth) error {
	mount, err := v.enableAuth(ctx, "jwt", j.Mount)
	if err != nil {
		return err
	}
	if err := v.write(ctx, mount+"/config", map[string]any{"jwt_validation_pubkeys": j.PublicKeys}); err != nil {
		return err
	}
	return v.write(ctx, mount+"/role/"+j.Role, map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": j.Subject, "bound_audiences": j.Audience,
		"token_policies": j.Policies, "token_ttl": orHour(j.TTLSeconds),
	})
}

// AppRoleAuth is a mount of the approle auth method with one role.
type AppRoleAuth struct {
	Mount      string // defaults to approle
	Role       string
	Policies   []string
	TTLSeconds int // of the Vault token; defaults to 3600
}

// EnableAppRoleAuth mounts the method where it is not mounted yet, writes the role and returns a login for it.
func (v *Vault) EnableAppRoleAuth(ctx context.Context, a AppRoleAuth) (roleID, secretID string, err error) {
	mount, err := v.enableAuth(ctx, "approle", a.Mount)
	if err != nil {
		return "", "", err
	}
	role := mount + "/role/" + a.Role
	settings := map[string]any{"token_policies": a.Policies, "token_ttl": orHour(a.TTLSeconds)}
	if err := v.write(ctx, role, settings); err != nil {
		return "", "", err
	}
	id, err := v.client.Logical().ReadWithContext(ctx, role+"/role-id")
	if err != nil {
		return "", "", err
	}
	secret, err := v.client.Logical().WriteWithContext(ctx, role+"/secret-id", nil)
	if err != nil {
		return "", "", err
	}
	if id == nil || secret == nil {
		return "", "", fmt.Errorf("no answer for the role %s", role)
	}
	roleID, _ = id.Data["role_id"].(string)
	secretID, _ = secret.Data["secret_id"].(string)
	return roleID, secretID, nil
}

// EnableUserpassAuth mounts the method at userpass where it is not mounted yet, and writes a user.
func (v *Vault) EnableUserpassAuth(ctx context.Context, name, password string, policies ...string) error {
	mount, err := v.enableAuth(ctx, "userpass", "")
	if err != nil {
		return err
	}
	return v.write(ctx, mount+"/users/"+name, map[string]any{"password": password, "token_policies": policies})
}

// EnableCertAuth mounts the method at cert where it is not mounted yet, and lets the client certificate log in. It
// needs TLS.
func (v *Vault) EnableCertAuth(ctx context.Context, role string, policies ...string) error {
	mount, err := v.enableAuth(ctx, "cert", "")
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(v.CAFile)
	if err != nil {
		return err
	}
	return v.write(ctx, mount+"/certs/"+role, map[string]any{
		"certificate": string(ca), "allowed_common_names": "regcred", "token_policies": policies,
	})
}

// enableAuth returns the path of the mount.
func (v *Vault) enableAuth(ctx context.Context, method, mount string) (string, error) {
	if mount == "" {
		mount = method
	}
	mounts, err := v.client.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return "", err
	}
	if _, found := mounts[mount+"/"]; found {
		return "auth/" + mount, nil
	}
	return "auth/" + mount, v.client.Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: method})
}

func orHour(seconds int) int {
	if seconds == 0 {
		return 3600
	}
	return seconds
}
