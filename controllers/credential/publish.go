package credential

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
)

// publish keeps a value and makes it visible to delivery.
func (r *Reconciler) publish(ctx context.Context, run *run, snapshot *source.Snapshot, verified time.Time, message string) error {
	record := run.record
	sameValue := equal(record, snapshot)
	if record.Lease != nil && (snapshot.Lease == nil || snapshot.Lease.ID != record.Lease.ID) {
		record.Obsolete = append(record.Obsolete, *record.Lease)
	}
	record.Config, record.Revision, record.SpecHash = snapshot.Config, snapshot.Revision, run.memory.specHash
	record.ReadTime, record.Minted, record.ExpireTime, record.Lease = snapshot.ReadTime, snapshot.Minted, snapshot.ExpireTime, snapshot.Lease
	record.Candidate = nil
	if !sameValue {
		record.ChangeTime, record.VerifiedTime = r.Now(), time.Time{}
	}
	if record.VerifiedTime.IsZero() {
		record.VerifiedTime = verified
	}
	if err := r.Store.Save(ctx, record); err != nil {
		return err
	}
	run.record, run.memory.candidate = record, nil
	run.memory.proof.next = r.nextTests(run, record.Config)
	if sameValue {
		return nil
	}
	log.FromContext(ctx).Info("Published a new revision", "revision", record.Revision, "proven", !verified.IsZero())
	r.event(run.object, corev1.EventTypeNormal, "Published", "Publish", "revision "+record.Revision+": "+message)
	if !snapshot.CreatedTime.IsZero() {
		r.Metrics.RotationSeen(run.object.Name, r.Now().Sub(snapshot.CreatedTime))
	}
	return nil
}

func equal(record records.Record, snapshot *source.Snapshot) bool {
	if !record.Published() || len(record.Config) != len(snapshot.Config) {
		return false
	}
	for key, credential := range snapshot.Config {
		if published, ok := record.Config[key]; !ok || !published.Equal(credential) {
			return false
		}
	}
	return true
}

// release gives back the leases of earlier values once every namespace has the new one.
func (r *Reconciler) release(ctx context.Context, run *run) {
	if len(run.record.Obsolete) == 0 || r.Leases == nil {
		return
	}
	delivered, err := r.deliveredEverywhere(ctx, run)
	if err != nil || !delivered {
		return
	}
	record := run.record
	var left []source.Lease
	for _, lease := range record.Obsolete {
		if r.Now().After(lease.Obtained.Add(lease.Duration)) {
			continue // it ended by itself
		}
		if err := r.Leases.Release(ctx, lease); err != nil {
			log.FromContext(ctx).Error(err, "An old lease could not be revoked and is tried again")
			left = append(left, lease)
		}
	}
	record.Obsolete = left
	if err := r.Store.Save(ctx, record); err != nil {
		log.FromContext(ctx).Error(err, "Revoked leases could not be noted and are revoked again")
		return
	}
	run.record = record
}

func (r *Reconciler) deliveredEverywhere(ctx context.Context, run *run) (bool, error) {
	selected, err := r.selected(ctx, run.object)
	if err != nil {
		return false, err
	}
	deliveries := r.Board.Of(run.object.Name, run.object.Spec.Target.Name())
	for _, namespace := range selected {
		if deliveries[namespace].Revision != run.record.Revision {
			return false, nil
		}
	}
	return true, nil
}
