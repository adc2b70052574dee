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
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=integer,JSONPath=`.status.namespaces.synced`
// +kubebuilder:printcolumn:name="Selected",type=integer,JSONPath=`.status.namespaces.selected`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.credential.revision`
// +kubebuilder:printcolumn:name="Changed",type=date,JSONPath=`.status.credential.changeTime`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.credential.expireTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Failed",type=integer,priority=1,JSONPath=`.status.namespaces.failed`
// +kubebuilder:printcolumn:name="Stuck",type=integer,priority=1,JSONPath=`.status.pods.stuck`
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
// +kubebuilder:validation:XValidation:rule="!has(self.source.vault) || !has(self.source.vault.exchange) || !has(self.source.vault.exchange.acr) || self.registries.all(r, r.matches('^[a-z0-9-]+([.][a-z0-9]+[.]geo)?[.]azurecr[.](io|cn|us)(/|$)'))",message="exchange.acr gives logins at registries of Azure: list hosts such as company.azurecr.io, and others in a RegistryCredential of their own"
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
