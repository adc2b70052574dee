package v1alpha1

// Condition types. Ready sums the others up; Reconciling and Stalled are present only while they are true, as kstatus asks.
const (
	// ConditionReady is True when all is in order that the platform team answers for: the source, the registry, the spec, and
	// delivery as far as it lies with regcred. A namespace that cannot be served because of something in it does not make it False.
	ConditionReady = "Ready"
	// ConditionCredentialAvailable is True when the last read of the source gave a usable credential.
	ConditionCredentialAvailable = "CredentialAvailable"
	// ConditionVerified is True when the registry accepts the credential.
	ConditionVerified = "Verified"
	// ConditionSecretsSynced is True when the Secret is right in all selected namespaces.
	ConditionSecretsSynced = "SecretsSynced"
	// ConditionServiceAccountsAttached is True when all ServiceAccounts name the Secret.
	ConditionServiceAccountsAttached = "ServiceAccountsAttached"
	// ConditionUnusableForm is True while something in the source, in the spec or in a pull Secret is written in a form that a
	// kubelet can never use. It is present only while that is so, and takes nothing from Ready.
	ConditionUnusableForm = "UnusableForm"
	// ConditionRotationComplete is True when every namespace has the value in use and the value before is refused by its registry, or
	// ended. Then nothing depends on the old password any more.
	ConditionRotationComplete = "RotationComplete"
	// ConditionAttachmentUnavailable is True while spec.target.attach is Pods and the admission policy that it needs is not installed. It is
	// present only while that is so.
	ConditionAttachmentUnavailable = "AttachmentUnavailable"
	// ConditionUnfenced is True on a VaultConnection while the admission policies that bound the operator do not stand or cannot be asked
	// for, or its role is wider than its limits. It is present only while that is so.
	ConditionUnfenced = "Unfenced"
	// ConditionReconciling is True while something is unfinished and regcred goes on automatically as soon as it can. Some of its reasons ask for a
	// person all the same, such as NoNamespaces and Held.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while a person must act.
	ConditionStalled = "Stalled"
)

// Reasons of Ready, Reconciling and Stalled.
const (
	// ReasonSucceeded means that all is as the spec says.
	ReasonSucceeded = "Succeeded"
	// ReasonProgressing means that regcred is at work.
	ReasonProgressing = "Progressing"
	// ReasonSuspended means that spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonSecretNameNotAllowed means that the operator may not write Secrets of this name.
	ReasonSecretNameNotAllowed = "SecretNameNotAllowed"
	// ReasonServiceAccountNotAllowed means that the operator may not patch ServiceAccounts of this name.
	ReasonServiceAccountNotAllowed = "ServiceAccountNotAllowed"
	// ReasonRegistryTaken means that an older RegistryCredential already provides this registry under the same Secret name.
	ReasonRegistryTaken = "RegistryTaken"
	// ReasonInvalidSecretMetadata means that spec.target.secretLabels or secretAnnotations hold a key that is none, or that regcred does
	// not write. The others are written.
	ReasonInvalidSecretMetadata = "InvalidSecretMetadata"
	// ReasonInvalidSelector means that the namespace selector does not parse.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonRemovalUnconfirmed means that the spec would take the credential from many namespaces, or from the last ones, and waits for confirmation.
	ReasonRemovalUnconfirmed = "RemovalUnconfirmed"
	// ReasonNoNamespaces means that the target selects no namespace.
	ReasonNoNamespaces = "NoNamespaces"
	// ReasonRecordNotKept means that the operator cannot write its record, without which it publishes nothing new.
	ReasonRecordNotKept = "RecordNotKept"
	// ReasonRecordNewer means that a newer version of the operator kept the record. This one changes nothing of the RegistryCredential.
	ReasonRecordNewer = "RecordNewer"
	// ReasonClusterUnavailable means that the API server could not be asked for what the status is made of.
	ReasonClusterUnavailable = "ClusterUnavailable"
	// ReasonDeleting means that the object is being deleted and its entries are being removed.
	ReasonDeleting = "Deleting"
)

