package credential

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// publish puts the value that waits in use, and with that makes it visible to delivery.
func (r *Reconciler) publish(ctx context.Context, run *run, judgement rotation.Judgement) error {
	next := run.state.Clone()
	next.Publish(run.spec, r.Now())
	if err := r.keep(ctx, run, next); err != nil {
		return err
	}
	s := &run.state
	log.FromContext(ctx).Info("Published a new revision", "revision", s.Revision, "fate", string(judgement.Fate), "proof", string(s.Proof))
	r.event(run.object, corev1.EventTypeNormal, v1alpha1.ReasonPublished, "Publish", fmt.Sprintf("revision %s: %s", s.Revision, whyPublished(run, judgement)))
	if !s.CreatedTime.IsZero() {
		r.Metrics.RotationSeen(run.object.Name, r.Now().Sub(s.CreatedTime))
	}
	return nil
}

func whyPublished(run *run, judgement rotation.Judgement) string {
	switch {
	case judgement.Fate == rotation.PublishProven && run.state.Proof == rotation.ProofPull:
		return "the registry lets it pull; published"
	case judgement.Fate == rotation.PublishProven:
		return "the registry accepts the login; published"
	case run.spec.Mode == v1alpha1.VerifyDisabled:
		return "published without verification, as the spec says"
	case run.spec.PublishRevision == run.state.Revision:
		return "published unproven, as the annotation " + v1alpha1.PublishAnnotation + " says"
	case judgement.Message == "":
		return "published unproven: the registry gave no answer about it"
	}
	return "published unproven: " + judgement.Message
}

// restore goes back to the value before.
func (r *Reconciler) restore(ctx context.Context, run *run) error {
	next := run.state.Clone()
	next.Restore(r.Now())
	if err := r.keep(ctx, run, next); err != nil {
		return err
	}
	log.FromContext(ctx).Info("Went back to the revision before", "revision", run.state.Revision, "refused", run.state.Waiting.Revision)
	r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRestored, "Publish", fmt.Sprintf(
		"revision %s is in use again: the registry accepts it and refuses revision %s, which replaced it. Correct the value in the source",
		run.state.Revision, run.state.Waiting.Revision))
	return nil
}

// tellOfWaiting tells people, once for each value, that it is refused or held back, and that the source gives older answers.
func (r *Reconciler) tellOfWaiting(run *run) {
	told, s := &run.memory.told, &run.state
	if waiting := s.Waiting; waiting != nil {
		switch {
		case run.judgement.Fate == rotation.Refuse && told.refused != waiting.Digest:
			told.refused = waiting.Digest
			r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRejected, "Verify", fmt.Sprintf(
				"revision %s of the source is not published, because the registry refuses it: %s; correct it in the source. What is published stays",
				waiting.Revision, run.judgement.Message))
		case run.judgement.Message != "" && run.holds() && told.held != waiting.Digest:
			told.held = waiting.Digest
			r.event(run.object, corev1.EventTypeNormal, v1alpha1.ReasonHeld, "Verify", run.heldMessage())
		}
	}
	if older := s.Older; older != nil && older.Reads > 1 && older.Digest != s.Digest && told.older != older.Digest {
		told.older = older.Digest
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonStaleAnswer, "Refresh", run.olderMessage())
	}
}

func (run *run) holds() bool {
	return run.judgement.Fate == rotation.Hold || run.judgement.Fate == rotation.HoldOn
}
