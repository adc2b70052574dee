package server

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *registryTokens) paths() []*framework.Path {
	name := map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}}
	return []*framework.Path{
		path("config", logical.UpdateOperation, b.writeConfig, map[string]*framework.FieldSchema{
			"admin_address": {Type: framework.TypeString},
		}),
		path("role/"+framework.GenericNameRegex("name"), logical.UpdateOperation, b.writeRole, map[string]*framework.FieldSchema{
			"name":      {Type: framework.TypeString},
			"ttl":       {Type: framework.TypeDurationSecond, Default: 60},
			"max_ttl":   {Type: framework.TypeDurationSecond, Default: 300},
			"renewable": {Type: framework.TypeBool, Default: true},
			"pull":      {Type: framework.TypeCommaStringSlice},
		}),
		path("creds/"+framework.GenericNameRegex("name"), logical.ReadOperation, b.issue, name),
		path("issue/"+framework.GenericNameRegex("name"), logical.UpdateOperation, b.issueLabelled, map[string]*framework.FieldSchema{
			"name":  {Type: framework.TypeString},
			"label": {Type: framework.TypeString},
			"ttl":   {Type: framework.TypeDurationSecond},
		}),
		path("static-creds/"+framework.GenericNameRegex("name"), logical.ReadOperation, b.staticCreds, name),
		path("rotate-role/"+framework.GenericNameRegex("name"), logical.UpdateOperation, b.rotate, name),
		path("token/"+framework.GenericNameRegex("name"), logical.ReadOperation, b.token, name),
		path("leases", logical.ReadOperation, b.countLeases, nil),
	}
}

func path(pattern string, operation logical.Operation, callback framework.OperationFunc, fields map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:    pattern,
		Fields:     fields,
		Operations: map[logical.Operation]framework.OperationHandler{operation: &framework.PathOperation{Callback: callback}},
	}
}

func (b *registryTokens) writeConfig(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, store(ctx, req.Storage, "config", registryAdmin{Address: data.Get("admin_address").(string)})
}

func (b *registryTokens) writeRole(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, store(ctx, req.Storage, "role/"+data.Get("name").(string), tokenRole{
		TTL:       time.Duration(data.Get("ttl").(int)) * time.Second,
		MaxTTL:    time.Duration(data.Get("max_ttl").(int)) * time.Second,
		Renewable: data.Get("renewable").(bool),
		Pull:      data.Get("pull").([]string),
	})
}

func (b *registryTokens) countLeases(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	usernames, err := req.Storage.List(ctx, "lease/")
	if err != nil {
		return nil, err
	}
	outstanding := []string{}
	for _, username := range usernames {
		user, err := load[leasedUser](ctx, req.Storage, "lease/"+username)
		if err != nil {
			return nil, err
		}
		if user != nil && !user.Revoked {
			outstanding = append(outstanding, username)
		}
	}
	return &logical.Response{Data: map[string]any{
		"issued":                len(usernames),
		"outstanding":           len(outstanding),
		"revoked":               len(usernames) - len(outstanding),
		"outstanding_usernames": outstanding,
	}}, nil
}
