package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// registryTokens is a secrets engine of the kind that registries' plugins are: it leases user names and passwords.
// Given the admin address of the box's registry it makes each user there and deletes it when the lease is revoked.
//
//	config          write admin_address: URL of the registry's admin API; without it users exist in Vault only
//	role/<name>     write ttl, max_ttl, renewable, pull (repository prefixes)
//	creds/<name>    read  username, password, under a lease
//	issue/<name>    write label, ttl: username, password, label, under a lease; a read is refused (as Docker Hub's engine does)
//	token/<name>    read  token, token_ttl, expires_at_seconds, without a lease (as Google's engine does)
//	static-creds/<name>  read  username, password, last_vault_rotation, rotation_period, ttl, without a lease (as Vault's database engine)
//	rotate-role/<name>   write gives the user of static-creds another password
//	leases          read  issued, outstanding, revoked, and outstanding_usernames
type registryTokens struct {
	*framework.Backend
}

const leaseType = "registry_user"

// A tokenRole is how a role is stored.
type tokenRole struct {
	TTL       time.Duration
	MaxTTL    time.Duration
	Renewable bool
	Pull      []string
}

// A leasedUser is how an issued user is stored. It stays after its revocation, so that tests can count.
type leasedUser struct {
	Revoked bool
}

func newRegistryTokens(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	b := &registryTokens{}
	b.Backend = &framework.Backend{
		BackendType: logical.TypeLogical,
		Help:        "Leases users of the box's registry.",
		Paths:       b.paths(),
		Secrets: []*framework.Secret{{
			Type: leaseType,
			Fields: map[string]*framework.FieldSchema{
				"username": {Type: framework.TypeString},
				"password": {Type: framework.TypeString},
			},
			Renew:  b.renew,
			Revoke: b.revoke,
		}},
	}
	return b, b.Setup(ctx, config)
}

func (b *registryTokens) issue(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	role, err := load[tokenRole](ctx, req.Storage, "role/"+name)
	if err != nil || role == nil {
		return nil, err
	}
	return b.lease(ctx, req, name, role)
}

// issueLabelled is what engines do that make a credential for a POST alone.
func (b *registryTokens) issueLabelled(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, label := data.Get("name").(string), data.Get("label").(string)
	role, err := load[tokenRole](ctx, req.Storage, "role/"+name)
	if err != nil || role == nil {
		return nil, err
	}
	if label == "" {
		return logical.ErrorResponse("a label is required"), nil
	}
	if ttl, given := data.GetOk("ttl"); given {
		role.TTL = time.Duration(ttl.(int)) * time.Second
	}
	response, err := b.lease(ctx, req, name, role)
	if err == nil {
		response.Data["label"] = label
	}
	return response, err
}

// lease makes a user for as long as a role says.
func (b *registryTokens) lease(ctx context.Context, req *logical.Request, name string, role *tokenRole) (*logical.Response, error) {
	username, password := fmt.Sprintf("robot-%s-%s", name, randomHex(4)), randomHex(16)
	admin, err := registryAdminOf(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	if err := admin.putUser(ctx, username, password, role.Pull); err != nil {
		return nil, err
	}
	if err := store(ctx, req.Storage, "lease/"+username, leasedUser{}); err != nil {
		return nil, err
	}
	response := b.Secret(leaseType).Response(
		map[string]any{"username": username, "password": password},
		map[string]any{"username": username, "role": name},
	)
	response.Secret.TTL, response.Secret.MaxTTL = role.TTL, role.MaxTTL
	response.Secret.Renewable = role.Renewable
	return response, nil
}

func (b *registryTokens) renew(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	name, _ := req.Secret.InternalData["role"].(string)
	role, err := load[tokenRole](ctx, req.Storage, "role/"+name)
	if err != nil {
		return nil, err
	}
	if role == nil {
		return logical.ErrorResponse("the role %q is gone", name), nil
	}
	response := &logical.Response{Secret: req.Secret}
	response.Secret.TTL, response.Secret.MaxTTL = role.TTL, role.MaxTTL
	return response, nil
}

func (b *registryTokens) revoke(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	username, _ := req.Secret.InternalData["username"].(string)
	admin, err := registryAdminOf(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	if err := admin.deleteUser(ctx, username); err != nil {
		return nil, err
	}
	return nil, store(ctx, req.Storage, "lease/"+username, leasedUser{Revoked: true})
}

// token imitates engines whose answer carries its own expiry in the data and no lease.
func (b *registryTokens) token(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	role, err := load[tokenRole](ctx, req.Storage, "role/"+data.Get("name").(string))
	if err != nil || role == nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		"token":              "ya29." + randomHex(16),
		"token_ttl":          int64(role.TTL.Seconds()),
		"expires_at_seconds": time.Now().Add(role.TTL).Unix(),
	}}, nil
}

func load[T any](ctx context.Context, storage logical.Storage, key string) (*T, error) {
	entry, err := storage.Get(ctx, key)
	if err != nil || entry == nil {
		return nil, err
	}
	value := new(T)
	return value, json.Unmarshal(entry.Value, value)
}

func store(ctx context.Context, storage logical.Storage, key string, value any) error {
	entry, err := logical.StorageEntryJSON(key, value)
	if err != nil {
		return err
	}
	return storage.Put(ctx, entry)
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}
