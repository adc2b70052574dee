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
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Failed",type=integer,priority=1,JSONPath=`.status.namespaces.failed`
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
//
// An image is compared with a registry as a kubelet does, as far as a rule can: a name without a host is one of Docker Hub, "*"
// stands for a part of one label, and a path is a prefix. Paths below Docker Hub, a wildcard or /v1 and /v2 are not compared.
//
// +kubebuilder:validation:XValidation:rule="!has(self.verification) || !has(self.verification.images) || self.verification.images.all(i, self.registries.exists(r, !i.matches('^([^/]*[.:A-Z][^/]*|localhost)/') || i.matches('^(index[.]|registry-1[.])?docker[.]io/') ? r.contains('*') || r.matches('^((index[.]|registry-1[.])?docker[.]io|hub[.]docker[.]com)(/|$)') : r.contains('*') ? i.matches('^' + r.split('/')[0].replace('.', '[.]').replace('*', '[^.:/]*') + '/') : i.startsWith(r.contains('/') && !r.matches('^[^/]*/v[12](/|$)') ? r : r.split('/')[0] + '/')))",message="an image of verification.images belongs to none of the registries, so this credential is never used for it: list its registry, written as in the image, or take the image out"
// +kubebuilder:validation:XValidation:rule="!has(self.source.vault) || !has(self.source.vault.exchange) || !has(self.source.vault.exchange.ecr) || self.registries.all(r, r.matches('^((([0-9]{12}|[*])[.]dkr[.-]ecr(-fips)?[.][a-z0-9-]+([.][a-z-]+)+)|public[.]ecr[.]aws|ecr-public[.]aws[.]com)(/|$)'))",message="exchange.ecr gives logins at Amazon ECR: list hosts such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws, and others in a RegistryCredential of their own"
// +kubebuilder:validation:XValidation:rule="!has(self.source.vault) || !has(self.source.vault.exchange) || !has(self.source.vault.exchange.acr) || self.registries.all(r, r.matches('^[a-z0-9-]+[.]azurecr[.](io|cn|us)(/|$)'))",message="exchange.acr gives logins at registries of Azure: list hosts such as company.azurecr.io, and others in a RegistryCredential of their own"
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

	// podRecovery says what happens to pods that are stuck because they lacked this credential.
	// +optional
	PodRecovery *PodRecovery `json:"podRecovery,omitempty"`

	// deletionPolicy says what becomes of the entries in the cluster when this object is deleted. Retain leaves them and needs no
	// finalizer; Delete removes them first. Defaults to Retain.
	// +optional
	// +kubebuilder:validation:Enum=Retain;Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Registry is host[:port][/path], without a scheme. Upper case letters in the host are kept: a kubelet compares letter by letter.
