package credential

import (
	"context"
	"slices"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/tracing"
)

// traced names a value in traces.
func traced(value *rotation.Value) tracing.Value {
	return tracing.Value{Revision: value.Revision, Digest: value.Digest}
}

// waitingWith is the digest of the value that waits, where an account is one of its own, and empty where a test is about another value.
func (run *run) waitingWith(account rotation.Account) string {
	waiting := run.state.Waiting
	if waiting == nil || !slices.ContainsFunc(waiting.Accounts, func(a rotation.Account) bool { return a.Print == account.Print }) {
		return ""
	}
	return waiting.Digest
}

// keepTraced keeps a state in which another value is in use, and traces that. The fan-out begins when it is kept, be it by a later pass.
func (r *Reconciler) keepTraced(ctx context.Context, run *run, next rotation.State, outcome string, tell func()) error {
	value := traced(&next.Value)
	span := r.Traces.Publish(run.object.Name, value)
	err := r.keep(ctx, run, next, func() {
		r.Traces.Published(run.object.Name, value, span)
		tell()
	})
	if err != nil {
		span.End(v1alpha1.ReasonRecordNotKept, true)
		return err
	}
	span.End(outcome, false)
	return nil
}

// traceDelivery has the span of a fan-out end when every selected namespace has the value in use, or cannot be served.
func (r *Reconciler) traceDelivery(f *facts) {
	if r.Traces == nil || f.settling() || f.outlived() {
		return
	}
	counts := tracing.Counts{Selected: f.selected(), Synced: f.synced(), Failed: f.failed()}
	for _, failure := range f.failures() {
		counts.Failing = append(counts.Failing, failure.Namespace+": "+failure.Reason)
	}
	r.Traces.Delivering(f.run.object.Name, f.run.state.Digest, counts)
}