// Reasons of CredentialAvailable, and of a VaultConnection's Ready.
const (
	// ReasonRead means that the source gave a usable credential.
	ReasonRead = "Read"
	// ReasonConnectionNotFound means that the VaultConnection does not exist.
	ReasonConnectionNotFound = "ConnectionNotFound"
	// ReasonConnectionRefused means that the VaultConnection must not be used as it is, such as an address that
	// --vault-addresses does not list.
	ReasonConnectionRefused = "ConnectionRefused"
	// ReasonPathNotAllowed means that pathPrefixes of the connection do not cover the path.
	ReasonPathNotAllowed = "PathNotAllowed"
	// ReasonLoginFailed means that Vault refused the login.
	ReasonLoginFailed = "LoginFailed"
	// ReasonPermissionDenied means that the policy in Vault does not allow the read.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonSecretNotFound means that nothing was ever written at the path.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretDeleted means that the newest version at the path is deleted or destroyed.
	ReasonSecretDeleted = "SecretDeleted"
	// ReasonMountNotFound means that no secrets engine is mounted there.
	ReasonMountNotFound = "MountNotFound"
	// ReasonWrongEngine means that the mount is of another kind than spec.source.vault.engine says.
	ReasonWrongEngine = "WrongEngine"
	// ReasonKeyMissing means that the secret lacks a key that the spec names.
	ReasonKeyMissing = "KeyMissing"
	// ReasonMalformed means that the value cannot be used as a registry credential.
	ReasonMalformed = "Malformed"
	// ReasonRegistryMissing means that a docker config in the source lacks a registry that the spec lists.
	ReasonRegistryMissing = "RegistryMissing"
	// ReasonSealed means that Vault is sealed.
	ReasonSealed = "Sealed"
	// ReasonProxyFailed means that the proxy of the VaultConnection did not connect to the server, so that Vault said nothing.
	ReasonProxyFailed = "ProxyFailed"
	// ReasonUnavailable means that Vault did not answer, or answered that it cannot now.
	ReasonUnavailable = "Unavailable"
	// ReasonRateLimited means that Vault asked for fewer requests.
	ReasonRateLimited = "RateLimited"
	// ReasonTLSFailed means that the server's certificate was not accepted.
	ReasonTLSFailed = "TLSFailed"
	// ReasonNamespacesUnsupported means that the server knows no namespaces, though the connection names one.
	ReasonNamespacesUnsupported = "NamespacesUnsupported"
	// ReasonBadRequest means that Vault called the request wrong.
	ReasonBadRequest = "BadRequest"
	// ReasonExchangeRefused means that the cloud refuses to trade what Vault gave for a login at its registry.
	ReasonExchangeRefused = "ExchangeRefused"
	// ReasonExchangeUnavailable means that the cloud did not answer that, or not with a login.
	ReasonExchangeUnavailable = "ExchangeUnavailable"
	// ReasonPoliciesMissing means that the API server would let the operator do what an admission policy of config/admission must
	// refuse, or that a webhook or another policy refuses the question before ours is asked. It is the reason of Unfenced.
	ReasonPoliciesMissing = "PoliciesMissing"
	// ReasonConnected means that the last login at Vault succeeded.
	ReasonConnected = "Connected"
)

// Reasons of Verified.
const (
	// ReasonAccepted means that the registry let the credential pull.
	ReasonAccepted = "Accepted"
	// ReasonLoginAccepted means that the registry accepts the login, and that no pull was tested.
	ReasonLoginAccepted = "LoginAccepted"
	// ReasonRejected means that the registry refused a new value, which is therefore not published.
	ReasonRejected = "Rejected"
	// ReasonNoLongerAccepted means that the registry refuses the credential that is in use.
	ReasonNoLongerAccepted = "NoLongerAccepted"
	// ReasonUnproven means that the credential is in use though the registry did not say whether it accepts it. It is one of RotationComplete,
	// too: the value before may be the only one that works, and must not be revoked yet.
	ReasonUnproven = "Unproven"
	// ReasonHeld means that a new value is held back until the registry accepts it or spec.verification.holdSeconds is over.
	ReasonHeld = "Held"
	// ReasonPublished is the reason of an event: a new value is in use.
	ReasonPublished = "Published"
	// ReasonDelivered is that of an event: every selected namespace has a revision that came into use.
	ReasonDelivered = "Delivered"
	// ReasonRemoved is that of an event: namespaces lost the credential, because they are not selected any more or the object is deleted.
	ReasonRemoved = "Removed"
	// ReasonRestored is the reason of an event: the registry refuses a new value and accepts the one before, which is in use again.
	ReasonRestored = "Restored"
	// ReasonStaleAnswer is the reason of an event: the source gives a value that is older than the one in use.
	ReasonStaleAnswer = "StaleAnswer"
	// ReasonExpiring is the reason of an event: the credential ends soon.
	ReasonExpiring = "Expiring"
	// ReasonPodsCured is an event: pods that were stuck without the credential were restarted or pull again.
	ReasonPodsCured = "PodsCured"
	// ReasonPodsAtRisk is the reason of an event: pods run whose images nothing in their namespace can pull any more.
	ReasonPodsAtRisk = "PodsAtRisk"
	// ReasonLeaseNotRevoked is the reason of an event: the lease of a replaced credential could not be given back, and is not tried again.
	ReasonLeaseNotRevoked = "LeaseNotRevoked"
	// ReasonVerificationOff means that spec.verification.mode is Disabled.
	ReasonVerificationOff = "VerificationOff"
)

