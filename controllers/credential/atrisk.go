package credential

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/registry"
)

const (
	// countAgain is how often pods at risk are counted while the credential in use is refused.
	countAgain = time.Minute
	// namesInEvent is how many of them an event names.
	namesInEvent = 20
)

// Pods finds running pods that name a pull Secret and have an image that a predicate matches.
type Pods interface {
	Running(ctx context.Context, namespaces []string, secret string, matches func(image string) bool) (names []string, err error)
}

// atRisk counts, while the registry refuses the credential in use, the running pods that have it and whose images come from
// there. Nodes that hold such an image start it without asking; the pod fails when it lands on another node. One without the
// Secret pulls as it always did.
func (r *Reconciler) atRisk(ctx context.Context, run *run, f *statusFacts) (int, error) {
	m := run.memory
	if !run.record.Published() || f.verdict != records.Rejected {
		m.risk, m.riskTime = 0, time.Time{}
		return 0, nil
	}
	if !m.riskTime.IsZero() && r.Now().Sub(m.riskTime) < countAgain {
		return m.risk, nil
	}
	names, err := r.Running.Running(ctx, f.selected, run.object.Spec.Target.Name(), func(image string) bool {
		for key := range run.record.Config {
			if registry.Matches(key, image) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return 0, err
	}
	if len(names) > 0 && m.riskTime.IsZero() {
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonPodsAtRisk, "Verify", fmt.Sprintf(
			"%d running pods could not pull their image on another node: %s", len(names), strings.Join(names[:min(len(names), namesInEvent)], ", ")))
	}
	m.risk, m.riskTime = len(names), r.Now()
	return m.risk, nil
}
