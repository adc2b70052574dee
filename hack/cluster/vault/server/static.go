package server

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// A staticUser is how the user of a static role is stored: a read makes no other.
type staticUser struct {
	Username, Password string
	Rotated            time.Time
}

// staticCreds answers as the static roles of Vault's database and LDAP engines do. Nothing rotates on its own: rotate-role does, and ttl
// counts down to the role's TTL after the last rotation.
func (b *registryTokens) staticCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	role, err := load[tokenRole](ctx, req.Storage, "role/"+name)
	if err != nil || role == nil {
		return nil, err
	}
	user, err := load[staticUser](ctx, req.Storage, "static/"+name)
	if err == nil && user == nil {
		user, err = b.rotateUser(ctx, req.Storage, name, role)
	}
	if err != nil {
		return nil, err
	}
	left := max(time.Until(user.Rotated.Add(role.TTL)), 0)
	return &logical.Response{Data: map[string]any{
		"username": user.Username, "password": user.Password, "last_vault_rotation": user.Rotated,
		"rotation_period": role.TTL.Seconds(), "ttl": int64(left.Seconds()),
	}}, nil
}

func (b *registryTokens) rotate(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	role, err := load[tokenRole](ctx, req.Storage, "role/"+name)
	if err != nil || role == nil {
		return nil, err
	}
	_, err = b.rotateUser(ctx, req.Storage, name, role)
	return nil, err
}

// rotateUser gives the one user of a role another password, which ends the one before.
func (b *registryTokens) rotateUser(ctx context.Context, storage logical.Storage, name string, role *tokenRole) (*staticUser, error) {
	user := &staticUser{Username: fmt.Sprintf("static-%s", name), Password: randomHex(16), Rotated: time.Now().UTC()}
	admin, err := registryAdminOf(ctx, storage)
	if err != nil {
		return nil, err
	}
	if err := admin.putUser(ctx, user.Username, user.Password, role.Pull); err != nil {
		return nil, err
	}
	return user, store(ctx, storage, "static/"+name, user)
}
