package delivery

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// Removal is how many namespaces hold a RegistryCredential's entries, and how many of them it no longer selects.
type Removal struct {
	Holding int
	Losing  int
}

// NeedsConfirmation reports whether a removal is so large that it looks like a mistake: more than five namespaces and more
// than a fifth of those that hold the credential.
func (r Removal) NeedsConfirmation() bool {
	return r.Losing > 5 && r.Losing*5 > r.Holding
}

// Confirmed reports whether the removal was confirmed for this generation of the spec.
func Confirmed(credential *v1alpha1.RegistryCredential) bool {
	return credential.Annotations[v1alpha1.ConfirmRemovalAnnotation] == strconv.FormatInt(credential.Generation, 10)
}

// Removals counts what a RegistryCredential would lose by its present spec.
func (r *Reconciler) Removals(ctx context.Context, credential *v1alpha1.RegistryCredential) (Removal, error) {
	selector, err := target.New(&credential.Spec.Target, r.Protected)
	if err != nil {
		return Removal{}, err
	}
	var namespaces corev1.NamespaceList
	if err := r.Cluster.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return Removal{}, err
	}
	selected, alive := map[string]bool{}, map[string]bool{}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		alive[namespace.Name] = namespace.DeletionTimestamp == nil
		selected[namespace.Name] = selector.Selects(namespace.Name, namespace.Labels)
	}
	holding := map[string]bool{}
	var secrets corev1.SecretList
	err = r.Secrets.List(ctx, "", &secrets, func() {
		for i := range secrets.Items {
			secret := &secrets.Items[i]
			if _, recorded := pullsecret.SourcesOf(secret.Annotations)[credential.Name]; recorded && pullsecret.OwnerOf(secret).Ours && alive[secret.Namespace] {
				holding[secret.Namespace] = true
			}
		}
	})
	removal := Removal{Holding: len(holding)}
	for namespace := range holding {
		if !selected[namespace] {
			removal.Losing++
		}
	}
	return removal, err
}

// Held counts a removal and reports whether it waits for confirmation.
func (r *Reconciler) Held(ctx context.Context, credential *v1alpha1.RegistryCredential) (Removal, bool, error) {
	removal, err := r.Removals(ctx, credential)
	return removal, removal.NeedsConfirmation() && !Confirmed(credential), err
}

func (r *Reconciler) removalHeld(ctx context.Context, credential *v1alpha1.RegistryCredential) (bool, error) {
	if Confirmed(credential) {
		return false, nil // no need to count
	}
	_, held, err := r.Held(ctx, credential)
	return held, err
}
