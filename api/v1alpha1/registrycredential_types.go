package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RegistryCredential delivers one credential from Vault to many namespaces as an image pull secret.
//
// Creating one is the right to copy what the operator's Vault identity reads into other people's namespaces: it is
// cluster-scoped and belongs to the platform team.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=regcred
// +kubebuilder:selectablefield:JSONPath=`.spec.target.secretName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Synced",type=integer,JSONPath=`.status.namespaces.synced`
// +kubebuilder:printcolumn:name="Selected",type=integer,JSONPath=`.status.namespaces.selected`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.credential.revision`
// +kubebuilder:printcolumn:name="Changed",type=date,JSONPath=`.status.credential.changeTime`
// +kubebuilder:printcolumn:name="Expires",type=date,JSONPath=`.status.credential.expireTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name names a Secret and metrics of its own: at most 63 characters"
type RegistryCredential struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where the credential comes from and where it goes.
	// +required
	Spec RegistryCredentialSpec `json:"spec"`
	// status is what regcred last saw and did.
	// +optional
	Status RegistryCredentialStatus `json:"status,omitempty"`
}

// RegistryCredentialList is a list of RegistryCredentials.
//
// +kubebuilder:object:root=true
type RegistryCredentialList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RegistryCredential `json:"items"`
}

