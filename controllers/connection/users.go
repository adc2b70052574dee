package connection

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/api/v1alpha1"
)

// connectionField is the index of RegistryCredentials by the connection that they name. Without it a look at one connection would cost as
// much as there are RegistryCredentials of others.
const connectionField = "vaultConnection"

// gatherUsers is how long changes are gathered before they are counted: who applies a folder of RegistryCredentials causes few looks.
const gatherUsers = 200 * time.Millisecond

func indexConnections(ctx context.Context, mgr ctrl.Manager) error {
	return mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.RegistryCredential{}, connectionField, connectionsOf)
}

// connectionsOf is the connection that a RegistryCredential names, or nothing.
func connectionsOf(object client.Object) []string {
	credential, ok := object.(*v1alpha1.RegistryCredential)
	if !ok || credential.Spec.Source.Vault == nil {
		return nil
	}
	return []string{credential.Spec.Source.Vault.ConnectionName()}
}

// usersOf counts the RegistryCredentials that name a connection.
func (r *Reconciler) usersOf(ctx context.Context, connection string) (*int32, error) {
	var users v1alpha1.RegistryCredentialList
	if err := r.Client.List(ctx, &users, client.MatchingFields{connectionField: connection}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("count the RegistryCredentials of VaultConnection %s: %w", connection, err)
	}
	count := int32(min(len(users.Items), math.MaxInt32))
	return &count, nil
}

// whatTheyUse has connections counted again that a RegistryCredential begins or ceases to name. A change of anything else costs nothing.
var whatTheyUse = handler.TypedFuncs[*v1alpha1.RegistryCredential, reconcile.Request]{
	CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*v1alpha1.RegistryCredential], q queue) {
		if !e.IsInInitialList { // the first look at each connection counts those
			count(q, connectionsOf(e.Object)...)
		}
	},
	UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*v1alpha1.RegistryCredential], q queue) {
		before, after := connectionsOf(e.ObjectOld), connectionsOf(e.ObjectNew)
		if !slices.Equal(before, after) {
			count(q, append(before, after...)...)
		}
	},
	DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*v1alpha1.RegistryCredential], q queue) {
		count(q, connectionsOf(e.Object)...)
	},
}

// count has connections looked at, soon.
func count(q queue, connections ...string) {
	for _, name := range connections {
		q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, gatherUsers)
	}
}
