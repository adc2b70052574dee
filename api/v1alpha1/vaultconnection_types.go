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
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Method",type=string,JSONPath=`.status.method`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="Used By",type=integer,JSONPath=`.status.usedBy`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.serverVersion`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Logged In",type=date,priority=1,JSONPath=`.status.loginTime`
// +kubebuilder:printcolumn:name="Next Login",type=string,priority=1,JSONPath=`.status.nextLoginTime`
// +kubebuilder:printcolumn:name="Token Ends",type=string,priority=1,JSONPath=`.status.tokenExpireTime`
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

// VaultConnectionStatus is what regcred last saw.
type VaultConnectionStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, and Unfenced where the admission policies that limit the operator are not in force.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// serverVersion is the version that the server reports.
	// +optional
	ServerVersion string `json:"serverVersion,omitempty"`
	// method is the login method of the spec, such as kubernetes.
	// +optional
	Method string `json:"method,omitempty"`
	// usedBy is how many RegistryCredentials name this connection.
	// +optional
	UsedBy *int32 `json:"usedBy,omitempty"`
	// loginTime is when the last login succeeded. That its token was renewed is no login, and is not written here.
	// +optional
	LoginTime *metav1.Time `json:"loginTime,omitempty"`
	// nextLoginTime is when the next login is tried. It is present while logins are refused.
	// +optional
	NextLoginTime *metav1.Time `json:"nextLoginTime,omitempty"`
	// tokenExpireTime is when the token of spec.auth.token ends and somebody must store another. It is absent where Vault does not say that, and
	// for the other methods: regcred logs in again before their tokens end.
	// +optional
	TokenExpireTime *metav1.Time `json:"tokenExpireTime,omitempty"`
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
