package v1alpha1

// VaultAuth says how to log in. Exactly one member is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.kubernetes), has(self.jwt), has(self.appRole), has(self.token), has(self.cert), has(self.aws), has(self.gcp), has(self.azure)].filter(x, x).size() == 1",message="exactly one of kubernetes, jwt, appRole, token, cert, aws, gcp, azure must be set"
type VaultAuth struct {
	// kubernetes logs in with a fresh ServiceAccount token that Vault reviews at the API server.
	// +optional
	Kubernetes *ServiceAccountAuth `json:"kubernetes,omitempty"`
	// jwt logs in with a fresh ServiceAccount token that Vault checks against the issuer's keys. Needs no reviewer.
	// +optional
	JWT *ServiceAccountAuth `json:"jwt,omitempty"`
	// appRole logs in with a role ID and a secret ID.
	// +optional
	AppRole *AppRoleAuth `json:"appRole,omitempty"`
	// token uses a token from a Secret.
	// +optional
	Token *TokenAuth `json:"token,omitempty"`
	// cert logs in with a TLS client certificate.
	// +optional
	Cert *CertAuth `json:"cert,omitempty"`
	// aws logs in with the AWS identity of the operator's pod.
	// +optional
	AWS *AWSAuth `json:"aws,omitempty"`
	// gcp logs in as a Google Cloud service account for which the operator's pod may sign.
	// +optional
	GCP *GCPAuth `json:"gcp,omitempty"`
	// azure logs in with the managed identity of the operator's node.
	// +optional
	Azure *AzureAuth `json:"azure,omitempty"`
}

// ServiceAccountAuth logs in with a ServiceAccount token, requested for each login, bound to its own audience, valid for
// ten minutes.
type ServiceAccountAuth struct {
	// mount of the auth method. Defaults to "kubernetes" or "jwt".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// role in Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role"`
	// serviceAccountName is the ServiceAccount in the operator's namespace whose token is used. Defaults to "regcred-vault".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="a ServiceAccount has a name of lower case letters, digits, '-' and '.'"
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// audiences of the token. Defaults to [vault]. An empty list is refused: it would mean the API server's own.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.size() > 0",message="audiences is empty: list them, or leave the field out, which means [vault]"
	Audiences []string `json:"audiences,omitempty"`
}

// AppRoleAuth logs in with a role ID and a secret ID.
type AppRoleAuth struct {
	// mount of the auth method. Defaults to "approle".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// roleID is not a secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	RoleID string `json:"roleID"`
	// secretID is where the secret ID is kept, in a Secret of the operator's namespace.
	// +required
	SecretID KeyReference `json:"secretID"`
}

// TokenAuth uses a token from a Secret. It is renewed while that is possible.
type TokenAuth struct {
	// secret is where the token is kept, in a Secret of the operator's namespace.
	// +required
	Secret KeyReference `json:"secret"`
}

// CertAuth logs in with a TLS client certificate.
type CertAuth struct {
	// mount of the auth method. Defaults to "cert".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// role in Vault. Without one, Vault tries all that match the certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role,omitempty"`
	// secretName names a Secret of type kubernetes.io/tls in the operator's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="secretName is the name of a Secret: lower case letters, digits, '-' and '.'"
	SecretName string `json:"secretName"`
}

// AWSAuth logs in with a signed sts:GetCallerIdentity request, which Vault sends on to AWS to learn who signed it. The
// identity is the one that AWS gives the operator's pod: EKS Pod Identity, a role for its ServiceAccount (IRSA), or the
// variables AWS_*.
type AWSAuth struct {
	// mount of the auth method. Defaults to "aws".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// role in Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role"`
	// region of the STS endpoint that the request is signed for: the one of sts_endpoint in Vault. Defaults to us-east-1.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]+$')",message="a region is written as us-east-1"
	Region string `json:"region,omitempty"`
	// serverID is what Vault's iam_server_id_header_value says. With it, what one Vault is shown opens no other.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerID string `json:"serverID,omitempty"`
}

// GCPAuth logs in with a JWT that Google's IAM signs for a service account, valid for ten minutes. The operator's pod
// needs the right to have it signed, as with Workload Identity.
type GCPAuth struct {
	// mount of the auth method. Defaults to "gcp".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// role in Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role"`
	// serviceAccountEmail of the service account, such as regcred@project.iam.gserviceaccount.com.
	// +required
	// +kubebuilder:validation:MaxLength=320
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9.:_-]+@[a-z0-9.-]+$')",message="serviceAccountEmail is written as regcred@project.iam.gserviceaccount.com"
	ServiceAccountEmail string `json:"serviceAccountEmail"`
}

// AzureAuth logs in with an access token for the managed identity of the operator's node. The server must be listed in the
// operator's flag --vault-addresses.
type AzureAuth struct {
	// mount of the auth method. Defaults to "azure".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="a mount is made of letters, digits, '-' and '_', with '/' between segments"
	Mount string `json:"mount,omitempty"`
	// role in Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role"`
	// resource that the token is for, as in Vault's auth/azure/config. Use an application of its own, such as
	// api://vault, and not https://management.azure.com/: the token then opens nothing else.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Resource string `json:"resource"`
}

// AccountName is the ServiceAccount whose token is used. Defaults to "regcred-vault".
func (a *ServiceAccountAuth) AccountName() string {
	if a.ServiceAccountName == "" {
		return DefaultVaultServiceAccount
	}
	return a.ServiceAccountName
}

// TokenAudiences of the requested token. Defaults to [vault].
func (a *ServiceAccountAuth) TokenAudiences() []string {
	if len(a.Audiences) == 0 {
		return []string{"vault"}
	}
	return a.Audiences
}
