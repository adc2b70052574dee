package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// VaultConnection says how to reach a Vault or OpenBao server and how to log in there. Editing one equals holding the
// operator's Vault identity.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.serverVersion`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type VaultConnection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how to reach the server and log in.
	// +required
	Spec VaultConnectionSpec `json:"spec"`
	// status is what regcred last saw.
	// +optional
	Status VaultConnectionStatus `json:"status,omitempty"`
}

// VaultConnectionList is a list of VaultConnections.
//
// +kubebuilder:object:root=true
type VaultConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VaultConnection `json:"items"`
}

// VaultConnectionSpec says how to reach a server and how to log in.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !isURL(self.address) || url(self.address).getScheme() != 'http'",message="an http:// address has no TLS: write https://, or leave tls out"
type VaultConnectionSpec struct {
	// address of the server, such as https://vault.company.io:8200. The operator's flag --vault-addresses may limit it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="address is a URL such as https://vault.company.io:8200"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || (url(self).getEscapedPath() in ['', '/'] && size(url(self).getQuery()) == 0 && !self.contains('@') && !self.contains('#'))",message="address is scheme, host and port only: no path, query, fragment or user"
	Address string `json:"address"`

	// vaultNamespace is the namespace in Vault Enterprise, HCP Vault or OpenBao. A server without namespaces is refused.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="a namespace has no empty, '.' or '..' segment and no leading or trailing slash"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#%*+\\\\\\\\[:space:][:cntrl:]]')",message="a namespace holds none of ? # % * + \\, no blank and no control character"
	VaultNamespace string `json:"vaultNamespace,omitempty"`

	// tls says how the server proves who it is.
	// +optional
	TLS *VaultTLS `json:"tls,omitempty"`

	// proxy is the HTTP proxy on the way to the server, which is asked to connect to it (CONNECT). Proxies of the operator's environment
	// are not used.
	// +optional
	Proxy *VaultProxy `json:"proxy,omitempty"`

	// pathPrefixes, where given, are the only places that may be read through this connection, as mount/path with a slash at
	// the end, compared by segment. An empty list is refused, because it could be taken for "nothing" as well as for "everything".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=769
	// +kubebuilder:validation:XValidation:rule="self.size() > 0",message="pathPrefixes is empty: list what may be read, or leave the field out, which allows everything"
	// +kubebuilder:validation:items:XValidation:rule="self.endsWith('/')",message="a path prefix ends in /, such as secret/platform/"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^/|//|(^|/)[.][.]?/')",message="a path prefix has no empty, '.' or '..' segment and no leading slash: nothing lies below such a place"
	PathPrefixes []string `json:"pathPrefixes,omitempty"`

	// timeoutSeconds for one request. Defaults to 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=60
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`

	// requestsPerSecond limits what the operator asks of this server. Defaults to 20.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`

	// auth says how to log in. Exactly one member is set.
	// +required
	Auth VaultAuth `json:"auth"`
}

// VaultTLS says how the server proves who it is.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.caBundle) && has(self.caConfigMap))",message="set caBundle or caConfigMap, not both"
type VaultTLS struct {
	// caBundle holds PEM certificates that the server's certificate must chain to. Defaults to the system's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	CABundle string `json:"caBundle,omitempty"`
	// caConfigMap names a ConfigMap in the operator's namespace that holds the PEM certificates; it is read again when it changes.
	// +optional
	CAConfigMap *KeyReference `json:"caConfigMap,omitempty"`
	// serverName is the name in the server's certificate, where it is not the host of the address.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9])?$')",message="serverName is the host name or address in the certificate, such as vault.company.io"
	ServerName string `json:"serverName,omitempty"`
}

// VaultProxy is an HTTP proxy on the way to a server.
type VaultProxy struct {
	// url of the proxy, such as http://proxy.company.io:3128. Where the operator's flag --vault-addresses is set, it must list it, too.
	// A proxy with https:// proves who it is as spec.tls says of the server.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="the proxy's url is a URL such as http://proxy.company.io:3128"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || (url(self).getEscapedPath() in ['', '/'] && size(url(self).getQuery()) == 0 && !self.contains('@') && !self.contains('#'))",message="the proxy's url is scheme, host and port only: user name and password are kept in the Secret that secretName names"
	URL string `json:"url"`
	// secretName names a Secret of the operator's namespace with the keys username and password, labelled regcred.dev/proxy-auth: "true".
	// Without one, no login is sent to the proxy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="secretName is the name of a Secret: lower case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`
}

// KeyReference names a key of a Secret or ConfigMap in the operator's own namespace.
type KeyReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="a Secret or ConfigMap has a name of lower case letters, digits, '-' and '.'"
	Name string `json:"name"`
	// key within it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="a key is made of letters, digits, '-', '_' and '.'"
	Key string `json:"key"`
}

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
	// resource that the token is for, as in Vault's auth/azure/config. Better one of its own, such as api://vault, than
	// https://management.azure.com/: what Vault is shown then opens nothing else.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Resource string `json:"resource"`
}

// VaultConnectionStatus is what regcred last saw.
type VaultConnectionStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// serverVersion is the version that the server reports.
	// +optional
	ServerVersion string `json:"serverVersion,omitempty"`
}

// Timeout for one request. Defaults to 10 seconds.
func (s *VaultConnectionSpec) Timeout() time.Duration { return seconds(s.TimeoutSeconds, 10) }

// Rate is how many requests a second the operator sends at most. Defaults to 20.
func (s *VaultConnectionSpec) Rate() int {
	if s.RequestsPerSecond == nil {
		return 20
	}
	return int(*s.RequestsPerSecond)
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
