package delivery

import (
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// needsConfirmation reports whether a removal is so large that it looks like a mistake: more than five namespaces and more
// than a fifth of those that hold the credential.
func needsConfirmation(r delivered.Removal) bool {
	return r.Losing > 5 && r.Losing*5 > r.Holding
}

// Confirmed reports whether the removal was confirmed for this generation of the spec.
func Confirmed(credential *v1alpha1.RegistryCredential) bool {
	return credential.Annotations[v1alpha1.ConfirmRemovalAnnotation] == strconv.FormatInt(credential.Generation, 10)
}

// Removal counts what a RegistryCredential is about to lose and says whether that waits for confirmation.
func (r *Reconciler) Removal(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error) {
	removal, err := r.Removals(ctx, credential)
	if removal.Held = needsConfirmation(removal) && !Confirmed(credential); removal.Held {
		removal.ID = strconv.FormatInt(credential.Generation, 10)
	}
	return removal, err
}

func (r *Reconciler) removalHeld(ctx context.Context, credential *v1alpha1.RegistryCredential) (bool, error) {
	if Confirmed(credential) {
		return false, nil // no need to count
	}
	removal, err := r.Removal(ctx, credential)
	return removal.Held, err
}

// Removals counts what a RegistryCredential would lose by its present spec. Namespaces that are being deleted do not count. That
// nothing is left of one that is being deleted is not believed to a cache.
func (r *Reconciler) Removals(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error) {
	var namespaces corev1.NamespaceList
	if err := r.Cluster.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return delivered.Removal{}, err
	}
	selector, invalid := target.New(&credential.Spec.Target, r.Protected)
	selected, alive := map[string]bool{}, map[string]bool{}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		alive[namespace.Name] = namespace.DeletionTimestamp == nil
		selected[namespace.Name] = invalid != nil || selector.Selects(namespace.Name, namespace.Labels)
	}
	holding, losing := map[string]bool{}, map[string]bool{}
	var secrets corev1.SecretList
	err := r.Secrets.List(ctx, "", &secrets, func() {
		for i := range secrets.Items {
			secret := &secrets.Items[i]
			if !alive[secret.Namespace] || !recordsEntriesOf(secret, credential.Name) || !pullsecret.OwnerOf(secret).Ours {
				continue
			}
			holding[secret.Namespace] = true
			if !selected[secret.Namespace] || invalid == nil && secret.Name != credential.Spec.Target.Name() {
				losing[secret.Namespace] = true
			}
		}
	})
	if err == nil && len(holding) == 0 && credential.DeletionTimestamp != nil {
		holding, err = r.holdingNow(ctx, credential.Name, alive)
	}
	return delivered.Removal{Holding: len(holding), Losing: len(losing)}, err
}

// holdingNow asks the API server which namespaces hold entries of a RegistryCredential.
func (r *Reconciler) holdingNow(ctx context.Context, credential string, alive map[string]bool) (map[string]bool, error) {
	holding := map[string]bool{}
	for _, name := range r.Secrets.Names() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		options := []client.ListOption{client.MatchingFields{"metadata.name": name}}
		if name == named.Any {
			options = []client.ListOption{client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}}
		}
		if err := r.Writer.List(ctx, list, options...); err != nil {
			return nil, err
		}
		for i := range list.Items {
			item := &list.Items[i]
			if alive[item.Namespace] && item.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue && recordsEntriesOf(item, credential) {
				holding[item.Namespace] = true
			}
		}
	}
	return holding, nil
}

func recordsEntriesOf(secret client.Object, credential string) bool {
	// Every RegistryCredential looks through all Secrets, and most of them do not name it: those are not decoded.
	if !strings.Contains(secret.GetAnnotations()[v1alpha1.SourcesAnnotation], strconv.Quote(credential)) {
		return false
	}
	_, recorded := pullsecret.SourcesOf(secret.GetAnnotations())[credential]
	return recorded
}