// Reasons of RotationComplete. ReasonNothingPublished, ReasonUnproven and ReasonNoNamespaces are, too.
const (
	// ReasonFirstValue means that no value was in use before.
	ReasonFirstValue = "FirstValue"
	// ReasonOldRefused means that the registry refuses the value before.
	ReasonOldRefused = "OldRefused"
	// ReasonOldEnded means that the value before has ended: it expired, or its lease was given back.
	ReasonOldEnded = "OldEnded"
	// ReasonOldAccepted means that the registry still accepts the value before, and that it may be revoked now.
	ReasonOldAccepted = "OldAccepted"
	// ReasonOldUnknown means that it is not known whether the registry still accepts the value before. It may be revoked now.
	ReasonOldUnknown = "OldUnknown"
	// ReasonDelivering means that namespaces still have the value before: it must not be revoked yet.
	ReasonDelivering = "Delivering"
)

// Reasons of SecretsSynced and ServiceAccountsAttached, and of single namespaces in status.namespaces.failures.
const (
	// ReasonSpecNotInUse means that the Secrets have the value in use, which was read for an earlier spec.
	ReasonSpecNotInUse = "SpecNotInUse"
	// ReasonSynced means that all Secrets are right.
	ReasonSynced = "Synced"
	// ReasonAttached means that all ServiceAccounts name the Secret.
	ReasonAttached = "Attached"
	// ReasonNoServiceAccounts means that spec.target.serviceAccounts is an empty list.
	ReasonNoServiceAccounts = "NoServiceAccounts"
	// ReasonAttachedToPods means that spec.target.attach is Pods, and that the admission policy adds the Secret to pods as they are created.
	ReasonAttachedToPods = "AttachedToPods"
	// ReasonInjectionMissing means that spec.target.attach is Pods, and that the admission policy regcred-injection is not installed, or is
	// not the one that this version brings. It is a reason of Ready and of AttachmentUnavailable, too.
	ReasonInjectionMissing = "InjectionMissing"
	// ReasonServiceAccountApplied means that another field manager applies imagePullSecrets of a ServiceAccount, and would meet a
	// conflict if regcred wrote them. regcred does not.
	ReasonServiceAccountApplied = "ServiceAccountApplied"
	// ReasonEndsAnonymousPulls means that the Secret is attached and holds a Docker Hub credential: pods of these ServiceAccounts
	// never pull from there anonymously again.
	ReasonEndsAnonymousPulls = "EndsAnonymousPulls"
	// ReasonSecretMissing means that namespaces have no Secret that could be attached.
	ReasonSecretMissing = "SecretMissing"
	// ReasonNothingPublished means that there is no credential to write yet.
	ReasonNothingPublished = "NothingPublished"
	// ReasonForeignSecret means that a Secret of this name belongs to somebody else.
	ReasonForeignSecret = "ForeignSecret"
	// ReasonSecretFull means that a Secret or its annotation has no room for the entries of this RegistryCredential: older ones
	// fill it.
	ReasonSecretFull = "SecretFull"
	// ReasonContested means that somebody else keeps reverting what regcred writes.
	ReasonContested = "Contested"
	// ReasonForbidden means that the API server refused the write by RBAC or an admission policy.
	ReasonForbidden = "Forbidden"
	// ReasonQuotaExceeded means that a ResourceQuota refused the write.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonWriteRefused means that the API server refused the write for another reason.
	ReasonWriteRefused = "WriteRefused"
	// ReasonWriteFailed means that the write failed and is tried again.
	ReasonWriteFailed = "WriteFailed"
	// ReasonServiceAccountNotFound means that a ServiceAccount does not exist; it is served when it comes.
	ReasonServiceAccountNotFound = "ServiceAccountNotFound"
	// ReasonNamespaceNotFound means that a namespace in spec.target.namespaces does not exist; it is served when it comes.
	ReasonNamespaceNotFound = "NamespaceNotFound"
	// ReasonNamespaceTerminating means that a selected namespace is being deleted. It does not count: nothing is written there.
	ReasonNamespaceTerminating = "NamespaceTerminating"
	// ReasonProtected means that the operator's admission policy protects this namespace.
	ReasonProtected = "Protected"
)