//
// What is refused is what no image reference can match: see reference.ParseNormalizedNamed of github.com/distribution/reference.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!self.contains('://')",message="a registry is host[:port][/path], without a scheme such as https://"
// +kubebuilder:validation:XValidation:rule="self.contains('://') || self.matches('^([[][0-9a-fA-F:]+[]]|[A-Za-z0-9*]([A-Za-z0-9*-]*[A-Za-z0-9*])?([.][A-Za-z0-9*]([A-Za-z0-9*-]*[A-Za-z0-9*])?)*)(:|/|$)')",message="a registry begins with a host such as registry.company.io: letters, digits, '-' and '*', with single dots between, and no dot at the end"
// +kubebuilder:validation:XValidation:rule="self.contains('://') || self.matches('^([[][^]]*[]])?[^/:]*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/|$)')",message="the port is a number from 1 to 65535"
// +kubebuilder:validation:XValidation:rule="self.contains('://') || self.matches('^[^/]*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*/?$')",message="the path of a registry is written as in images: lower case letters and digits, with '.', '_' or '-' between them, and no wildcard"
// +kubebuilder:validation:XValidation:rule="self.matches('^([^/]*[.:A-Z]|localhost(/|$))')",message="a kubelet takes a name without a dot or a port for a user of Docker Hub: write the whole host, such as registry.company.io or nexus:8082, or docker.io/ and the user"
// +kubebuilder:validation:XValidation:rule="!self.startsWith('[') || self.matches('^[[][^]]*[]]:')",message="an IPv6 address needs its port, as in [::1]:5000: a kubelet matches none without"
// +kubebuilder:validation:XValidation:rule="!self.matches('^hub[.]docker[.]com/.')",message="hub.docker.com is the website of Docker Hub: write docker.io/ and the user or organisation"
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
//
// +kubebuilder:validation:XValidation:rule="!has(self.username) || !has(self.keys) || !(has(self.keys.username) || has(self.keys.auth) || has(self.keys.dockerConfig))",message="username is the user name itself, and keys.username, keys.auth and keys.dockerConfig say where it is kept: leave username out, or set keys.password alone"
// +kubebuilder:validation:XValidation:rule="(has(self.engine) && self.engine != 'KVv2') || !self.path.startsWith('data/')",message="the path of a KV v2 secret is written without data/, which regcred adds: leave it out, or set engine to what the mount is"
// +kubebuilder:validation:XValidation:rule="!has(self.request) || (has(self.engine) && self.engine == 'Dynamic')",message="request is for engines that make credentials: set engine to Dynamic, or leave request out"
// +kubebuilder:validation:XValidation:rule="!has(self.exchange) || !(has(self.username) || has(self.keys))",message="exchange reads what the engines of Vault give and makes user name and password: leave username and keys out"
// +kubebuilder:validation:XValidation:rule="!has(self.engine) || self.engine == 'KVv2' || !self.path.split('/').exists(s, s in ['sys', 'auth', 'identity', 'cubbyhole'])",message="but for KVv2, no segment of a path is sys, auth, identity or cubbyhole: where those before are namespaces, these are Vault's own"
type VaultSource struct {
	// connection names the VaultConnection to read through. Defaults to "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="connection is the name of a VaultConnection: lower case letters, digits, '-' and '.'"
	Connection string `json:"connection,omitempty"`

	// mount is where the secrets engine is mounted, such as secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="a mount has no empty, '.' or '..' segment and no leading or trailing slash"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#%*+\\\\\\\\[:cntrl:]]')",message="a mount holds none of ? # % * + \\ and no control character"
	// +kubebuilder:validation:XValidation:rule="!self.split('/').exists(s, s in ['sys', 'auth', 'identity', 'cubbyhole'])",message="sys, auth, identity and cubbyhole are Vault's own, also below a namespace: a registry credential is not read from there"
	Mount string `json:"mount"`

	// path is the path of the secret below the mount, without data/.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="a path has no empty, '.' or '..' segment and no leading or trailing slash"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[?#%*+\\\\\\\\[:cntrl:]]')",message="a path holds none of ? # % * + \\ and no control character"
	// +kubebuilder:validation:XValidation:rule="!(self.split('/')[0] in ['sys', 'auth', 'identity', 'cubbyhole'])",message="a path below a mount does not begin with sys, auth, identity or cubbyhole: where the mount is a namespace, these are Vault's own"
	Path string `json:"path"`

	// engine is the kind of the secrets engine. Defaults to KVv2.
	// +optional
	// +kubebuilder:validation:Enum=KVv2;KVv1;Dynamic
	Engine Engine `json:"engine,omitempty"`

	// request says how an engine that makes credentials is asked, where a plain read does not do. Defaults to GET without parameters.
	// +optional
	Request *VaultRequest `json:"request,omitempty"`

	// exchange trades what Vault gives for a login at a registry of a cloud.
	// +optional
	Exchange *VaultExchange `json:"exchange,omitempty"`

	// username is the user name itself, for credentials that keep only a password or token in Vault: oauth2accesstoken, AWS,
	// _json_key, 00000000-0000-0000-0000-000000000000. It goes with keys.password.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.matches('[:[:cntrl:]]')",message="a user name holds no colon and no control character"
	Username string `json:"username,omitempty"`

	// keys names the keys of the secret. Defaults to username and password.
	// +optional
	Keys *VaultKeys `json:"keys,omitempty"`
}

