package source

import (
	"errors"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Error says why a source gave nothing usable. No Error is a reason to change what is published.
type Error struct {
	// Reason is one of the reasons of CredentialAvailable in api/v1alpha1.
	Reason string
	// Message says in users' words what happened, where, and what to do next. It holds no secret and no response body.
	Message string
	// RetryAfter is when to ask again, counted from now, where the source knows. Zero leaves it to the caller.
	RetryAfter time.Duration
	// Stalled means that a person must act: asking more often than the refresh period is of no use.
	Stalled bool
	// Wasted means that the source made a credential for this read, which is of no use: each further read makes another.
	Wasted bool
	// Err is the cause, for errors.Is and for logs. It holds no secret and no response body either.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Stalled is an Error that a person must fix.
func Stalled(reason, message string) *Error {
	return &Error{Reason: reason, Message: message, Stalled: true}
}

// Transient is an Error that may pass on its own.
func Transient(reason, message string, cause error) *Error {
	return &Error{Reason: reason, Message: message, Err: cause}
}

// AsError finds the Error in err, or makes one of it that says the source is unavailable. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return Transient(v1alpha1.ReasonUnavailable, "the source could not be read and is asked again: "+err.Error(), err)
}
