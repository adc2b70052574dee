package delivery

import (
	"context"
	"slices"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// keepsAll notes that a place loses nothing of a RegistryCredential, or nothing any more: what was granted to its namespace serves no later mistake.
func (r *Reconciler) keepsAll(ctx context.Context, credential *v1alpha1.RegistryCredential, place delivered.Place) error {
	return r.losesNothing(ctx, credential, place, false)
}

// lost notes that a place has nothing left of what it was to lose. Another Secret of its namespace can have: what was granted goes on for that.
func (r *Reconciler) lost(ctx context.Context, credential *v1alpha1.RegistryCredential, place delivered.Place) error {
	return r.losesNothing(ctx, credential, place, true)
}

// losesNothing ends the removal where the place was the last one, so that what was granted for it does not serve another one. What an earlier process
// granted is looked at first: perhaps it is over since.
func (r *Reconciler) losesNothing(ctx context.Context, credential *v1alpha1.RegistryCredential, place delivered.Place, lost bool) error {
	k, now := r.lock(credential)
	defer k.mu.Unlock()
	if err := r.review(ctx, credential, k); err != nil {
		return err
	}
	if !k.losing[place] {
		return nil
	}
	delete(k.losing, place)
	if !lost || !k.losesAny(r.memories.beside(place)) {
		k.state.Granted = k.state.Granted.Without(place.Namespace)
	}
	if len(k.losing) > 0 && (k.state.Pending == nil || k.waits(now)) {
		return nil
	}
	if err := r.decide(ctx, credential, k); err != nil {
		k.losing[place] = true // else the next look at it would not end the removal, either, and its confirmation would serve another one
		return err
	}
	return nil
}

// waits reports whether a place is to lose something that it may not lose yet.
func (k *keeper) waits(now time.Time) bool {
	for place := range k.losing {
		if !k.grants(place, now) {
			return true
		}
	}
	return false
}

// losesAny reports whether any of some places is to lose something.
func (k *keeper) losesAny(places []delivered.Place) bool {
	return slices.ContainsFunc(places, func(place delivered.Place) bool { return k.losing[place] })
}