// RegistryCredentialSpec says where a credential comes from and where it goes.
type RegistryCredentialSpec struct {
	// registries are the hosts, or host/path prefixes, that this credential logs in to, such as registry.company.io,
	// registry.company.io:5000 or ghcr.io/company. Docker Hub is docker.io.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Registries []Registry `json:"registries"`

	// source says where the credential is read.
	// +required
	Source Source `json:"source"`

	// refreshPeriodSeconds is how often the source is read. Defaults to 60.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	RefreshPeriodSeconds *int32 `json:"refreshPeriodSeconds,omitempty"`

	// suspend stops reading and writing for this credential. What is in the cluster stays. Defaults to false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// verification says how the credential is tested at its registry before anything is written.
	// +optional
	Verification *Verification `json:"verification,omitempty"`

	// target says into which namespaces the credential goes.
	// +required
	Target Target `json:"target"`

	// podRecovery says what happens to pods that hang because they lacked this credential.
	// +optional
	PodRecovery *PodRecovery `json:"podRecovery,omitempty"`

	// deletionPolicy says what becomes of the entries in the cluster when this object is deleted. Retain leaves them and needs no
	// finalizer; Delete removes them first. Defaults to Retain.
	// +optional
	// +kubebuilder:validation:Enum=Retain;Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Registry is host[:port][/path], without a scheme.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!self.contains('://')",message="a registry is host[:port][/path], without a scheme such as https://"
// +kubebuilder:validation:XValidation:rule="self.contains('://') || self.matches('^[a-z0-9*]([a-z0-9*.-]*[a-z0-9*])?(:[0-9]{1,5})?(/[a-z0-9._/-]*)?$')",message="a registry is host[:port][/path] in lower case, such as registry.company.io:5000/team"
// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/]*:[0-9]{1,5}(/.*)?$') || (int(self.split('/')[0].split(':')[1]) >= 1 && int(self.split('/')[0].split(':')[1]) <= 65535)",message="the port is a number from 1 to 65535"
type Registry string

// Source says where a credential is read. Exactly one member is set.
//
// +kubebuilder:validation:XValidation:rule="has(self.vault)",message="exactly one source must be set: vault"
type Source struct {
	// vault reads the credential from Vault or OpenBao.
	// +optional
	Vault *VaultSource `json:"vault,omitempty"`
}

// Engine is a kind of secrets engine.
type Engine string

const (
	// EngineKVv2 is the versioned key-value engine.
	EngineKVv2 Engine = "KVv2"
	// EngineKVv1 is the key-value engine without versions.
	EngineKVv1 Engine = "KVv1"
	// EngineDynamic is any path that answers a read with data, and perhaps with a lease.
	EngineDynamic Engine = "Dynamic"
)

// VaultSource is a place in Vault.
type VaultSource struct {
	// connection names the VaultConnection to read through. Defaults to "default".
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Connection string `json:"connection,omitempty"`

	// mount is where the secrets engine is mounted, such as secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="a mount has no empty, '.' or '..' segment and no leading or trailing slash"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#%*+\\\\\\\\[:cntrl:]]')",message="a mount holds none of ? # % * + \\ and no control character"
	// +kubebuilder:validation:XValidation:rule="!(self.split('/')[0] in ['sys', 'auth', 'identity', 'cubbyhole'])",message="sys, auth, identity and cubbyhole are Vault's own: a registry credential is not read from there"
	Mount string `json:"mount"`

	// path is the path of the secret below the mount, without data/.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="a path has no empty, '.' or '..' segment and no leading or trailing slash"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#%*+\\\\\\\\[:cntrl:]]')",message="a path holds none of ? # % * + \\ and no control character"
	Path string `json:"path"`

	// engine is the kind of the secrets engine. Defaults to KVv2.
	// +optional
	// +kubebuilder:validation:Enum=KVv2;KVv1;Dynamic
	Engine Engine `json:"engine,omitempty"`

	// username is the user name itself, for credentials that keep only a password or token in Vault: oauth2accesstoken, AWS,
	// _json_key, 00000000-0000-0000-0000-000000000000. It goes with keys.password.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains(':')",message="a user name holds no colon"
	Username string `json:"username,omitempty"`

	// keys names the keys of the secret. Defaults to username and password.
	// +optional
	Keys *VaultKeys `json:"keys,omitempty"`
}

// VaultKeys names the keys of a secret that hold the credential: username and password, or auth, or dockerConfig.
//
// +kubebuilder:validation:XValidation:rule="[has(self.username) || has(self.password), has(self.auth), has(self.dockerConfig)].filter(x, x).size() <= 1",message="set one of: username and password, auth, dockerConfig"
type VaultKeys struct {
	// username is the key that holds the user name. Defaults to "username".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`
	// password is the key that holds the password or token. Defaults to "password".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Password string `json:"password,omitempty"`
	// auth is the key that holds base64(username:password).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Auth string `json:"auth,omitempty"`
	// dockerConfig is the key that holds a whole docker config: {"auths": {...}}.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	DockerConfig string `json:"dockerConfig,omitempty"`
}

// VerificationMode says how a credential is tested.
type VerificationMode string

const (
	// VerifyPull logs in and asks for the manifest of an image.
	VerifyPull VerificationMode = "Pull"
	// VerifyLogin logs in only.
	VerifyLogin VerificationMode = "Login"
	// VerifyOff tests nothing.
	VerifyOff VerificationMode = "Off"
)

// Verification says how the credential is tested at its registry.
type Verification struct {
	// mode is Pull (log in and ask for the manifest of an image), Login (log in only) or Off. Defaults to Pull.
	// +optional
	// +kubebuilder:validation:Enum=Pull;Login;Off
	Mode VerificationMode `json:"mode,omitempty"`
	// images that this credential must be able to pull. With none, up to three images in use in the target namespaces are
	// sampled for each registry.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Images []string `json:"images,omitempty"`
	// periodSeconds is how often the published credential is tested again. Defaults to 600.
	// +optional
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=86400
	PeriodSeconds *int32 `json:"periodSeconds,omitempty"`
	// holdSeconds is how long at most a new value that could neither be proven nor was rejected is held back. Defaults to 120.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	HoldSeconds *int32 `json:"holdSeconds,omitempty"`
}

// ExistingSecrets says what to do where a Secret of the wanted name is there already and is not regcred's.
type ExistingSecrets string

const (
	// ExistingRefuse leaves it and reports it.
	ExistingRefuse ExistingSecrets = "Refuse"
	// ExistingAdopt takes over a hand-made pull secret; what a tool manages is still refused.
	ExistingAdopt ExistingSecrets = "Adopt"
)

// Target says into which namespaces a credential goes, and under which name.
//
// +kubebuilder:validation:XValidation:rule="(has(self.namespaces) && self.namespaces.size() > 0) || has(self.namespaceSelector)",message="say which namespaces: set namespaces, namespaceSelector or both"
// +kubebuilder:validation:XValidation:rule="!has(self.namespaceSelector) || (has(self.namespaceSelector.matchLabels) && self.namespaceSelector.matchLabels.size() > 0) || (has(self.namespaceSelector.matchExpressions) && self.namespaceSelector.matchExpressions.size() > 0)",message="an empty selector would select every namespace; if that is meant, say so with matchExpressions [{key: kubernetes.io/metadata.name, operator: Exists}]"
type Target struct {
	// namespaces by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Namespaces []NamespaceName `json:"namespaces,omitempty"`
	// namespaceSelector selects namespaces by label, in addition to those named.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// excludedNamespaces are never served; this wins over both.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	ExcludedNamespaces []NamespaceName `json:"excludedNamespaces,omitempty"`

	// secretName is the name of the pull Secret in each namespace. The operator's role must allow it. Defaults to "regcred".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="not a valid Secret name: lower case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`

	// serviceAccounts get the pull Secret in their imagePullSecrets. An empty list attaches to none. Defaults to [default].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ServiceAccounts *[]string `json:"serviceAccounts,omitempty"`

	// existingSecrets says what to do where a Secret of that name exists and is not regcred's: Refuse it, or Adopt it where it
	// is hand-made. Defaults to Refuse.
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Adopt
	ExistingSecrets ExistingSecrets `json:"existingSecrets,omitempty"`
}

// NamespaceName is the name of a namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type NamespaceName string

// PodRecoveryMode says what happens to stuck pods.
type PodRecoveryMode string

const (
	// RecoveryRestart cures them.
	RecoveryRestart PodRecoveryMode = "Restart"
	// RecoveryReport says what it would do, and does nothing.
	RecoveryReport PodRecoveryMode = "Report"
	// RecoveryOff does not look at them.
	RecoveryOff PodRecoveryMode = "Off"
)

// PodRecovery says what happens to pods that hang because they lacked this credential.
type PodRecovery struct {
	// mode is Restart (delete the pod where its owner recreates it at no cost), Report (only say what would be done) or Off.
	// Defaults to Restart.
	// +optional
	// +kubebuilder:validation:Enum=Restart;Report;Off
	Mode PodRecoveryMode `json:"mode,omitempty"`
	// repull, where Enabled, pins the image of a stuck pod to its own digest, which makes the kubelet pull at once: the same pod
	// starts, nothing is restarted or counted, and pods of Jobs and bare pods are cured, too. It is done only with mode Restart,
	// and needs the right to patch pods. Defaults to Disabled.
	// +optional
	// +kubebuilder:validation:Enum=Enabled;Disabled
	Repull RepullMode `json:"repull,omitempty"`
}

// RepullMode says whether images of stuck pods may be pinned to their own digest.
type RepullMode string

const (
	// RepullEnabled allows it.
	RepullEnabled RepullMode = "Enabled"
	// RepullDisabled does not.
	RepullDisabled RepullMode = "Disabled"
)

// DeletionPolicy says what becomes of entries in the cluster when their RegistryCredential is deleted.
type DeletionPolicy string

const (
	// DeletionRetain leaves them.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete removes them.
	DeletionDelete DeletionPolicy = "Delete"
)
