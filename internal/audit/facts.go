package audit

import (
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/target"
)

// Facts are what is known of a cluster, as far as whoever asks may read it.
type Facts struct {
	Now        time.Time
	Workloads  []Workload
	Namespaces map[string]*Namespace
	// Credentials are the RegistryCredentials.
	Credentials []Credential
}

// Workload is what creates pods, or a pod that nothing creates.
type Workload struct {
	Namespace, Kind, Name string
	// Pods is how many it has.
	Pods int
	// Images are those of its template and of its pods, without repetitions.
	Images []string
	// Account is the ServiceAccount of its pods.
	Account string
	// Template says that PullSecrets are those of its template. Else they are those of a pod, which can come from the ServiceAccount.
	Template    bool
	PullSecrets []string
	// Never are the images that are never pulled (imagePullPolicy: Never).
	Never []string
}

// Namespace is what the pods of a namespace have in common.
type Namespace struct {
	Labels, Annotations map[string]string
	// Secrets are its pull Secrets by name. Those of other types are not known.
	Secrets map[string]diagnosis.Secret
	// SecretsUnread and AccountsUnread say that they may not be listed.
	SecretsUnread bool
	Accounts      map[string]diagnosis.Account
	// AccountsUnread says that ServiceAccounts may not be listed.
	AccountsUnread bool
}

// Credential is a RegistryCredential in the light of an audit.
type Credential struct {
	object   *v1alpha1.RegistryCredential
	selector target.Selector
	fault    error
	facts    diagnosis.Credential
	standing diagnosis.Standing
}

// CredentialOf takes the facts from an object. protected are the namespaces that are served by name alone.
func CredentialOf(object *v1alpha1.RegistryCredential, protected []string, now time.Time) Credential {
	c := Credential{object: object, facts: diagnosis.CredentialOf(object), standing: diagnosis.StandingOf(&object.Status, now)}
	c.selector, c.fault = target.New(&object.Spec.Target, protected)
	return c
}

// serves reports whether the RegistryCredential selects a namespace.
func (c *Credential) serves(name string, n *Namespace) bool {
	return c.fault == nil && c.selector.Selects(name, n.Labels)
}

func (c *Credential) ends() time.Time {
	if status := c.object.Status.Credential; status != nil && status.ExpireTime != nil {
		return status.ExpireTime.Time
	}
	return time.Time{}
}

func (c *Credential) revision() string {
	if c.object.Status.Credential == nil {
		return ""
	}
	return c.object.Status.Credential.Revision
}

// Result is what becomes of a pull on a node that does not have the image.
type Result string

// The results, those first that a person should look at.
const (
	// Fails: the pull fails.
	Fails Result = "Fails"
	// Unknown: what would decide may not be read.
	Unknown Result = "Unknown"
	// Unproven: a credential matches, and nobody is known to have tested it.
	Unproven Result = "Unproven"
	// Anonymous: no credential matches. Only public images can be pulled so.
	Anonymous Result = "Anonymous"
	// Accepted: a credential matches that the registry accepts.
	Accepted Result = "Accepted"
	// NotPulled: the image is never pulled, by its imagePullPolicy.
	NotPulled Result = "NotPulled"
)

var order = []Result{Fails, Unknown, Unproven, Anonymous, Accepted, NotPulled}

// Reason says why.
type Reason string

// Reasons for Fails.
const (
	// CredentialRejected: the registry refuses the value.
	CredentialRejected Reason = "CredentialRejected"
	// CredentialEnded: the value has expired.
	CredentialEnded Reason = "CredentialEnded"
	// NotReferenced: a RegistryCredential serves the image here, and a new pod would not name its Secret.
	NotReferenced Reason = "NotReferenced"
	// NotDelivered: a new pod would name the Secret, which does not have the entry.
	NotDelivered Reason = "NotDelivered"
	// MalformedSecret: a kubelet cannot read one of the pull Secrets, which fails every pull of the pod.
	MalformedSecret Reason = "MalformedSecret"
	// InvalidImage: the reference cannot be parsed.
	InvalidImage Reason = "InvalidImage"
)

// Reasons for the other results.
const (
	// SecretsUnread: the pull Secrets may not be read.
	SecretsUnread Reason = "SecretsUnread"
	// SecretTooLarge: a pull Secret is larger than what is looked at.
	SecretTooLarge Reason = "SecretTooLarge"
	// NotTested: it is a Secret of somebody else, or verification is off or gave no answer.
	NotTested Reason = "NotTested"
	// OlderValue: the Secret has a value that was in use before.
	OlderValue Reason = "OlderValue"
	// NoCredential: no pull Secret and no RegistryCredential has an entry for the registry.
	NoCredential Reason = "NoCredential"
	// SecretMissing: the same, and a pull Secret that the pod names does not exist.
	SecretMissing Reason = "SecretMissing"
	// LoginAccepted: the registry accepts the login. Whether this image may be pulled was not tested.
	LoginAccepted Reason = "LoginAccepted"
	// PullAccepted: the registry let the value pull an image.
	PullAccepted Reason = "PullAccepted"
	// PolicyNever: imagePullPolicy is Never.
	PolicyNever Reason = "PolicyNever"
)

// Row is one image of one workload. Its JSON form is stable. It holds no secret.
type Row struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Workload  string `json:"workload"`
	Pods      int    `json:"pods"`
	Image     string `json:"image"`
	Registry  string `json:"registry"`
	Result    Result `json:"result"`
	Reason    Reason `json:"reason"`
	// Credential is the RegistryCredential, empty where another's Secret can pull the image. Secret holds the value, Owner is whose it is.
	Credential string `json:"registryCredential,omitempty"`
	Secret     string `json:"secret,omitempty"`
	Owner      string `json:"owner,omitempty"`
	// From is how a new pod comes to name the Secret: "pod", "ServiceAccount NAME" or "policy".
	From string `json:"from,omitempty"`
	// Until is when the value ends, nil where that is not known.
	Until *time.Time `json:"until,omitempty"`
	// Message says what is wrong and what to do. Empty where nothing is.
	Message string `json:"message,omitempty"`
}
