package credential

import (
	"context"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/laststatus"
)

// writeStatus writes what differs from before. Where that fails people may still be to be told of it: see Told of the statuses.
func (r *Reconciler) writeStatus(ctx context.Context, object, before *v1alpha1.RegistryCredential, memory *memory) error {
	if err := laststatus.Write(ctx, r.Client, object, before); err != nil {
		r.statuses.Failed(before, before.Status.DeepCopy())
		return err
	}
	memory.statusTime = r.Now()
	r.statuses.Wrote(object, object.Status.DeepCopy(), memory.statusTime)
	return nil
}

// upToDate is a copy of an object with the status that was written last.
func (r *Reconciler) upToDate(object *v1alpha1.RegistryCredential) *v1alpha1.RegistryCredential {
	object = object.DeepCopy()
	if status, newer := r.statuses.After(object, r.Now()); newer {
		status.DeepCopyInto(&object.Status)
	}
	return object
}
