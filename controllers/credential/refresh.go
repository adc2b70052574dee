package credential

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// refresh reads the source if it is time, and returns a value that is not published yet, nil where there is none.
func (r *Reconciler) refresh(ctx context.Context, run *run) *source.Snapshot {
	m, now := run.memory, r.Now()
	hash := specHash(run.object)
	requested := run.object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]
	asked := m.readNow || m.request != requested && !m.lastRead.IsZero()
	woken := r.memories.woken(run.object.Name)
	if !asked && !woken && m.specHash == hash && now.Before(m.nextRead) {
		if m.candidate != nil && isPublished(run, m.candidate, hash) {
			m.candidate = nil // it was written, and the answer was lost
		}
		return m.candidate
	}
	if m.lastRead.IsZero() && r.keepsMinted(run, hash) {
		return nil
	}
	m.specHash, m.request, m.readNow = hash, requested, false
	snapshot, err := r.Source.Read(ctx, source.NewRequest(&run.object.Spec, salt(run), maxAge(asked, &run.object.Spec)))
	m.lastRead = r.Now()
	if err != nil {
		r.noteFault(ctx, run, source.AsError(err))
		return m.candidate
	}
	r.noteRead(run, snapshot)
	if isPublished(run, &snapshot, hash) {
		m.candidate = nil
		return nil
	}
	m.candidate = &snapshot
	return m.candidate
}

// isPublished reports whether a value is in the record already, with its lease if it has one.
func isPublished(run *run, snapshot *source.Snapshot, hash string) bool {
	record := &run.record
	sameLease := snapshot.Lease == nil || record.Lease != nil && record.Lease.ID == snapshot.Lease.ID
	return record.Published() && record.Revision == snapshot.Revision && record.SpecHash == hash && sameLease
}

// keepsMinted reports whether a published value that each read would make anew is still good: a restart of the operator does
// not ask for another one.
func (r *Reconciler) keepsMinted(run *run, hash string) bool {
	record, m := run.record, run.memory
	if !record.Published() || !record.Minted || record.SpecHash != hash {
		return false
	}
	next := schedule.Next(schedule.LastRead{Time: record.ReadTime, Expire: record.ExpireTime, Minted: true}, run.object.Spec.RefreshPeriod(), r.Random())
	if !r.Now().Before(next) {
		return false
	}
	m.specHash, m.request = hash, run.object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]
	m.lastRead, m.nextRead = record.ReadTime, next
	return true
}

func (r *Reconciler) noteRead(run *run, snapshot source.Snapshot) {
	m := run.memory
	m.fault, m.failures, m.findings = nil, 0, snapshot.Findings
	m.nextRead = schedule.Next(schedule.LastRead{Time: snapshot.ReadTime, Expire: snapshot.ExpireTime, Minted: snapshot.Minted},
		run.object.Spec.RefreshPeriod(), r.Random())
	if m.nextRead.Before(r.Now()) { // a shared answer may be old: the next read is never at once
		m.nextRead = r.Now().Add(schedule.MinPeriod)
	}
}

func (r *Reconciler) noteFault(ctx context.Context, run *run, fault *source.Error) {
	m := run.memory
	m.failures++
	m.nextRead = schedule.AfterFailure(r.Now(), m.failures, fault.RetryAfter, r.Random())
	if fault.Stalled {
		m.nextRead = schedule.AfterStall(r.Now(), run.object.Spec.RefreshPeriod(), fault.RetryAfter, r.Random())
	}
	if m.fault == nil || m.fault.Reason != fault.Reason {
		log.FromContext(ctx).Info("The source gave no usable credential; what is published stays", "reason", fault.Reason, "message", fault.Message)
	}
	m.fault = fault
}

// salt keys the digests of values. It is kept with the record, so that they can be compared after a restart.
func salt(run *run) []byte {
	if len(run.record.Salt) == 0 {
		run.record.Salt = make([]byte, 32)
		_, _ = rand.Read(run.record.Salt) // never fails, by its documentation
	}
	return run.record.Salt
}

// maxAge lets RegistryCredentials with the same place share an answer, save where somebody asked for a read now.
func maxAge(asked bool, spec *v1alpha1.RegistryCredentialSpec) time.Duration {
	if asked {
		return 0
	}
	return spec.RefreshPeriod() / 2
}

// specHash names what a value is read for: another source or other registries make another value.
func specHash(object *v1alpha1.RegistryCredential) string {
	encoded, err := json.Marshal(struct {
		Registries []v1alpha1.Registry
		Source     v1alpha1.Source
	}{object.Spec.Registries, object.Spec.Source})
	if err != nil {
		panic("strings always encode: " + err.Error())
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}