// VaultMethod is how an engine is asked.
type VaultMethod string

const (
	// VaultGet reads.
	VaultGet VaultMethod = "GET"
	// VaultPost is for engines that make a credential for a POST alone. Vault takes it for an update of the path.
	VaultPost VaultMethod = "POST"
)

// VaultRequest says how an engine that makes credentials is asked.
type VaultRequest struct {
	// method is GET or POST, as the engine's documentation says. The policy in Vault needs read for GET, and update for POST.
	// Defaults to GET.
	// +optional
	// +kubebuilder:validation:Enum=GET;POST
	Method VaultMethod `json:"method,omitempty"`
	// parameters are sent along, such as ttl or role_arn: in the query of a GET, in the JSON body of a POST. They hold no secret:
	// everybody who may read this object sees them.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}$'))",message="a parameter is named as the engine documents it: letters, digits, '_' and '-', at most 63"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k in ['list', 'scan', 'help', 'read_snapshot_id', 'recover_snapshot_id']))",message="list, scan, help and the IDs of snapshots have Vault do something else than make a credential: leave them out"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('(?i)(passw|passphrase|secret|private_?key|credential)|(^|[_-])(token|jwt)$'))",message="parameters hold no secret, because they can be read here: keep it in the engine's role or configuration"
	Parameters map[string]ParameterValue `json:"parameters,omitempty"`
}

// ParameterValue is the value of a parameter.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="the value of a parameter holds no control character"
type ParameterValue string

// VaultExchange says at which cloud what Vault gives is traded for a login. Exactly one member is set. Hosts and regions are those of
// spec.registries.
//
// +kubebuilder:validation:XValidation:rule="has(self.ecr) != has(self.acr)",message="exactly one exchange must be set: ecr or acr"
type VaultExchange struct {
	// ecr trades access_key and secret_key, and security_token or session_token where they are there, for a login at Amazon ECR. It
	// lasts twelve hours, and not longer than the lease of the keys.
	// +optional
	ECR *ECRExchange `json:"ecr,omitempty"`
	// acr trades client_id and client_secret of a service principal, or an access_token of Entra, for a login at registries of Azure. It
	// lasts three hours, and not longer than the lease.
	// +optional
	ACR *ACRExchange `json:"acr,omitempty"`
}

// ECRExchange has no fields: all that is needed is in spec.registries.
type ECRExchange struct{}

// ACRExchange says what is not in spec.registries.
type ACRExchange struct {
	// tenant of the service principal, by its GUID or one of its domains. Defaults to the key tenant_id of what Vault gives. An
	// access_token needs none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$')",message="a tenant is its GUID, or a domain such as company.onmicrosoft.com"
	Tenant string `json:"tenant,omitempty"`
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
	// VerifyDisabled tests nothing.
	VerifyDisabled VerificationMode = "Disabled"
)

