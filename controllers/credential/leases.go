package credential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// renew prolongs a lease, so that its credential stays as it is.
func (r *Reconciler) renew(ctx context.Context, run *run, lease rotation.Lease) error {
	next := run.state.Clone()
	r.prolong(ctx, &next, lease.Lease)
	return r.keep(ctx, run, next, nil)
}

// prolong has the source prolong a lease, and notes what came of it.
func (r *Reconciler) prolong(ctx context.Context, next *rotation.State, lease source.Lease) {
	renewed, err := r.Leases.Renew(ctx, lease)
	switch {
	case err == nil:
		next.NoteRenewed(renewed)
	case errors.Is(err, source.ErrNotRenewable):
		log.FromContext(ctx).Info("A lease is not prolonged any more, and another credential is obtained", "message", err.Error())
		next.NoteNotRenewed(lease.ID)
	default:
		attempts := next.NoteRenewFailed(lease.ID, source.AsError(err).RetryAfter, r.Now())
		log.FromContext(ctx).Info("A lease could not be prolonged and is tried again", "attempts", attempts, "message", err.Error())
	}
}

// renewUnkept prolongs the leases of a state that cannot be written. It does not have to be kept first: whoever knows an earlier end
// prolongs it once more. Else a credential would end because something refuses the operator's record of it.
func (r *Reconciler) renewUnkept(ctx context.Context, run *run) {
	p := run.memory.pending
	if p == nil {
		return
	}
	next := rotation.State{Kept: p.next, Memory: run.memory.remembered}.Clone()
	for range maxSteps {
		lease, due := next.DueRenewal(run.spec, r.Now())
		if !due {
			break
		}
		r.prolong(ctx, &next, lease)
	}
	p.next, run.memory.remembered, run.memory.waiting = next.Kept, next.Memory, next.Waiting
}

// release gives a lease back.
func (r *Reconciler) release(ctx context.Context, run *run, lease rotation.Lease) error {
	next := run.state.Clone()
	if err := r.Leases.Release(ctx, lease.Lease); err != nil {
		attempts := next.NoteReleaseFailed(lease.ID, r.Now())
		log.FromContext(ctx).Error(err, "An old lease could not be revoked and is tried again", "attempts", attempts)
		return r.keep(ctx, run, next, nil)
	}
	next.NoteReleased(lease.ID)
	return r.keep(ctx, run, next, nil)
}

// giveUp leaves a lease to its own end, and says so.
func (r *Reconciler) giveUp(ctx context.Context, run *run, lease rotation.Lease) error {
	next := run.state.Clone()
	next.NoteReleased(lease.ID)
	return r.keep(ctx, run, next, func() {
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonLeaseNotRevoked, "Release", fmt.Sprintf(
			"the lease %s of a replaced credential could not be revoked for %.0f hours and is not tried again: that credential works until %s. Revoke it in Vault; the operator's log says what failed",
			foreign.Name(lease.ID), rotation.ReleaseGivenUp.Hours(), lease.Obtained.Add(lease.Duration).UTC().Format(time.RFC3339)))
	})
}

// giveBackAll gives back the leases of an object of which no entry is left. Each is tried once: a deletion does not wait for Vault, and
// what is not given back ends at its own time.
func (r *Reconciler) giveBackAll(ctx context.Context, object *v1alpha1.RegistryCredential) {
	for _, lease := range r.leasesOf(object) {
		if err := r.Leases.Release(ctx, lease); err != nil {
			log.FromContext(ctx).Error(err, "A lease of a RegistryCredential that is deleted could not be revoked, and ends at its own time", "lease", foreign.Name(lease.ID))
		}
	}
}

// leasesOf are the leases of an object: those of its record, and those that this process could not write there yet.
func (r *Reconciler) leasesOf(object *v1alpha1.RegistryCredential) []source.Lease {
	var all []source.Lease
	add := func(kept rotation.Kept) {
		known := rotation.State{Kept: kept}
		for _, lease := range known.Leases() {
			if !slices.ContainsFunc(all, func(other source.Lease) bool { return other.ID == lease.ID }) {
				all = append(all, lease)
			}
		}
	}
	if record := r.Store.Get(object.Name); record.UID == object.UID {
		add(record.Kept)
	}
	if memory, _ := r.memories.of(object, r.Now()); memory.pending != nil {
		add(memory.pending.next)
	}
	return all
}
