package credential

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// warnAhead is the longest time before its end that a credential is warned of.
const warnAhead = 7 * 24 * time.Hour

// warnAt is when people are told of the end of a credential: when a fifth of its lifetime is left, or seven days, whichever is
// later. Zero where the end is not known.
func warnAt(value *rotation.Value) time.Time {
	if value.ExpireTime.IsZero() {
		return time.Time{}
	}
	left := warnAhead
	if life := value.ExpireTime.Sub(value.Begins()); life > 0 && life/5 < left {
		left = life / 5
	}
	return value.ExpireTime.Add(-left)
}

// warnOfExpiry tells people once that a credential ends soon and who has to act. It returns when to look again, zero for never.
func (r *Reconciler) warnOfExpiry(run *run) time.Time {
	value := &run.state.Value
	at := warnAt(value)
	if at.IsZero() || run.memory.told.warned.Equal(value.ExpireTime) {
		return time.Time{}
	}
	if r.Now().Before(at) {
		return at
	}
	run.memory.told.warned = value.ExpireTime
	r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonExpiring, "Refresh", expiryMessage(value))
	return time.Time{}
}

func expiryMessage(value *rotation.Value) string {
	end := value.ExpireTime.UTC().Format(time.RFC3339)
	if value.Minted {
		return fmt.Sprintf("the credential in use ends at %s and no new one was obtained yet: regcred goes on asking its source; see CredentialAvailable", end)
	}
	return fmt.Sprintf("the credential in use ends at %s: somebody must store a new one at its source; regcred delivers it from there", end)
}
