package recovery

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// oneDryRun bounds a dry run: webhooks may take their time.
const oneDryRun = 10 * time.Second

// foresee asks the API server, by a dry run, whether it would take the pod that the owner creates after a restart. It returns what is to
// be done then, which is the restart where it would.
func (r *Reconciler) foresee(ctx context.Context, g gathered, verdict diagnosis.Verdict) (diagnosis.Verdict, error) {
	if !r.SuccessorFirst || verdict.Action != diagnosis.Restart {
		return verdict, nil
	}
	// The cache holds no more of a pod than a diagnosis needs.
	before := &corev1.Pod{}
	if err := r.Writer.Get(ctx, client.ObjectKeyFromObject(g.Pod), before); err != nil {
		return verdict, fmt.Errorf("read the pod: %w", err)
	}
	asked, err := r.owners.Successor(ctx, r.Writer, before)
	if err != nil {
		return verdict, err
	}
	if asked == nil {
		return verdict, nil
	}
	bounded, cancel := context.WithTimeout(ctx, oneDryRun)
	defer cancel()
	admitted := asked.DeepCopy()
	err = r.Writer.Create(bounded, admitted, client.DryRunAll)
	return verdict.Foresee(before, asked, admitted, err, r.Now()), nil
}
