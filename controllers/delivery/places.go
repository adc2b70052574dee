package delivery

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// placesOf are the places that a RegistryCredential selects, and those that hold, or last held, entries of it.
func (r *Reconciler) placesOf(ctx context.Context, credential *v1alpha1.RegistryCredential) []delivered.Place {
	places := map[delivered.Place]bool{}
	for _, place := range r.Board.Places(credential.Name) {
		places[place] = true
	}
	for _, namespace := range r.selectedBy(ctx, credential) {
		places[delivered.Place{Namespace: namespace, Name: credential.Spec.Target.Name()}] = true
	}
	for place := range r.ledger.of(credential.Name) {
		places[place] = true
	}
	return collect(places)
}

// selectedBy are the namespaces that a RegistryCredential selects. The board is told, so that it knows of all of them before the
// first was looked at.
func (r *Reconciler) selectedBy(ctx context.Context, credential *v1alpha1.RegistryCredential) []string {
	name := credential.Spec.Target.Name()
	var namespaces corev1.NamespaceList
	if err := r.Cluster.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		sayUnread(ctx, err)
		return nil
	}
	var selected []string
	if r.Secrets.Allowed(name) && credential.DeletionTimestamp == nil {
		for i := range namespaces.Items {
			if chosen, _ := r.selects(credential, &namespaces.Items[i]); chosen && namespaces.Items[i].DeletionTimestamp == nil {
				selected = append(selected, namespaces.Items[i].Name)
			}
		}
	}
	r.Board.Select(credential.Name, name, credential.Generation, selected)
	return selected
}

// placesIn are the places of a namespace that RegistryCredentials may select, and those that are there.
func (r *Reconciler) placesIn(ctx context.Context, namespace string) []delivered.Place {
	places := map[delivered.Place]bool{}
	for name := range r.wantedNames(ctx) {
		places[delivered.Place{Namespace: namespace, Name: name}] = true
	}
	r.addOurs(ctx, namespace, places)
	return collect(places)
}

// placesBeside are the place of a Secret, as it was and is, and the others of ours in its namespace: one may wait until it can give way
// to this.
func (r *Reconciler) placesBeside(ctx context.Context, secret *corev1.Secret, before ...*corev1.Secret) []delivered.Place {
	ours := func(one *corev1.Secret) bool { return pullsecret.OwnerOf(one).Ours }
	if !ours(secret) && !slices.ContainsFunc(before, ours) && !r.wantedNames(ctx)[secret.Name] {
		return nil
	}
	own := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	if names := r.Secrets.Names(); len(names) == 1 && names[0] == secret.Name {
		return []delivered.Place{own} // nothing can be beside it
	}
	places := map[delivered.Place]bool{own: true}
	r.addOurs(ctx, secret.Namespace, places)
	return collect(places)
}

// wantedNames are the Secret names that RegistryCredentials want and that the operator was given.
func (r *Reconciler) wantedNames(ctx context.Context) map[string]bool {
	names := map[string]bool{}
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		sayUnread(ctx, err)
	}
	for i := range list.Items {
		if name := list.Items[i].Spec.Target.Name(); r.Secrets.Allowed(name) {
			names[name] = true
		}
	}
	return names
}

// sayUnread logs that a cache could not be read when an event came. That event is lost until the next look at everything. It does not happen where
// the informers of all kinds are filled before the controllers start.
func sayUnread(ctx context.Context, err error) {
	log.FromContext(ctx).Error(err, "A cache cannot be read, so a change is seen later: please report this")
}

func (r *Reconciler) addOurs(ctx context.Context, namespace string, places map[delivered.Place]bool) {
	r.eachSecret(ctx, namespace, func(secret *corev1.Secret) {
		if pullsecret.OwnerOf(secret).Ours {
			places[delivered.Place{Namespace: secret.Namespace, Name: secret.Name}] = true
		}
	})
}

// eachSecret visits the Secrets of a namespace, or of all.
func (r *Reconciler) eachSecret(ctx context.Context, namespace string, visit func(*corev1.Secret)) {
	var secrets corev1.SecretList
	err := r.Secrets.List(ctx, namespace, &secrets, func() {
		for i := range secrets.Items {
			visit(&secrets.Items[i])
		}
	})
	if err != nil {
		sayUnread(ctx, err)
	}
}
