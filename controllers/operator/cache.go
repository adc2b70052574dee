package operator

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/diagnosis"
)

// CacheOptions of the manager's cache, of an operator in a namespace. What is not listed here is not cached: a stray read fails instead of
// starting a watch on all objects of a kind. Pull Secrets, ServiceAccounts and pods have caches of their own, by name and by phase.
func CacheOptions(namespace string) cache.Options {
	own := map[string]cache.Config{namespace: {}}
	options := cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.RegistryCredential{}: {},
			&v1alpha1.VaultConnection{}:    {},
			&corev1.Namespace{}:            {Transform: stripNamespace},
			&corev1.Secret{}:               {Namespaces: own},
			&corev1.ConfigMap{}:            {Namespaces: own},
		},
	}
	maps.Copy(options.ByObject, recovery.CacheOptions())
	return options
}

// addInformers has all kinds that the manager's cache may hold filled before any controller starts, and on a standby, too. Handlers of
// events read other kinds than their own, and have no second try: where the informer of namespaces came a moment after that of
// RegistryCredentials, the namespaces that one selects were not known until it changed.
func addInformers(ctx context.Context, informers cache.Informers, namespace string) error {
	for kind := range CacheOptions(namespace).ByObject {
		_, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if meta.IsNoMatchError(err) {
			return fmt.Errorf("the API server does not know a kind that regcred needs: install its CRDs first: %w", err)
		}
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}

// stripNamespace leaves of a namespace what is read: tools keep whole manifests in annotations.
func stripNamespace(in any) (any, error) {
	namespace, ok := in.(*corev1.Namespace)
	if !ok {
		return in, nil
	}
	namespace.ManagedFields, namespace.Spec, namespace.Status = nil, corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	namespace.Annotations = diagnosis.Annotations(namespace.Annotations)
	return namespace, nil
}
