package diagnosis

import (
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
)

// Facts are everything that a verdict rests on.
type Facts struct {
	Now time.Time
	Pod *corev1.Pod
	// NamespaceAnnotations may hold the opt-out.
	NamespaceAnnotations map[string]string
	// Protected namespaces are served only where a RegistryCredential names them outright.
	Protected bool
	// Owners are the pod's controller, that one's controller and so on, as far as they could be read.
	Owners []Owner
	// Account is the pod's ServiceAccount.
	Account Account
	// Secrets by name: those that the pod refers to, and those that the RegistryCredentials write.
	Secrets map[string]Secret
	// Credentials are the RegistryCredentials that select the namespace.
	Credentials []Credential
	// Excluding are the RegistryCredentials that exclude the namespace by name. They are no credentials here, but who asks is told.
	Excluding []Excluding
	// CredentialsUnread says that RegistryCredentials may not be read.
	CredentialsUnread bool
	// PullEvents are the messages of the pod's events about failed pulls, the latest first. They are asked for only where the
	// status holds no cause: see [Verdict.NeedsEvents].
	PullEvents []string
	// EventsRead says that PullEvents were looked up, or cannot be.
	EventsRead bool
	// Probes are the answers to [Verdict.Questions].
	Probes map[Question]Probe
	// Onlooker says that the facts are those of somebody who only looks: the operator, who acts, can ask the registry.
	Onlooker bool
	// Repulled is the change for which the pod was repulled last, zero where it was not.
	Repulled time.Time
	// RestartedFor is the change for which a pod was restarted that this one replaces, zero where none is known to have been.
	RestartedFor time.Time
	// RepullForbidden says that the role does not allow to patch pods.
	RepullForbidden bool
}

// Owner is a controller in the chain above a pod.
type Owner struct {
	APIVersion, Kind, Name string
	Annotations            map[string]string
	// Chosen is true where people said that its kind recreates pods: see [OwnerKinds].
	Chosen bool
	// Unread is true where the owner could not be looked at.
	Unread bool
	// Gone is true where the owner does not exist any more or is being deleted.
	Gone bool
	// Template says what its pod template asks for. Nil where it was not looked at.
	Template *Template
}

// Template is what matters of an owner's pod template.
type Template struct {
	// PullSecrets that the template lists itself: its pods then inherit none from the ServiceAccount.
	PullSecrets []string
}

// Account is a ServiceAccount.
type Account struct {
	Name string
	// Unread is true where the account may not be read, Missing where it does not exist.
	Unread, Missing bool
	// PullSecrets in its imagePullSecrets.
	PullSecrets []string
	// Attached says when regcred added which Secret. Whole seconds.
	Attached map[string]time.Time
}

// NewAccount takes the facts from a ServiceAccount.
func NewAccount(account *corev1.ServiceAccount) Account {
	a := Account{Name: account.Name, Attached: map[string]time.Time{}}
	for _, ref := range atMost(account.ImagePullSecrets, maxAccountSecrets) {
		a.PullSecrets = append(a.PullSecrets, ref.Name)
	}
	recorded := map[string]metav1.Time{}
	if len(account.Annotations[v1alpha1.AttachedAnnotation]) > maxSources {
		return a
	}
	if json.Unmarshal([]byte(account.Annotations[v1alpha1.AttachedAnnotation]), &recorded) != nil {
		return a // an annotation that somebody broke records nothing
	}
	for name, when := range recorded {
		a.Attached[name] = when.Time
	}
	return a
}

// Secret is a pull Secret, without any of its values.
type Secret struct {
	// Unread is true where the Secret may not be read, Missing where it does not exist.
	Unread, Missing bool
	// Owner says whose it is.
	Owner pullsecret.Owner
	// Sources says which RegistryCredentials wrote which keys, and when.
	Sources pullsecret.Sources
	// Keys of all entries that a kubelet can read.
	Keys []string
	// TooLarge is true where the Secret is larger than what is looked at.
	TooLarge bool
	// Breaks says why a kubelet cannot read the Secret, which fails every pull of its pods. It holds no value of the Secret.
	Breaks string
	// Ignored is the type of a Secret that a kubelet passes over without a word, for it is of no type of pull Secret. Else empty.
	Ignored string
}

// NewSecret takes the facts from a Secret and leaves the values behind.
func NewSecret(secret *corev1.Secret) Secret {
	s := Secret{Owner: pullsecret.OwnerOf(secret)}
	size := len(secret.Data[corev1.DockerConfigJsonKey]) + len(secret.Data[corev1.DockerConfigKey])
	if size > maxSecretData || len(secret.Annotations[v1alpha1.SourcesAnnotation]) > maxSources {
		s.TooLarge = true
		return s
	}
	if s.Owner.Ours {
		s.Sources = pullsecret.SourcesOf(secret.Annotations)
	}
	data, read := readByKubelets(secret)
	if !read {
		s.Ignored = foreign.Name(string(secret.Type))
		return s
	}
	if dockerconfig.IsCrowded(data) {
		s.TooLarge = true
		return s
	}
	if err := dockerconfig.WouldBreakPulls(data); err != nil {
		s.Breaks = err.Error()
	}
	config, _ := dockerconfig.ParseLenient(data)
	if len(config) > maxEntries {
		s.TooLarge = true
		return s
	}
	for key := range config {
		s.Keys = append(s.Keys, cut(key, maxWord))
	}
	slices.Sort(s.Keys)
	return s
}

