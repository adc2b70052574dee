package v1alpha1

// Names that regcred writes on other people's objects, and reads from them.
const (
	// ManagedLabel marks a Secret as regcred's own when its value is ManagedValue.
	ManagedLabel = "regcred.dev/managed"
	// ManagedValue is the value of ManagedLabel on regcred's Secrets.
	ManagedValue = "true"
	// ManagedByLabel is the label that Kubernetes recommends for the tool that manages an object. Helm and kustomize overwrite it,
	// so it is written for people to read and decides nothing, save that Secrets of earlier versions are recognised by it together
	// with SourcesAnnotation.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedByValue is the value of ManagedByLabel on regcred's Secrets.
	ManagedByValue = "regcred"

	// SourcesAnnotation on a pull Secret records, for each RegistryCredential, the revision, the docker config keys and the time
	// of the last change, as {"version":1,"sources":{...}}. It never holds a secret.
	SourcesAnnotation = "regcred.dev/sources"
	// AdoptedAnnotation with the value AdoptedValue marks a Secret that was there before regcred and that regcred took over. It is
	// emptied where nothing is left for it, and never deleted: an admission policy holds the operator to that.
	AdoptedAnnotation = "regcred.dev/adopted"
	// AdoptedValue is the value of AdoptedAnnotation that counts.
	AdoptedValue = "true"
	// AttachedAnnotation on a ServiceAccount records which pull Secrets regcred added to its imagePullSecrets, and when.
	AttachedAnnotation = "regcred.dev/attached"

	// AttachAnnotation with the value AttachDisabled on a pod or its namespace keeps the admission policy of attach: Pods from adding a
	// pull Secret to the pod.
	AttachAnnotation = "regcred.dev/attach"
	// AttachDisabled is the value of AttachAnnotation that opts out.
	AttachDisabled = "Disabled"

	// PodRecoveryAnnotation with the value PodRecoveryDisabled on a pod, its owner or its namespace keeps regcred from curing
	// the pod.
	PodRecoveryAnnotation = "regcred.dev/pod-recovery"
	// PodRecoveryDisabled is the value of PodRecoveryAnnotation that opts out.
	PodRecoveryDisabled = "Disabled"

	// RefreshRequestedAtAnnotation on a RegistryCredential asks for a read of its source now. Any new value counts; a time is
	// customary.
	RefreshRequestedAtAnnotation = "regcred.dev/refresh-requested-at"
	// ConfirmRemovalAnnotation on a RegistryCredential confirms that the credential may be taken from many namespaces at once, or from all. Its
	// value is the pending removal that is meant, status.pendingRemoval.id, so that it confirms no other and is used up by it.
	ConfirmRemovalAnnotation = "regcred.dev/confirm-removal"
	// PublishAnnotation on a RegistryCredential has a value published that is held because it is not proven. Its value is the
	// revision that is meant, so that it publishes no other.
	PublishAnnotation = "regcred.dev/publish-revision"

	// VaultAuthLabel with the value VaultAuthAllowed marks a Secret of the operator's namespace to which VaultConnections may
	// refer. Others are refused, so that whoever edits a connection cannot have any Secret sent to a server of their choice.
	VaultAuthLabel = "regcred.dev/vault-auth"
	// ProxyAuthLabel with the value VaultAuthAllowed marks a Secret of the operator's namespace that may be shown to a proxy as a login.
	// Whoever may set it decides that.
	ProxyAuthLabel = "regcred.dev/proxy-auth"
	// VaultAuthAllowed is the value of VaultAuthLabel and of ProxyAuthLabel that allows it.
	VaultAuthAllowed = "true"

	// Finalizer holds a RegistryCredential with deletionPolicy Delete until its entries are removed from all namespaces.
	Finalizer = "regcred.dev/remove-entries"

	// InjectionPolicy is the name of the MutatingAdmissionPolicy, and of its binding, that serve attach: Pods.
	InjectionPolicy = "regcred-injection"
	// InjectionIndexName is the name of the one InjectionIndex.
	InjectionIndexName = "regcred"

	// FieldManager names regcred in managedFields.
	FieldManager = "regcred"

	// DefaultSecretName is the name of the pull Secret where the spec names none.
	DefaultSecretName = "regcred"
	// DefaultServiceAccount is the ServiceAccount that gets the pull Secret where the spec names none.
	DefaultServiceAccount = "default"
	// DefaultVaultServiceAccount is the ServiceAccount of the operator's namespace that logs in to Vault where the spec names none.
	DefaultVaultServiceAccount = "regcred-vault"
	// DefaultConnection is the VaultConnection that is used where the spec names none.
	DefaultConnection = "default"
)
