package credential

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// publish puts the value that waits in use, and with that makes it visible to delivery.
func (r *Reconciler) publish(ctx context.Context, run *run, judgement rotation.Judgement) error {
	next := run.state.Clone()
	next.Publish(run.spec, r.Now())
	tell := r.tellOfPublished(ctx, run, next.Value, judgement, whyPublished(run, next, judgement))
	return r.keepTraced(ctx, run, next, string(judgement.Fate), tell)
}

// tellOfPublished tells that a value is in use, once that is kept.
func (r *Reconciler) tellOfPublished(ctx context.Context, run *run, value rotation.Value, judgement rotation.Judgement, why string) func() {
	return func() {
		log.FromContext(ctx).Info("Published a new revision", "revision", value.Revision, "fate", string(judgement.Fate), "proof", string(value.Proof))
		r.event(run.object, howGrave(run, judgement, value.Revision), v1alpha1.ReasonPublished, "Publish", fmt.Sprintf("revision %s: %s", value.Revision, why))
		if !value.CreatedTime.IsZero() {
			r.Metrics.RotationSeen(run.object.Name, r.Now().Sub(value.CreatedTime))
		}
	}
}

func whyPublished(run *run, next rotation.State, judgement rotation.Judgement) string {
	switch {
	case judgement.Fate == rotation.PublishProven && next.Proof == rotation.ProofPull:
		return "the registry lets it pull; published"
	case judgement.Fate == rotation.PublishProven:
		return "the registry accepts the login; published"
	case run.spec.Mode == v1alpha1.VerifyDisabled:
		return "published without verification, as the spec says"
	case run.spec.PublishRevision == next.Revision:
		return "published unproven, as the annotation " + v1alpha1.PublishAnnotation + " says"
	case judgement.Message == "":
		return "published unproven: the registry gave no answer about it"
	}
	test := run.state.Test(run.spec, judgement.Account)
	return "published unproven: " + besideImages(judgement.Message, &test)
}

// howGrave is the type of the event that tells of a publication: that a value is in use of which no registry said whether it works is a warning,
// unless somebody wanted it so.
func howGrave(run *run, judgement rotation.Judgement, revision string) string {
	if judgement.Fate == rotation.PublishProven || run.spec.Mode == v1alpha1.VerifyDisabled || run.spec.PublishRevision == revision {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// restore goes back to the value before.
func (r *Reconciler) restore(ctx context.Context, run *run) error {
	next, refused := run.state.Clone(), run.state.Revision
	next.Restore(run.spec, r.Now())
	revision := next.Revision
	return r.keepTraced(ctx, run, next, v1alpha1.ReasonRestored, func() {
		log.FromContext(ctx).Info("Went back to the revision before", "revision", revision, "refused", refused)
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRestored, "Publish", fmt.Sprintf(
			"revision %s is in use again: the registry accepts it and refuses revision %s, which replaced it. Correct the value in the source",
			revision, refused))
	})
}

// tellOfWaiting tells people, once for each value, that it is refused or held back, and that the source gives older answers.
func (r *Reconciler) tellOfWaiting(run *run) {
	told, s := &run.memory.told, &run.state
	if waiting := s.Waiting; waiting != nil {
		switch {
		case run.judgement.Fate == rotation.Refuse && told.refused != waiting.Digest:
			told.refused = waiting.Digest
			r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRejected, "Verify", fmt.Sprintf(
				"revision %s of the source is not published, because the registry refuses it: %s. What is published stays",
				waiting.Revision, run.judgement.Message))
		case run.judgement.Message != "" && run.holds() && told.held != waiting.Digest:
			told.held = waiting.Digest
			r.event(run.object, corev1.EventTypeNormal, v1alpha1.ReasonHeld, "Verify", run.heldMessage(r.Now()))
		}
	}
	if older := s.Older; older != nil && older.Reads > 1 && older.Digest != s.Digest && told.older != older.Name() {
		told.older = older.Name()
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonStaleAnswer, "Refresh", run.olderMessage())
	}
}

// unasked reports whether a value waits of which no registry said anything yet, while that is to be expected: nobody has to decide anything.
func (run *run) unasked(now time.Time) bool {
	if run.judgement.Fate != rotation.Hold || run.judgement.Message != "" {
		return false
	}
	began, asked := run.state.Testing[run.judgement.Account.Print]
	return asked && now.Sub(began) < testTimeout || run.judgement.Until.After(now)
}

func (run *run) holds() bool {
	return run.judgement.Fate == rotation.Hold || run.judgement.Fate == rotation.HoldOn
}
