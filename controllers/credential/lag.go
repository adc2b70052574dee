package credential

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// The cache can be behind what another process kept that was the leader a moment ago. What is kept tells: it is of an object, or of a spec, that the
// cache does not show. Whoever went by the cache then would lose a value that each read makes another of, with its lease, or would put one in use
// that a spec of before asks for.

// gone fails where a RegistryCredential that the cache does not show is there, and a record is kept of it.
func (r *Reconciler) gone(ctx context.Context, name string) error {
	record, newer := r.Store.Get(name), r.Store.IsLeftAlone(name)
	if record.UID == "" && !newer {
		return nil
	}
	live, err := r.live(ctx, name)
	if err != nil || live == nil || live.UID != record.UID && !newer {
		return err
	}
	return lags(name)
}

// behind fails where an object is older than the one that its record was kept for. Where the API server has no newer one the cluster was set back, or
// the record is of an object of before, and it counts.
func (r *Reconciler) behind(ctx context.Context, object *v1alpha1.RegistryCredential) error {
	record := r.Store.Get(object.Name)
	if record.UID == "" || record.UID == object.UID && record.Generation <= object.Generation {
		return nil
	}
	live, err := r.live(ctx, object.Name)
	if err != nil || live != nil && live.UID == object.UID && live.Generation <= object.Generation {
		return err
	}
	return lags(object.Name)
}

// live is a RegistryCredential as the API server has it, nil where it has none.
func (r *Reconciler) live(ctx context.Context, name string) (*v1alpha1.RegistryCredential, error) {
	var live v1alpha1.RegistryCredential
	err := r.Live.Get(ctx, client.ObjectKey{Name: name}, &live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the RegistryCredential %s, of which another one is kept than the cache shows: %w", name, err)
	}
	return &live, nil
}

func lags(name string) error {
	return fmt.Errorf("RegistryCredential %s is another one than the cache shows: it is looked at again", name)
}
