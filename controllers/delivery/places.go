package delivery

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// placesOfEvent notes what the watch tells of a RegistryCredential and gives its places.
func (r *Reconciler) placesOfEvent(ctx context.Context, credential *v1alpha1.RegistryCredential) []delivered.Place {
	r.departed.note(credential)
	return r.placesOf(ctx, credential)
}

// placesOf are the places that a RegistryCredential selects, and those that hold, or last held, entries of it.
func (r *Reconciler) placesOf(ctx context.Context, credential *v1alpha1.RegistryCredential) []delivered.Place {
	places := map[delivered.Place]bool{}
	for _, place := range r.Board.Places(credential.Name) {
		places[place] = true
	}
	name := credential.Spec.Target.Name()
	var namespaces corev1.NamespaceList
	if selector, err := target.New(&credential.Spec.Target, r.Protected); err == nil && r.Secrets.Allowed(name) &&
		r.Cluster.List(ctx, &namespaces, client.UnsafeDisableDeepCopy) == nil {
		for i := range namespaces.Items {
			if selector.Selects(namespaces.Items[i].Name, namespaces.Items[i].Labels) {
				places[delivered.Place{Namespace: namespaces.Items[i].Name, Name: name}] = true
			}
		}
	}
	r.eachSecret(ctx, "", func(secret *corev1.Secret) {
		if recordsEntriesOf(secret, credential.Name) {
			places[delivered.Place{Namespace: secret.Namespace, Name: secret.Name}] = true
		}
	})
	return collect(places)
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

func (r *Reconciler) placesFor(ctx context.Context, account *corev1.ServiceAccount) []delivered.Place {
	return r.placesIn(ctx, account.Namespace)
}

// placesBeside are the place of a Secret, and the others of ours in its namespace: one may wait until it can give way to this.
func (r *Reconciler) placesBeside(ctx context.Context, secret *corev1.Secret) []delivered.Place {
	places := map[delivered.Place]bool{}
	if pullsecret.OwnerOf(secret).Ours || r.wantedNames(ctx)[secret.Name] {
		places[delivered.Place{Namespace: secret.Namespace, Name: secret.Name}] = true
		r.addOurs(ctx, secret.Namespace, places)
	}
	return collect(places)
}

// wantedNames are the Secret names that RegistryCredentials want and that the operator was given.
func (r *Reconciler) wantedNames(ctx context.Context) map[string]bool {
	names := map[string]bool{}
	var list v1alpha1.RegistryCredentialList
	if r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy) == nil {
		for i := range list.Items {
			if name := list.Items[i].Spec.Target.Name(); r.Secrets.Allowed(name) {
				names[name] = true
			}
		}
	}
	return names
}

func (r *Reconciler) addOurs(ctx context.Context, namespace string, places map[delivered.Place]bool) {
	r.eachSecret(ctx, namespace, func(secret *corev1.Secret) {
		if pullsecret.OwnerOf(secret).Ours {
			places[delivered.Place{Namespace: secret.Namespace, Name: secret.Name}] = true
		}
	})
}

// eachSecret visits the Secrets of a namespace, or of all. A cache that is not there yet sends its own events when it is.
func (r *Reconciler) eachSecret(ctx context.Context, namespace string, visit func(*corev1.Secret)) {
	var secrets corev1.SecretList
	_ = r.Secrets.List(ctx, namespace, &secrets, func() {
		for i := range secrets.Items {
			visit(&secrets.Items[i])
		}
	})
}
