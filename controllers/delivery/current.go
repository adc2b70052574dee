package delivery

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
)

// credentials are all RegistryCredentials, none older than the one that its value was put in use for. The cache can be behind that where
// another process was the leader a moment ago: such a one is read past it. If that, too, is older, the cluster was set back, and it counts.
func (r *Reconciler) credentials(ctx context.Context, values records.Snapshot) ([]v1alpha1.RegistryCredential, error) {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range list.Items {
		one := &list.Items[i]
		if values.Generation(one.Name, one.UID) <= one.Generation {
			continue
		}
		var live v1alpha1.RegistryCredential
		if err := r.Writer.Get(ctx, client.ObjectKey{Name: one.Name}, &live); err != nil {
			return nil, fmt.Errorf("read the RegistryCredential %s, of which a newer one is known than the cache has: %w", one.Name, err)
		}
		list.Items[i] = live
	}
	return list.Items, nil
}
