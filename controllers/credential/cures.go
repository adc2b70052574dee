package credential

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// curesQuiet is how long no pod must be cured before people are told of those that were: a rotation ends with one event and not with one
	// for each pod. While others are still stuck, they are told after curesAtMost.
	curesQuiet, curesAtMost = 3 * time.Second, time.Minute
)

// cures are how many pods were cured as far as this process knows: seen, and told to people. first and last are when those that are not told
// yet were seen.
type cures struct {
	seen, told  int
	first, last time.Time
}

// tellOfCures tells people how many stuck pods were cured. It returns when to look again, zero for never.
func (r *Reconciler) tellOfCures(run *run, stuck int) time.Time {
	m, now, total := &run.memory.cures, r.Now(), r.Pods.Cured(run.object.Name)
	if total == m.told {
		return time.Time{}
	}
	if total != m.seen {
		if m.seen == m.told {
			m.first = now
		}
		m.seen, m.last = total, now
	}
	due := m.last.Add(curesQuiet)
	if stuck > 0 {
		due = m.first.Add(curesAtMost)
	}
	if now.Before(due) {
		return due
	}
	r.event(run.object, corev1.EventTypeNormal, v1alpha1.ReasonPodsCured, "Cure", curedMessage(total-m.told, stuck))
	m.told = total
	return time.Time{}
}

func curedMessage(cured, stuck int) string {
	message := fmt.Sprintf("%d stuck pods were cured: deleted, so that their owners create others, or pulled again", cured)
	if cured == 1 {
		message = "1 stuck pod was cured: deleted, so that its owner creates another, or pulled again"
	}
	if stuck > 0 {
		message += fmt.Sprintf("; still stuck: %d", stuck)
	}
	return message
}
