package credential

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
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
	planned := !asked && !woken && m.specHash == hash
	if planned && now.Before(m.nextRead) {
		if m.candidate != nil && isPublished(run, m.candidate, hash) {
			m.candidate = nil // it was written, and the answer was lost
		}
		return m.candidate
	}
	if m.lastRead.IsZero() && r.keepsMinted(run, hash) {
		return nil
	}
	m.specHash, m.request, m.readNow = hash, requested, false
	snapshot, err := r.Source.Read(ctx, source.NewRequest(&run.object.Spec, salt(run), maxAge(asked, run, now)))
	m.lastRead = r.Now()
	if err != nil {
		r.noteFault(ctx, run, source.AsError(err))
		return m.candidate
	}
	// An answer that another object got already has a rhythm of its own, which this one falls in with.
	r.noteRead(run, snapshot, !planned && !snapshot.ReadTime.Before(now))
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
	next := schedule.Next(schedule.LastRead{Time: record.ReadTime, Expire: record.ExpireTime, Minted: true}, run.object.Spec.RefreshPeriod(), spread(run))
	if !r.Now().Before(next) {
		return false
	}
	m.specHash, m.request = hash, run.object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]
	m.lastRead, m.nextRead = record.ReadTime, next
	return true
}

func (r *Reconciler) noteRead(run *run, snapshot source.Snapshot, unplanned bool) {
	m := run.memory
	m.fault, m.failures, m.findings, m.readTime = nil, 0, snapshot.Findings, snapshot.ReadTime
	m.nextRead = schedule.Next(schedule.LastRead{
		Time: snapshot.ReadTime, Expire: snapshot.ExpireTime, Minted: snapshot.Minted, Unplanned: unplanned,
	}, run.object.Spec.RefreshPeriod(), spread(run))
	if m.nextRead.Before(r.Now()) { // a shared answer may be old: the next read is never at once
		m.nextRead = r.Now().Add(schedule.MinPeriod)
	}
}

func (r *Reconciler) noteFault(ctx context.Context, run *run, fault *source.Error) {
	m := run.memory
	m.failures++
	m.nextRead = schedule.AfterFailure(r.Now(), m.failures, fault.RetryAfter, spread(run))
	if fault.Stalled {
		m.nextRead = schedule.AfterStall(r.Now(), run.object.Spec.RefreshPeriod(), fault.RetryAfter, spread(run))
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

// maxAge lets RegistryCredentials with the same place share an answer, save where somebody asked for a read now. It is newer than
// the one that this object has, and not older than half a period, or than when the read was due: a busy operator comes late to some
// of those that are due together. The next read then comes that much sooner.
func maxAge(asked bool, run *run, now time.Time) time.Duration {
	if asked {
		return 0
	}
	m, longest := run.memory, run.object.Spec.RefreshPeriod()/2
	if m.readTime.IsZero() {
		return longest
	}
	return min(max(longest, now.Sub(m.nextRead)), now.Sub(m.readTime))
}

var spreadSeed = maphash.MakeSeed()

// spread is the random number, in [0,1), by which waits for one place differ from those for another. It is the same for all objects
// that read that place, so that they go on sharing reads, and differs from process to process.
func spread(run *run) float64 {
	var place struct{ connection, mount, path, engine string }
	if vault := run.object.Spec.Source.Vault; vault != nil {
		place.connection, place.mount, place.path, place.engine = vault.ConnectionName(), vault.Mount, vault.Path, string(vault.EngineKind())
	}
	const bits = 53 // that a float64 holds exactly
	return float64(maphash.Comparable(spreadSeed, place)>>(64-bits)) / (1 << bits)
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
