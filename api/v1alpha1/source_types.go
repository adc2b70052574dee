package v1alpha1

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

// ACRExchange holds the tenant, which spec.registries does not tell.
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
