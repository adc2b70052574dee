package diagnosis

import "time"

// Action is what is to be done about a pod.
type Action string

const (
	// Restart deletes the pod; its owner recreates it at no cost.
	Restart Action = "Restart"
	// Repull pins the image to its own digest, which makes the kubelet pull at once.
	Repull Action = "Repull"
	// Wait leaves the pod: something that continues automatically comes first.
	Wait Action = "Wait"
	// Report leaves the pod to a person and says what to do.
	Report Action = "Report"
	// None has nothing to do with the pod.
	None Action = "None"
)

// Reason is a stable name for why an action was chosen, fit for an event and a metric's label.
type Reason string

// Reasons for Restart and Repull.
const (
	// StaleCredential: the pod refers to the Secret, which changed after the pod was created.
	StaleCredential Reason = "StaleCredential"
	// MissingReference: the pod was created before its ServiceAccount named the Secret.
	MissingReference Reason = "MissingReference"
)

// Reasons for Wait.
const (
	KubeletRetries      Reason = "KubeletRetries"
	KubeletThrottled    Reason = "KubeletThrottled"
	RegistryUnreachable Reason = "RegistryUnreachable"
	RegistryFailing     Reason = "RegistryFailing"
	NotPublished        Reason = "NotPublished"
	SecretNotSynced     Reason = "SecretNotSynced"
	NotAttached         Reason = "NotAttached"
	AdmissionLag        Reason = "AdmissionLag"
	AskingRegistry      Reason = "AskingRegistry"
	// JudgingCredential: the registry is asked whether it takes the value at all, before anything is said of the pod's rights.
	JudgingCredential       Reason = "JudgingCredential"
	ReadingEvents           Reason = "ReadingEvents"
	BudgetUsed              Reason = "BudgetUsed"
	OrdinalInProgress       Reason = "OrdinalInProgress"
	OwnSecretBeingRewritten Reason = "OwnSecretBeingRewritten"
	// SuccessorUnknown: the API server did not say whether it takes the pod that would replace this one.
	SuccessorUnknown  Reason = "SuccessorUnknown"
	SecretUnread      Reason = "SecretUnread"
	CredentialsUnread Reason = "CredentialsUnread"
)

// Reasons for Report.
const (
	ImageNotFound    Reason = "ImageNotFound"
	InvalidImageName Reason = "InvalidImageName"
	ImageNeverPulled Reason = "ImageNeverPulled"
	PlatformMissing  Reason = "PlatformMissing"
	RateLimited      Reason = "RateLimited"
	TLSFailed        Reason = "TLSFailed"
	UnknownCause     Reason = "UnknownCause"
	MirrorRefuses    Reason = "MirrorRefuses"
	// TooLarge: the pod or its Secret is larger than what is looked at.
	TooLarge             Reason = "TooLarge"
	MalformedSecret      Reason = "MalformedSecret"
	NoCredential         Reason = "NoCredential"
	CredentialRejected   Reason = "CredentialRejected"
	PullDenied           Reason = "PullDenied"
	Unproven             Reason = "Unproven"
	CredentialDidNotHelp Reason = "CredentialDidNotHelp"
	SecretNotOurs        Reason = "SecretNotOurs"
	RegistryTaken        Reason = "RegistryTaken"
	TimeInFuture         Reason = "TimeInFuture"
	Shadowed             Reason = "Shadowed"
	OwnPullSecrets       Reason = "OwnPullSecrets"
	AccountNotServed     Reason = "AccountNotServed"
	AttachmentFails      Reason = "AttachmentFails"
	ReferenceNotAdded    Reason = "ReferenceNotAdded"
	JobPod               Reason = "JobPod"
	BarePod              Reason = "BarePod"
	StaticPod            Reason = "StaticPod"
	OwnerUnknown         Reason = "OwnerUnknown"
	OwnerGone            Reason = "OwnerGone"
	ContainerRuns        Reason = "ContainerRuns"
	ReportOnly           Reason = "ReportOnly"
	ActionForbidden      Reason = "ActionForbidden"
	// SuccessorRefused: the API server would refuse the pod that would replace this one.
	SuccessorRefused Reason = "SuccessorRefused"
)

// Reasons for None.
const (
	NotStuck           Reason = "NotStuck"
	PodGone            Reason = "PodGone"
	OptedOut           Reason = "OptedOut"
	RecoveryOff        Reason = "RecoveryOff"
	ProtectedNamespace Reason = "ProtectedNamespace"
)

// Verdict is what is to be done about a pod, and why.
type Verdict struct {
	Action Action
	Reason Reason
	// Message says what happened, Advice what a person can do about it. Advice is empty where nobody need do anything.
	Message, Advice string
	// RecheckAfter is when the pod should be looked at again though nothing was seen to change. Zero: not needed.
	RecheckAfter time.Duration
	// Findings are what is behind each failing pull.
	Findings []Finding
	// Pins are the containers to pin. Set for Repull.
	Pins []Pin
	// Change is when the credential or the reference changed that the action answers to. Set for Restart and Repull.
	Change time.Time
	// RepullRefused says that a repull would be the cure, and that the role does not allow to patch pods.
	RepullRefused bool
	// NeedsEvents asks for [Facts.PullEvents], and Questions for [Facts.Probes], and for a new verdict with them.
	NeedsEvents bool
	Questions   []Question
}

// Text is the message with the advice.
func (v Verdict) Text() string {
	if v.Advice == "" {
		return v.Message
	}
	return v.Message + ". What you can do: " + v.Advice
}

// Pin is an image to be pinned to its own digest.
type Pin struct {
	Container string
	// Image as it is in the pod, and Pinned with the digest added.
	Image, Pinned string
}

// Credentials are the RegistryCredentials for whose registries the pod is stuck, each once.
func (v Verdict) Credentials() []string {
	var names []string
	seen := map[string]bool{}
	for _, finding := range v.Findings {
		if finding.Credential != "" && !seen[finding.Credential] {
			seen[finding.Credential] = true
			names = append(names, finding.Credential)
		}
	}
	return names
}
