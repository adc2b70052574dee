package server

import (
	"maps"
	"slices"

	azure "github.com/hashicorp/vault-plugin-auth-azure"
	gcp "github.com/hashicorp/vault-plugin-auth-gcp/plugin"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	aws "github.com/hashicorp/vault/builtin/credential/aws"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/builtin/credential/userpass"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// The core adds what it brings itself: token, system, identity and cubbyhole.
var (
	secretsEngines = map[string]logical.Factory{
		"kv":             kv.Factory,
		"registrytokens": newRegistryTokens,
	}
	authMethods = map[string]logical.Factory{
		"approle":    approle.Factory,
		"aws":        aws.Factory,
		"azure":      azure.Factory,
		"cert":       cert.Factory,
		"gcp":        gcp.Factory,
		"jwt":        jwt.Factory,
		"kubernetes": kubernetes.Factory,
		"userpass":   userpass.Factory,
	}
)

// withEngines are the secrets engines of all versions, and those that one version brings.
func withEngines(more map[string]logical.Factory) map[string]logical.Factory {
	all := maps.Clone(secretsEngines)
	maps.Copy(all, more)
	return all
}

// catalogue is the plugin catalogue's view of the engines: all are linked in, none is deprecated.
type catalogue struct {
	secrets map[string]logical.Factory
}

func (c catalogue) factories(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeSecrets:
		return c.secrets
	case consts.PluginTypeCredential:
		return authMethods
	default:
		return nil
	}
}

func (c catalogue) Contains(name string, kind consts.PluginType) bool {
	_, found := c.factories(kind)[name]
	return found
}

func (c catalogue) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, found := c.factories(kind)[name]
	return func() (any, error) { return factory, nil }, found
}

func (c catalogue) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range c.factories(kind) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c catalogue) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, c.Contains(name, kind)
}

func (catalogue) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
