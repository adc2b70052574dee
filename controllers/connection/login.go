package connection

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// State is what a check learnt of a connection, beside whether it can be used.
type State struct {
	// ServerVersion as the server reports it, empty where it does not answer.
	ServerVersion string
	// Method is the login method that the object names.
	Method string
	// LoginTime is when the login in use was made, zero where there is none.
	LoginTime time.Time
	// TokenEnds is when a token ends that only a person can replace. Zero where it does not, and where that is not known.
	TokenEnds time.Time
	// NextLogin is when the next login is tried, zero where none was refused.
	NextLogin time.Time
}

// writeLogin puts what was learnt of the login into a status. What is not known while the connection cannot be used stays as it was: the
// token can live still. Times are whole seconds, as the API server keeps them: else each look would find a change.
func (s State) writeLogin(status *v1alpha1.VaultConnectionStatus, usable bool) {
	status.Method = s.Method
	if !s.LoginTime.IsZero() {
		status.LoginTime = wholeSeconds(s.LoginTime)
	}
	if usable {
		status.TokenExpireTime, status.NextLoginTime = wholeSeconds(s.TokenEnds), nil
		return
	}
	status.NextLoginTime = wholeSeconds(s.NextLogin)
}

func wholeSeconds(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}
