package exchange

import (
	"errors"
	"fmt"
	"time"
)

// Why there is no login, to be found with errors.Is.
var (
	// ErrInput means that the source gave nothing that can be traded.
	ErrInput = errors.New("the source gave nothing that can be exchanged")
	// ErrRegistry means that a registry of the spec is none of the cloud's.
	ErrRegistry = errors.New("a registry of the spec is none of this cloud's")
	// ErrRefused means that the cloud refuses.
	ErrRefused = errors.New("the cloud refuses the exchange")
	// ErrUnavailable means that the cloud did not answer, or not with a login.
	ErrUnavailable = errors.New("the cloud gave no login")
)

// Error is why there is no login: one of the reasons above, with words for people.
type Error struct {
	Reason error
	// Message says what happened and where. It holds nothing secret.
	Message string
	// RetryAfter is how long not to ask again. Zero leaves it to the caller.
	RetryAfter time.Duration
	// Err is the cause, nil where there is none.
	Err error
	// ofLogin says that it concerns the login that was shown, and no other.
	ofLogin bool
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives reason and cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

func fault(reason error, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
