package verify

import "time"

// Outcome is the answer to the question whether a credential works.
type Outcome string

// The three outcomes. Whether a denied pull counts against the credential is for the caller to decide: see
// [PullDenied].
const (
	Valid    Outcome = "Valid"
	Rejected Outcome = "Rejected"
	Unknown  Outcome = "Unknown"
)

// Step is the request of a test that decided its result.
type Step string

const (
	// StepNone means that the registry was not asked at all.
	StepNone Step = ""
	// StepPing is the question without credential how the registry wants to be authenticated.
	StepPing Step = "Ping"
	// StepBasic is GET /v2/ with the credential.
	StepBasic Step = "Basic"
	// StepToken is the request to the token endpoint.
	StepToken Step = "Token"
	// StepHead is the HEAD of the manifest.
	StepHead Step = "Head"
)

// Reason says why a test ended as it did. It decides the [Outcome].
type Reason string

// Reasons for Valid.
const (
	// LoginAccepted: the registry took the credential. A token endpoint that takes anything cannot be told from one
	// that checks, unless its token says so (see [LoginUnproven]): only a pull tells.
	LoginAccepted Reason = "LoginAccepted"
	// PullAllowed: the registry took the credential and showed the manifest.
	PullAllowed Reason = "PullAllowed"
)

// Reasons for Rejected.
const (
	// LoginFailed: the registry refuses the credential itself, whatever it is used for.
	LoginFailed Reason = "LoginFailed"
	// PullDenied: the credential was not refused, but it does not open this image. The image may belong to another
	// credential, so that this alone says nothing bad about an image that nobody named.
	PullDenied Reason = "PullDenied"
)

// Reasons for Unknown.
const (
	// LoginUnproven: no answer depended on the credential, because the registry asks for none or takes us for anonymous.
	LoginUnproven Reason = "LoginUnproven"
	// ImageNotFound: 404 for the manifest. Some registries say so where they mean denied.
	ImageNotFound Reason = "ImageNotFound"
	// RateLimited: 429. See [Result.RetryAfter].
	RateLimited Reason = "RateLimited"
	// RegistryError: an answer that is of no use, such as 5xx or garbage.
	RegistryError Reason = "RegistryError"
	// Unreachable: no connection, or one that broke.
	Unreachable Reason = "Unreachable"
	// TLSFailed: a certificate that is not trusted, TLS older than 1.2, or no TLS at all.
	TLSFailed Reason = "TLSFailed"
	// Timeout: no complete answer in [Options.Timeout], or in the time that the caller's context leaves.
	Timeout Reason = "Timeout"
	// Canceled: the caller ended the test.
	Canceled Reason = "Canceled"
	// RedirectRefused: an answer that leads to another origin.
	RedirectRefused Reason = "RedirectRefused"
	// TokenRealmRefused: the registry names a token endpoint that must not be asked.
	TokenRealmRefused Reason = "TokenRealmRefused"
	// AddressRefused: the registry is at an address that must not be dialled.
	AddressRefused Reason = "AddressRefused"
	// ProxyFailed: the proxy on the way did not connect. The registry was not asked, whatever status the proxy gave.
	ProxyFailed Reason = "ProxyFailed"
	// NotTestable: key, image and credential do not make a test.
	NotTestable Reason = "NotTestable"
)

// Outcome returns what the reason amounts to.
func (r Reason) Outcome() Outcome {
	switch r {
	case LoginAccepted, PullAllowed:
		return Valid
	case LoginFailed, PullDenied:
		return Rejected
	default:
		return Unknown
	}
}

// Result is what a test found out. It holds nothing secret and may be shown to anybody.
type Result struct {
	// Registry is host[:port], in the spelling of image references. It is empty where the key names none.
	Registry string
	// Image is the reference as it was given, and empty for a login.
	Image   string
	Outcome Outcome
	Reason  Reason
	Step    Step
	// StatusCode is the HTTP status that decided, or 0 where there was no answer.
	StatusCode int
	// RetryAfter is how long the registry asks to be left alone: between 0 and [MaxRetryAfter], 0 where it does not say.
	RetryAfter time.Duration
	// BeforeImage is true for what was answered before an image was named: it holds for every image of the registry.
	BeforeImage bool
	// Digest is that of the manifest or index behind the reference, such as "sha256:…". It can be empty even for a
	// Valid pull, because not every registry sends it.
	Digest string
	// Message says what happened, where, and what to do next.
	Message string
}
