package box

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api"
)

// AWSEngine says what Vault's AWS engine gives: users under creds/user, sessions under sts/session, and the keys of one user under
// static-creds/static.
type AWSEngine struct {
	// LeaseSeconds and LeaseMaxSeconds are those of users.
	LeaseSeconds, LeaseMaxSeconds int
	// StaticUser is there already. Empty: there is no static role.
	StaticUser string
}

// MountAWS mounts Vault's AWS engine at aws/, before a Cloud whose Env Vault has.
func (v *Vault) MountAWS(ctx context.Context, cloud *Cloud, e AWSEngine) error {
	if err := v.client.Sys().MountWithContext(ctx, "aws", &api.MountInput{Type: "aws"}); err != nil {
		return err
	}
	access, secret := cloud.AWS.EngineKey()
	writes := []struct {
		path string
		data map[string]any
	}{
		{"config/root", map[string]any{"access_key": access, "secret_key": secret, "region": cloud.AWS.Region}},
		{"config/lease", map[string]any{"lease": fmt.Sprintf("%ds", e.LeaseSeconds), "lease_max": fmt.Sprintf("%ds", e.LeaseMaxSeconds)}},
		{"roles/user", map[string]any{"credential_type": "iam_user", "policy_arns": cloud.AWS.PullPolicy()}},
		{"roles/session", map[string]any{"credential_type": "assumed_role", "role_arns": cloud.AWS.RoleARN, "default_sts_ttl": 3600}},
	}
	for _, w := range writes {
		if err := v.write(ctx, "aws/"+w.path, w.data); err != nil {
			return err
		}
	}
	if e.StaticUser == "" {
		return nil
	}
	return v.write(ctx, "aws/static-roles/static", map[string]any{"username": e.StaticUser, "rotation_period": 3600})
}

// MountAzure mounts Vault's Azure engine at azure/, before a Cloud whose Env Vault has: creds/pull gives another password of one service
// principal.
func (v *Vault) MountAzure(ctx context.Context, cloud *Cloud, leaseSeconds, leaseMaxSeconds int) error {
	if err := v.client.Sys().MountWithContext(ctx, "azure", &api.MountInput{Type: "azure"}); err != nil {
		return err
	}
	azure := cloud.Azure
	err := v.write(ctx, "azure/config", map[string]any{
		"subscription_id": "99999999-8888-7777-6666-555555555555", "tenant_id": azure.Tenant, "client_id": azure.VaultClientID, "client_secret": azure.VaultSecret,
	})
	if err != nil {
		return err
	}
	return v.write(ctx, "azure/roles/pull", map[string]any{"application_object_id": azure.Application, "ttl": leaseSeconds, "max_ttl": leaseMaxSeconds})
}
