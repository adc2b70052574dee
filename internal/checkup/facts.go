package checkup

import (
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Facts are what is known of an installation, as far as whoever asks may read it.
type Facts struct {
	// Namespace is that of the operator.
	Namespace string
	// Kinds are those of regcred.dev/v1alpha1 that the API server knows.
	Kinds []string
	// Missing are the fields of each kind that its CRD does not have.
	Missing Answer[map[string][]string]
	// ClockOff is by how much this machine's clock is ahead of the API server's. Whole seconds.
	ClockOff    Answer[time.Duration]
	Deployments Answer[[]Deployment]
	Lease       Answer[Lease]
	// Policies and Bindings are the ValidatingAdmissionPolicies of the cluster and what binds them, by name.
	Policies Answer[map[string]Policy]
	Bindings Answer[map[string]Binding]
	// Owners are the kinds of custom resources whose pods the operator is to restart.
	Owners      Answer[[]Owner]
	Connections Answer[[]v1alpha1.VaultConnection]
	Credentials Answer[[]v1alpha1.RegistryCredential]
	Injection   Answer[Injection]
	// Denied are the rights that the user lacks.
	Denied Answer[[]Right]
}

// Answer is something that was read, or why it was not.
type Answer[T any] struct {
	Value T
	// Error says why nothing is known, empty where something is.
	Error string
}

// Deployment is one of the operator.
type Deployment struct {
	Name              string
	Wanted, Available int32
	// Version is the one that its label tells, empty where it has none.
	Version string
	// Images are those of its containers, Flags what they are started with, as far as it can hold no secret, and Environment the names of
	// the variables that they have.
	Images, Flags, Environment []string
}

// Lease is what the operator's leader holds.
type Lease struct {
	// Exists is false where no leader was ever elected.
	Exists bool
	// Holder is the replica that leads, empty where it was given up.
	Holder string
	// Age is how long ago it was renewed by the API server's clock, Lasts after what time others may take it.
	Age, Lasts time.Duration
	// Renewed says that it changed while it was looked at, whatever clocks say.
	Renewed bool
}

// Policy is a ValidatingAdmissionPolicy.
type Policy struct {
	// Ignores says that requests pass where it cannot be evaluated.
	Ignores bool
	// Warnings are what the API server says about its expressions.
	Warnings []string
}

// Binding is a ValidatingAdmissionPolicyBinding.
type Binding struct {
	Policy string
	// Denies says that it refuses requests, and does not only warn or audit.
	Denies bool
}

// Owner is a kind of custom resources whose stuck pods the operator is to restart, because its limits list it.
type Owner struct {
	// Kind is group/Kind.
	Kind string
	// Served says that the API server knows the kind, Readable that a role lets the operator read its objects.
	Served, Readable bool
}

// Right is something that the user may not do, and what does not work without it.
type Right struct {
	// What is the right in words, such as "list RegistryCredentials", Without what does not work, and Role what grants it.
	What, Without, Role string
}

// Level is how grave a finding is.
type Level string

const (
	// OK: nothing is to be done.
	OK Level = "OK"
	// Unknown: it could not be found out.
	Unknown Level = "Unknown"
	// Warning: it works, and not as well as it could.
	Warning Level = "Warning"
	// Problem: something does not work until somebody acts.
	Problem Level = "Problem"
)

// Finding is what one check found.
type Finding struct {
	Check   string `json:"check"`
	Level   Level  `json:"level"`
	Message string `json:"message"`
	// Next is what to do, empty where nothing is.
	Next string `json:"next,omitempty"`
}
