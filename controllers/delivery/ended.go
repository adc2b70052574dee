package delivery

import (
	"context"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// losesNothing notes that a place loses nothing of a RegistryCredential, or nothing any more: what was granted to it serves no later mistake. It ends the
// removal where the place was the last one. What an earlier process granted is looked at first: perhaps it is over since.
func (r *Reconciler) losesNothing(ctx context.Context, credential *v1alpha1.RegistryCredential, place delivered.Place) error {
	k, now := r.lock(credential)
	defer k.mu.Unlock()
	if err := r.review(ctx, credential, k); err != nil {
		return err
	}
	k.state = k.state.Without(place.Namespace, place.Name) // also where this is the first look at it
	found, there := k.losing[place]
	if !there {
		return nil
	}
	delete(k.losing, place)
	if len(k.losing) > 0 && (k.state.Pending == nil || k.waits(now)) {
		return nil
	}
	if err := r.decide(ctx, credential, k); err != nil {
		k.losing[place] = found // else the next look at it would not end the removal, either, and its confirmation would serve another one
		return err
	}
	return nil
}

// waits reports whether a place is to lose something that it may not lose yet. Each place that is done asks: the one that waited before is looked at first.
func (k *keeper) waits(now time.Time) bool {
	if _, there := k.losing[k.waiter]; there && !k.grants(k.waiter, now) {
		return true
	}
	for place := range k.losing {
		if !k.grants(place, now) {
			k.waiter = place
			return true
		}
	}
	return false
}
