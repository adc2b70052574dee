package diagnosis

import (
	"time"

	"regcred.dev/regcred/internal/pullerror"
)

// mayHaveMissed reports whether a pod that names the Secret may have been tried before the change though its time is not earlier, and how long
// it must still wait until its successor has a later time. Times have whole seconds, and a change is dated by the second in which its write
// began. A kubelet would try again ten seconds and more after its first attempt. Where it has done that by now, or where the pod replaces one
// that was restarted for the same change, the pod had it.
func mayHaveMissed(facts *Facts, change time.Time) (may bool, wait time.Duration) {
	created := facts.Pod.CreationTimestamp.Time
	retried := created.Add(time.Second + kubeletRetry)
	if !created.Before(change.Add(quickRetry)) || !facts.RestartedFor.Before(change) || !facts.Now.Before(retried) {
		return false, 0
	}
	return true, change.Add(quickRetry).Sub(facts.Now)
}

// kubeletLate: no credential was sent, though the Secret was there when the pod was created. A kubelet that has no copy of a Secret waits a second
// for one, and pulls without it then (pkg/kubelet/util/manager). Its next try has it.
func (f Finding) kubeletLate(facts *Facts) *Finding {
	next := facts.Pod.CreationTimestamp.Add(time.Second + kubeletRetry).Sub(facts.Now)
	if f.Class != pullerror.NoCredentials || next <= 0 {
		return nil
	}
	return f.as(Wait, KubeletRetries, "the kubelet pulled without the credential of Secret %s, which was there when the pod was created: it got the Secret too late, and tries again by %s at the latest",
		f.Secret, clock(facts.Now.Add(next))).again(next)
}