// Verification says how the credential is tested at its registry.
//
// +kubebuilder:validation:XValidation:rule="!has(self.images) || self.images.size() == 0 || !has(self.mode) || self.mode == 'Pull'",message="images are asked for with mode Pull only: leave images out, or set mode to Pull"
type Verification struct {
	// mode is Pull (log in and ask for the manifest of an image), Login (log in only) or Disabled. Defaults to Pull.
	// +optional
	// +kubebuilder:validation:Enum=Pull;Login;Disabled
	Mode VerificationMode `json:"mode,omitempty"`
	// images that this credential must be able to pull. With none, up to three images in use in the target namespaces are
	// sampled for each registry.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9[][^[:space:][:cntrl:]]*$') && !self.contains('://')",message="an image is written as in a pod, such as registry.company.io/team/app:1, without a scheme and blanks"
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
// +kubebuilder:validation:XValidation:rule="!has(self.namespaces) || !has(self.excludedNamespaces) || self.namespaces.all(n, !(n in self.excludedNamespaces))",message="a namespace is both in namespaces and in excludedNamespaces: take it out of one of them"
type Target struct {
	// namespaces by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Namespaces []NamespaceName `json:"namespaces,omitempty"`
	// namespaceSelector selects namespaces by label, in addition to those named.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.size() <= 32",message="namespaceSelector.matchLabels has at most 32 entries: choose a label that stands for all of them"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() <= 32",message="namespaceSelector.matchExpressions has at most 32 entries: choose a label that stands for all of them"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="the operator of an expression is In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !(e.operator in ['In', 'NotIn']) || (has(e.values) && e.values.size() > 0))",message="In and NotIn need values: list them, or use Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !(e.operator in ['Exists', 'DoesNotExist']) || !has(e.values) || e.values.size() == 0)",message="Exists and DoesNotExist take no values: leave values out, or use In or NotIn"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !has(e.values) || e.values.size() <= 250)",message="an expression has at most 250 values: choose a label that stands for all of them"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// excludedNamespaces are never served; this wins over both.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	ExcludedNamespaces []NamespaceName `json:"excludedNamespaces,omitempty"`

	// secretName is the name of the pull Secret in each namespace. The operator's role must allow it. Defaults to "regcred".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="secretName is the name of a Secret: lower case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`

	// serviceAccounts get the pull Secret in their imagePullSecrets. An empty list attaches to none. Defaults to [default].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="a ServiceAccount has a name of lower case letters, digits, '-' and '.'"
	ServiceAccounts *[]string `json:"serviceAccounts,omitempty"`

	// existingSecrets says what to do where a Secret of that name exists and is not regcred's: Refuse it, or Adopt it where it
	// is hand-made. Defaults to Refuse.
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Adopt
	ExistingSecrets ExistingSecrets `json:"existingSecrets,omitempty"`

	// entryPer says under which key an entry is published: Registry (the registry as the spec lists it) or Host (the host of it). A kubelet
	// finds both. Flux, Helm and Kaniko look for the host alone; with Host, kubelets show the credential for every image of the host.
	// Defaults to Registry.
	// +optional
	// +kubebuilder:validation:Enum=Registry;Host
	EntryPer EntryPer `json:"entryPer,omitempty"`

	// secretLabels are put on the pull Secrets, for tools that find Secrets by label. Domains by which Kubernetes, regcred and tools know
	// what they manage are not taken. Where several RegistryCredentials share a Secret, the older one decides.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	SecretLabels map[string]LabelValue `json:"secretLabels,omitempty"`

	// secretAnnotations are put on the pull Secrets, under the same rules.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	SecretAnnotations map[string]AnnotationValue `json:"secretAnnotations,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="the value of a label has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=1024
type AnnotationValue string

// EntryPer says under which key an entry is published.
type EntryPer string

const (
	// EntryPerRegistry publishes an entry under each registry as the spec lists it.
	EntryPerRegistry EntryPer = "Registry"
	// EntryPerHost publishes one entry under the host of the registries.
	EntryPerHost EntryPer = "Host"
)

// NamespaceName is the name of a namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a namespace has a name of lower case letters, digits and '-'"
type NamespaceName string

// PodRecoveryMode says what happens to stuck pods.
type PodRecoveryMode string

const (
	// RecoveryRestart cures them.
	RecoveryRestart PodRecoveryMode = "Restart"
	// RecoveryReport says what it would do, and does nothing.
	RecoveryReport PodRecoveryMode = "Report"
	// RecoveryDisabled does not look at them.
	RecoveryDisabled PodRecoveryMode = "Disabled"
)

// PodRecovery says what happens to pods that are stuck because they lacked this credential.
type PodRecovery struct {
	// mode is Restart (delete the pod where its owner recreates it at no cost), Report (only say what would be done) or
	// Disabled. Defaults to Restart.
	// +optional
	// +kubebuilder:validation:Enum=Restart;Report;Disabled
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
