package box

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/api"
)

// MountKV mounts a KV engine of version 1 or 2.
func (v *Vault) MountKV(ctx context.Context, mount string, version int) error {
	return v.client.Sys().MountWithContext(ctx, mount, &api.MountInput{
		Type: "kv", Options: map[string]string{"version": strconv.Itoa(version)},
	})
}

// WriteKV2 writes a new version and returns its number.
func (v *Vault) WriteKV2(ctx context.Context, mount, path string, data map[string]any) (version int, err error) {
	secret, err := v.client.KVv2(mount).Put(ctx, path, data)
	if err != nil {
		return 0, err
	}
	return secret.VersionMetadata.Version, nil
}

// DeleteKV2 marks the latest version as deleted.
func (v *Vault) DeleteKV2(ctx context.Context, mount, path string) error {
	return v.client.KVv2(mount).Delete(ctx, path)
}

// UndeleteKV2 brings deleted versions back.
func (v *Vault) UndeleteKV2(ctx context.Context, mount, path string, versions ...int) error {
	return v.client.KVv2(mount).Undelete(ctx, path, versions)
}

// DestroyKV2 removes the data of versions for ever.
func (v *Vault) DestroyKV2(ctx context.Context, mount, path string, versions ...int) error {
	return v.client.KVv2(mount).Destroy(ctx, path, versions)
}

// ForgetKV2 removes a secret with its metadata, as if it had never been written.
func (v *Vault) ForgetKV2(ctx context.Context, mount, path string) error {
	return v.client.KVv2(mount).DeleteMetadata(ctx, path)
}

// WriteKV1 writes a secret of a KV engine of version 1.
func (v *Vault) WriteKV1(ctx context.Context, mount, path string, data map[string]any) error {
	return v.client.KVv1(mount).Put(ctx, path, data)
}

// DeleteKV1 removes a secret of a KV engine of version 1.
func (v *Vault) DeleteKV1(ctx context.Context, mount, path string) error {
	return v.client.KVv1(mount).Delete(ctx, path)
}

// TokenRole says which users a registrytokens engine leases.
type TokenRole struct {
	TTLSeconds    int      // defaults to 60
	MaxTTLSeconds int      // defaults to 300
	NotRenewable  bool     //
	Pull          []string // prefixes of the repositories that its users may pull
}

// MountRegistryTokens mounts an engine that leases users. With a registry, each user is made there at issue and deleted
// at revocation; the registry is called at its admin address, so Vault must reach that.
func (v *Vault) MountRegistryTokens(ctx context.Context, mount string, registry *Registry) error {
	if err := v.client.Sys().MountWithContext(ctx, mount, &api.MountInput{Type: "registrytokens"}); err != nil {
		return err
	}
	if registry == nil {
		return nil
	}
	return v.write(ctx, mount+"/config", map[string]any{"admin_address": registry.Admin})
}

// SetTokenRole makes a role: creds/<name> then leases users, issue/<name> does so for a POST with a label, token/<name> gives out
// tokens without a lease, and static-creds/<name> always the same user.
func (v *Vault) SetTokenRole(ctx context.Context, mount, name string, role TokenRole) error {
	data := map[string]any{"renewable": !role.NotRenewable, "pull": role.Pull}
	if role.TTLSeconds > 0 {
		data["ttl"] = role.TTLSeconds
	}
	if role.MaxTTLSeconds > 0 {
		data["max_ttl"] = role.MaxTTLSeconds
	}
	return v.write(ctx, mount+"/role/"+name, data)
}

// RotateStatic gives the user of static-creds/<name> another password.
func (v *Vault) RotateStatic(ctx context.Context, mount, name string) error {
	return v.write(ctx, mount+"/rotate-role/"+name, map[string]any{})
}

// LeaseCount tells what a registrytokens engine has leased so far. A lease that ran out counts as revoked.
type LeaseCount struct {
	Issued               int      `json:"issued"`
	Outstanding          int      `json:"outstanding"`
	Revoked              int      `json:"revoked"`
	OutstandingUsernames []string `json:"outstanding_usernames"`
}

// Leases counts the leases of a registrytokens engine.
func (v *Vault) Leases(ctx context.Context, mount string) (LeaseCount, error) {
	var count LeaseCount
	secret, err := v.client.Logical().ReadWithContext(ctx, mount+"/leases")
	if err != nil {
		return count, err
	}
	if secret == nil {
		return count, fmt.Errorf("no registrytokens engine at %s", mount)
	}
	content, err := json.Marshal(secret.Data)
	if err != nil {
		return count, err
	}
	err = json.Unmarshal(content, &count)
	return count, err
}

// SetRateLimit limits requests to a path (a mount with its slash, or below one); the answer is then 429. Path "" is
// all of Vault.
func (v *Vault) SetRateLimit(ctx context.Context, name, path string, perSecond float64) error {
	return v.write(ctx, "sys/quotas/rate-limit/"+name, map[string]any{"path": path, "rate": perSecond})
}

// RemoveRateLimit lifts a rate limit.
func (v *Vault) RemoveRateLimit(ctx context.Context, name string) error {
	_, err := v.client.Logical().DeleteWithContext(ctx, "sys/quotas/rate-limit/"+name)
	return err
}

func (v *Vault) write(ctx context.Context, path string, data map[string]any) error {
	_, err := v.client.Logical().WriteWithContext(ctx, path, data)
	return err
}