// NotHeld is a Secret of which no more than name and type is known, because its namespace has more than is kept in memory.
func NotHeld(secret *corev1.Secret) Secret {
	if _, read := readByKubelets(secret); !read {
		return Secret{Ignored: foreign.Name(string(secret.Type))}
	}
	return Secret{TooLarge: true}
}

// readByKubelets is the docker config that a kubelet reads: the type of a Secret says in which key it is. A Secret of another type is
// ignored, whatever it holds (pkg/credentialprovider/secrets).
func readByKubelets(secret *corev1.Secret) (config []byte, read bool) {
	switch secret.Type {
	case corev1.SecretTypeDockerConfigJson:
		return secret.Data[corev1.DockerConfigJsonKey], true
	case corev1.SecretTypeDockercfg:
		return dockerconfig.FromDockercfg(secret.Data[corev1.DockerConfigKey]), true
	}
	return nil, false
}

// Credential is a RegistryCredential that selects the namespace, and in what state its published value is.
type Credential struct {
	Name       string
	SecretName string
	// Accounts are the ServiceAccounts that get the Secret.
	Accounts []string
	// Attach says how pods come to name the Secret.
	Attach v1alpha1.AttachMode
	// InjectedSince is since when an admission policy adds the Secret to new pods. Whole seconds; zero where it does not, or is not known to.
	InjectedSince time.Time
	// InjectionProblem says why it does not, in the words of the status. Empty where it does.
	InjectionProblem string
	Mode             v1alpha1.PodRecoveryMode
	// Suspended is the same as RecoveryOff.
	Suspended bool
	// Repull allows to pin images.
	Repull bool
	// Published is false until there is a value. Unready is why the RegistryCredential is not Ready, in the words of its status.
	Published bool
	Unready   string
	Revision  string
	// Digest of registries and value together, as it is recorded in the Secret. Empty where it is not known.
	Digest string
	// ChangeTime is when it was published. It stands in for the time in the Secret where that may not be read.
	ChangeTime time.Time
	// Entries of the published value, or the registries of the spec where nothing is published or the value is not known.
	Entries []Entry
	// Provable says that the registry may be asked what the published value can pull.
	Provable bool
	// Judged says that the operator asks the registry whether it takes the value, when a pod gives reason to doubt it.
	Judged bool
	// SecretAlone says that no more is known of it than what its Secret tells: the object may not be read.
	SecretAlone bool
	// TakenBy names the older RegistryCredential that provides a registry of this one here. Empty where none does.
	TakenBy string
	// Problem says why the Secret or its attachment is not right in this namespace, in the words of the status. Empty where all
	// is right.
	Problem string
}

// Entry is one docker config key of a credential.
type Entry struct {
	Key string
	// Rejected says, in words, that the registry refuses the value. Empty where it does not.
	Rejected string
	// Accepted is when the registry last took the value. Zero where it did not, or is not known to.
	Accepted time.Time
	// Digests by image, as the registry gave them to this value when it was last tested.
	Digests map[string]string
}

// digestOf finds the digest of an image, however either is spelled.
func (e Entry) digestOf(image string) string {
	if digest, ok := e.Digests[image]; ok {
		return digest
	}
	for tested, digest := range e.Digests {
		if sameImage(tested, image) {
			return digest
		}
	}
	return ""
}

func sameImage(a, b string) bool {
	left, err := registry.ParseImage(a)
	right, _ := registry.ParseImage(b) // zero where it is no image, and no image is zero
	return err == nil && left == right
}

// Question asks the registry whether a credential can pull an image.
type Question struct {
	Credential, Key, Image string
}

// Access is the answer of a registry.
type Access string

const (
	// AccessAllowed: this credential pulls this image.
	AccessAllowed Access = "Allowed"
	// AccessDenied: the registry takes the credential and does not open the image for it.
	AccessDenied Access = "Denied"
	// AccessRefused: the registry does not take the credential at all.
	AccessRefused Access = "Refused"
	// AccessNotFound: the image does not exist, or the registry says so.
	AccessNotFound Access = "NotFound"
	// AccessUnknown: the registry could not be asked.
	AccessUnknown Access = "Unknown"
)

// Probe is the answer to a Question.
type Probe struct {
	Access Access
	// Digest of the image, or of its index. Empty where the registry did not say.
	Digest string
	// Message of the test, in words.
	Message string
}