// Reasons of UnusableForm: what is wrong with an entry of a docker config, or with a registry of the spec. Malformed is one, too.
const (
	// ReasonDockerHubKey means a name of Docker Hub that a kubelet does not know.
	ReasonDockerHubKey = "DockerHubKey"
	// ReasonVersionWithoutSlash means a host with /v1 or /v2 behind it, which a kubelet takes for a part of the image's path.
	ReasonVersionWithoutSlash = "VersionWithoutSlash"
	// ReasonMisleadingWildcard means a wildcard that is meant for several labels or for a path, and stands for part of one label.
	ReasonMisleadingWildcard = "MisleadingWildcard"
	// ReasonLetterCaseDiffers means that images in use differ from a registry by upper case letters; a kubelet compares letter by letter.
	ReasonLetterCaseDiffers = "LetterCaseDiffers"
	// ReasonInvalidPort means that the port is no port.
	ReasonInvalidPort = "InvalidPort"
	// ReasonPortMissing means that images in use have a port that the registry lacks; a kubelet takes the two for different hosts.
	ReasonPortMissing = "PortMissing"
	// ReasonPortDiffers means that images in use have another port than the registry, or none; a kubelet takes the two for different hosts.
	ReasonPortDiffers = "PortDiffers"
	// ReasonOtherName means that images in use have another host of the same service than a registry, such as registry-1.docker.io for
	// docker.io; a kubelet takes the two for different registries.
	ReasonOtherName = "OtherName"
	// ReasonUnmatchable means that no image reference can match the key.
	ReasonUnmatchable = "Unmatchable"
	// ReasonEmptyKey means that the key names no registry.
	ReasonEmptyKey = "EmptyKey"
	// ReasonShadowed means that another key is used instead for every image.
	ReasonShadowed = "Shadowed"
	// ReasonTrailingNewline means that a password ends in a line break, which registries answer with 401.
	ReasonTrailingNewline = "TrailingNewline"
	// ReasonTokenOnly means an identity token or registry token without a password; a kubelet ignores tokens.
	ReasonTokenOnly = "TokenOnly"
	// ReasonIncomplete means that user name or password is missing or empty.
	ReasonIncomplete = "Incomplete"
	// ReasonConflictingLogin means that auth differs from user name or password; a kubelet takes auth.
	ReasonConflictingLogin = "ConflictingLogin"
	// ReasonUnusableCharacters means control characters, no UTF-8, a colon in the user name, or more than 64 KiB.
	ReasonUnusableCharacters = "UnusableCharacters"
	// ReasonDuplicateKey means that a JSON key occurs twice; a kubelet takes the last.
	ReasonDuplicateKey = "DuplicateKey"
	// ReasonLegacyFormat means that entries are not under "auths", where a kubelet looks for them.
	ReasonLegacyFormat = "LegacyFormat"
	// ReasonCredentialStore means credsStore or credHelpers; a kubelet runs no such program.
	ReasonCredentialStore = "CredentialStore"
	// ReasonUnreadableEnd means that a field of the source looks like the end of the credential and cannot be read.
	ReasonUnreadableEnd = "UnreadableEnd"
	// ReasonHiddenCharacter means a character in user name or password that cannot be seen, such as a byte order mark.
	ReasonHiddenCharacter = "HiddenCharacter"
	// ReasonPlaceholder means a user name or password such as ${PASSWORD} or <password>, which no template replaced.
	ReasonPlaceholder = "Placeholder"
	// ReasonQuotesOrEscapes means quotes around user name or password, or an escape of a shell, of JSON, of HTML or of URLs in it.
	ReasonQuotesOrEscapes = "QuotesOrEscapes"
	// ReasonSurroundingSpace means a space before or after user name or password.
	ReasonSurroundingSpace = "SurroundingSpace"
	// ReasonTooLarge means that the docker config is larger than a Secret can be.
	ReasonTooLarge = "TooLarge"
	// ReasonNoEntries means that the docker config has no entry.
	ReasonNoEntries = "NoEntries"
)
