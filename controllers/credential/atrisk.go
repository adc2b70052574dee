package credential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/rotation"
)

// countAgain is how often pods at risk are counted while the credential in use is refused.
const countAgain = time.Minute

// RunningPods finds running pods that name a pull Secret and have an image that a predicate matches.
type RunningPods interface {
	Running(ctx context.Context, namespaces []string, secret string, matches func(image string) bool) (podlist.Running, error)
}

// risk is how many pods were at risk when they were last counted.
type risk struct {
	pods int32
	// truncated says that there can be more.
	truncated bool
	time      time.Time
}

// atRisk counts, while the registry refuses the credential in use, the running pods that have it and whose images come from
// there. Nodes that hold such an image start it without asking; the pod fails when it lands on another node. One without the
// Secret pulls as it always did.
func (r *Reconciler) atRisk(ctx context.Context, run *run, f *facts) (*risk, error) {
	m := run.memory
	if !run.state.Published() || f.verdict != rotation.Rejected {
		m.risk = risk{}
		return &risk{}, nil
	}
	if !m.risk.time.IsZero() && r.Now().Sub(m.risk.time) < countAgain {
		return &m.risk, nil
	}
	namespaces, err := r.selected(ctx, run.object)
	if err != nil {
		return nil, err
	}
	keys := slices.Collect(maps.Keys(run.state.Config))
	found, err := r.Running.Running(ctx, namespaces, run.object.Spec.Target.Name(), func(image string) bool { return covers(keys, image) })
	if err != nil {
		return nil, err
	}
	if found.Count > 0 && m.risk.time.IsZero() {
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonPodsAtRisk, "Verify", fmt.Sprintf(
			"running pods that could not pull their image on another node, %s: %s", countOf(found), strings.Join(found.Names, ", ")))
	}
	m.risk = risk{int32(found.Count), found.Truncated, r.Now()}
	return &m.risk, nil
}

func countOf(found podlist.Running) string {
	if found.Truncated {
		return fmt.Sprintf("at least %d", found.Count)
	}
	return fmt.Sprint(found.Count)
}
