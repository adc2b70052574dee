package verify

import (
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

// Verdict sums up what a registry said of a value.
type Verdict string

// The verdicts of an [Answer].
const (
	ValueAccepted Verdict = "Accepted"
	ValueRejected Verdict = "Rejected"
	ValueUnknown  Verdict = "Unknown"
)

// Proof says how a registry showed that it takes a value.
type Proof string

// The proofs of an [Answer].
const (
	ProvenByPull  Proof = "Pull"
	ProvenByLogin Proof = "Login"
)

const (
	// MaxImageLength is the longest image reference that is asked for: longer ones name no image that a registry could have.
	MaxImageLength = 512
	// MaxRetryAfter is how long at most a registry is left alone because it asked for that.
	MaxRetryAfter = 10 * time.Minute
	// messageLength bounds what an Answer says, in bytes.
	messageLength = 600
)

// Question asks whether a value works at one registry.
type Question struct {
	// Keys are the docker config keys of one registry under which the value is. A key with a wildcard can stand for several hosts.
	Keys       []string
	Credential dockerconfig.Credential
	// InUse is the value that is in use at the same registry. It is nil where there is none, where it is the same, or where it is known
	// to be refused. It is asked only where the answer about the value cannot be read without it.
	InUse *InUse
	// LoginOnly asks for no image.
	LoginOnly bool
	// Named are images that the value must be able to pull. Sampled are images in use, asked for where none is named.
	Named, Sampled []string
}

// InUse is a value that is in use, and its keys.
type InUse struct {
	Keys       []string
	Credential dockerconfig.Credential
}

// Answer is what a registry said of a value. It holds nothing secret and may be shown to anybody.
type Answer struct {
	Verdict Verdict
	// Proof is empty where nothing was proven.
	Proof Proof
	// Message says what happened, where, and what to do next.
	Message string
	// Digests of the images that were asked for, by image.
	Digests map[string]string
	// RetryAfter is how long the registry asks to be left alone: MaxRetryAfter at most, 0 where it does not say.
	RetryAfter time.Duration
	// InUse is what was said of the value in use, and InUseMessage in words. Empty where it was not asked.
	InUse        Verdict
	InUseMessage string
}
