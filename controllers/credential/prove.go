package credential

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

// Prover tests credentials at registries.
type Prover interface {
	Login(ctx context.Context, key string, credential dockerconfig.Credential) verify.Result
	Pull(ctx context.Context, key string, credential dockerconfig.Credential, images ...string) []verify.Result
}

// Images finds images in use in some namespaces that a predicate matches.
type Images interface {
	InUse(ctx context.Context, namespaces []string, matches func(image string) bool, limit int) ([]string, error)
}

// proof is how verification stands, for the status.
type proof struct {
	// next is when there is something to test again.
	next time.Time
	// held is until when a new value is held back, zero where none is.
	held time.Time
	// verdict and message of the new value, where one waits or was refused.
	verdict records.Verdict
	message string
}

// prove tests what was read, and publishes it if it may be. With nothing new, it tests what is published when that is due.
func (r *Reconciler) prove(ctx context.Context, run *run, candidate *source.Snapshot) error {
	run.memory.proof = proof{}
	if candidate == nil {
		return r.proveAgain(ctx, run)
	}
	if run.object.Spec.VerificationMode() == v1alpha1.VerifyDisabled {
		return r.publish(ctx, run, candidate, time.Time{}, "published without verification, as the spec says")
	}
	if run.record.Candidate == nil || run.record.Candidate.Revision != candidate.Revision {
		run.record.Candidate = &records.Candidate{Revision: candidate.Revision, FirstSeen: r.Now()}
		// Also where no test is due that would keep it: the hold counts from here.
		if err := r.Store.Save(ctx, run.record); err != nil {
			return err
		}
	}
	if err := r.testDue(ctx, run, candidate.Config); err != nil {
		return err
	}
	verdict, message := combine(r.testsOf(run, candidate.Config))
	if verdict != records.Accepted {
		// What is in use stays in use for now, and has to be watched like without a new value.
		if err := r.proveAgain(ctx, run); err != nil {
			return err
		}
	}
	inUse, _ := combine(r.testsOf(run, run.record.Config))
	state := publishedState{rejected: run.record.Published() && inUse == records.Rejected, expires: run.record.ExpireTime}
	what, until := decide(verdict, run.record.Candidate.FirstSeen, run.object.Spec.Hold(), state, r.Now())
	switch what {
	case publishProven:
		return r.publish(ctx, run, candidate, r.Now(), "the registry accepts the new credential; published")
	case publishUnproven:
		return r.publish(ctx, run, candidate, time.Time{}, "published unproven: "+message)
	}
	next := r.nextTests(run, candidate.Config)
	if what == hold && until.Before(next) {
		next = until
	}
	if what == refuse {
		r.announceOnce(run, candidate.Revision, message)
	}
	run.memory.proof = proof{next: earliest(next, run.memory.proof.next), held: until, verdict: verdict, message: message}
	return nil
}

// proveAgain tests the published value when that is due. A registry that begins to refuse it has the source read at once, and so
// does a pod that was refused with it.
func (r *Reconciler) proveAgain(ctx context.Context, run *run) error {
	if !run.record.Published() || run.object.Spec.VerificationMode() == v1alpha1.VerifyDisabled {
		return nil
	}
	before, _ := combine(r.testsOf(run, run.record.Config))
	if r.doubted(run) {
		run.memory.readNow = true
	}
	if err := r.testDue(ctx, run, run.record.Config); err != nil {
		return err
	}
	after, message := combine(r.testsOf(run, run.record.Config))
	if after == records.Rejected && before != records.Rejected {
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonNoLongerAccepted, "Verify",
			"the registry refuses the credential in use: "+message+"; new pods will fail to pull. The source is read again now")
		run.memory.readNow = true
	}
	if after == records.Accepted && run.record.VerifiedTime.IsZero() {
		run.record.VerifiedTime = r.Now()
		if err := r.Store.Save(ctx, run.record); err != nil {
			return err
		}
	}
	run.memory.proof.next = r.nextTests(run, run.record.Config)
	if run.memory.readNow {
		run.memory.proof.next = r.Now()
	}
	return nil
}

func (run *run) images() []string {
	if run.object.Spec.Verification == nil {
		return nil
	}
	return run.object.Spec.Verification.Images
}

func (r *Reconciler) announceOnce(run *run, revision, message string) {
	if run.memory.announced == revision {
		return
	}
	run.memory.announced = revision
	r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRejected, "Verify",
		"a new value in the source is not published, because the registry refuses it: "+message+"; correct it in the source. What is published stays")
}
