package delivery

import (
	"context"
	"reflect"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// What is kept of a removal grants something to the process that starts next, and to this one after a write that failed. So it must not grant more than
// what this process would.

// follow goes on from what is kept where that is not what this process kept: perhaps another leader wrote it, or a write of this one was not answered.
func (k *keeper) follow(kept removal.State) {
	if !reflect.DeepEqual(k.kept, kept) {
		k.kept = kept
		k.resume(kept)
	}
}

// resume goes on from what is kept, unless that is of another RegistryCredential. What is known to be over of a grant stays so.
func (k *keeper) resume(kept removal.State) {
	if kept.UID == k.uid {
		k.state = kept.After(k.state)
		k.inherited, k.limited = len(k.state.Granted) > 0, false
	}
}

// review takes back what an earlier process granted to namespaces that lose nothing any more. It grants nothing: what else is to be lost has its
// time to settle, and is compared with what the API server has then. That it was taken back is kept by the look at the RegistryCredential that follows:
// no namespace waits for that.
func (r *Reconciler) review(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper) error {
	if !k.inherited || k.limited {
		return nil
	}
	_, losing, err := r.losses(ctx, credential)
	if err != nil {
		return err
	}
	before := k.state
	if k.state, k.limited = before.LimitedTo(losing), true; k.state.GrantsLessThan(before) {
		r.Board.Touch(credential.Name)
	}
	return nil
}

// finds notes what a place is to lose. Where that is less than what was granted to it, the rest is provided again, and is granted to no later mistake.
func (r *Reconciler) finds(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper, place delivered.Place, keys []string, now time.Time) error {
	before, there := k.losing[place]
	k.finds(place, keys, now)
	found := k.losing[place]
	if !there || found.Covers(before) || !k.state.Grants(before) {
		return nil
	}
	_, losing, err := r.losses(ctx, credential)
	if err != nil {
		k.losing[place] = before // else the next look would not see that it is less
		return err
	}
	k.state = k.state.LimitedTo(losing)
	return nil
}

// keepTakenBack keeps that less is granted than was, now and then while the rest goes on: else the next process would be granted it once more. What
// is left can go on for long, where a namespace refuses to be changed.
func (r *Reconciler) keepTakenBack(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper, now time.Time) error {
	kept := r.Store.Removals(credential.Name)
	k.follow(kept)
	if kept.UID != k.uid || !k.state.GrantsLessThan(kept) || !k.keptLess.IsZero() && now.Sub(k.keptLess) < settleAtMost {
		return nil
	}
	if err := r.keep(ctx, credential, k, k.state); err != nil {
		return err
	}
	k.keptLess = now
	return nil
}

// keep writes a state. Where that fails, what is known counts: it grants no more than what is kept. What another leader wrote is followed before the next
// decision.
func (r *Reconciler) keep(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper, state removal.State) error {
	if err := r.Store.KeepRemovals(ctx, credential.Name, state); err != nil {
		return err
	}
	k.kept = state
	return nil
}
