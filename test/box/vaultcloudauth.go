package box

import "context"

// AWSAuth is a mount of the aws auth method with one role, of type iam.
type AWSAuth struct {
	Mount        string // defaults to aws
	STSEndpoint  string // URL that Vault sends the signed requests to
	Region       string // of that endpoint
	ServerID     string // empty: no header is asked for
	Role         string
	PrincipalARN string
	Policies     []string
	TTLSeconds   int // of the Vault token; defaults to 3600
}

// EnableAWSAuth mounts the method where it is not mounted yet, and writes its configuration and the role.
func (v *Vault) EnableAWSAuth(ctx context.Context, a AWSAuth) error {
	mount, err := v.enableAuth(ctx, "aws", a.Mount)
	if err != nil {
		return err
	}
	config := map[string]any{"sts_endpoint": a.STSEndpoint, "sts_region": a.Region, "iam_server_id_header_value": a.ServerID}
	if err := v.write(ctx, mount+"/config/client", config); err != nil {
		return err
	}
	return v.write(ctx, mount+"/role/"+a.Role, map[string]any{
		"auth_type": "iam", "bound_iam_principal_arn": a.PrincipalARN, "resolve_aws_unique_ids": false,
		"token_policies": a.Policies, "token_ttl": orHour(a.TTLSeconds),
	})
}

// GCPAuth is a mount of the gcp auth method with one role, of type iam.
type GCPAuth struct {
	Mount          string // defaults to gcp
	Credentials    string // JSON with the key of a service account of Vault's own
	Role           string
	ServiceAccount string // e-mail
	Policies       []string
	TTLSeconds     int // of the Vault token; defaults to 3600
}

// EnableGCPAuth mounts the method where it is not mounted yet, and writes its configuration and the role.
func (v *Vault) EnableGCPAuth(ctx context.Context, g GCPAuth) error {
	mount, err := v.enableAuth(ctx, "gcp", g.Mount)
	if err != nil {
		return err
	}
	if err := v.write(ctx, mount+"/config", map[string]any{"credentials": g.Credentials}); err != nil {
		return err
	}
	return v.write(ctx, mount+"/role/"+g.Role, map[string]any{
		"type": "iam", "bound_service_accounts": g.ServiceAccount,
		"token_policies": g.Policies, "token_ttl": orHour(g.TTLSeconds),
	})
}

// AzureAuth is a mount of the azure auth method with one role, bound to a managed identity.
type AzureAuth struct {
	Mount      string // defaults to azure
	Tenant     string
	Resource   string // that tokens must be for
	Role       string
	Principal  string // object ID
	Policies   []string
	TTLSeconds int // of the Vault token; defaults to 3600
}

// EnableAzureAuth mounts the method where it is not mounted yet, and writes its configuration and the role.
func (v *Vault) EnableAzureAuth(ctx context.Context, a AzureAuth) error {
	mount, err := v.enableAuth(ctx, "azure", a.Mount)
	if err != nil {
		return err
	}
	if err := v.write(ctx, mount+"/config", map[string]any{"tenant_id": a.Tenant, "resource": a.Resource}); err != nil {
		return err
	}
	return v.write(ctx, mount+"/role/"+a.Role, map[string]any{
		"bound_service_principal_ids": a.Principal, "token_policies": a.Policies, "token_ttl": orHour(a.TTLSeconds),
	})
}
