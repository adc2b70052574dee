package delivery

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
)

// credentials are all RegistryCredentials, none older than the one that its value was put in use for. The cache can be behind that where
// another process was the leader a moment ago: such a one is read past it. If that, too, is older, the cluster was set back, and it counts. One that is
// gone keeps nobody else from being served.
func (r *Reconciler) credentials(ctx context.Context, values records.Snapshot) ([]v1alpha1.RegistryCredential, error) {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	gone := 0
	for i := range list.Items {
		one := &list.Items[i-gone]
		*one = list.Items[i]
		uid, generation := values.KeptFor(one.Name)
		if !r.olderThan(one, uid, generation) {
			continue
		}
		live, err := r.readPast(ctx, one, uid)
		switch {
		case apierrors.IsNotFound(err):
			gone++
		case err != nil:
			return nil, fmt.Errorf("read the RegistryCredential %s, of which a newer one is known than the cache has: %w", one.Name, err)
		default:
			*one = *live
		}
	}
	return list.Items[:len(list.Items)-gone], nil
}

// olderThan reports whether the cache shows an older RegistryCredential than the one that a value was put in use for.
func (r *Reconciler) olderThan(one *v1alpha1.RegistryCredential, uid types.UID, generation int64) bool {
	if uid == one.UID {
		return generation > one.Generation
	}
	return uid != "" && !r.successors.is(one, uid)
}

// readPast reads one past the cache, and notes where it is no older than the one that its value was put in use for after all.
func (r *Reconciler) readPast(ctx context.Context, one *v1alpha1.RegistryCredential, uid types.UID) (*v1alpha1.RegistryCredential, error) {
	var live v1alpha1.RegistryCredential
	if err := r.Writer.Get(ctx, client.ObjectKey{Name: one.Name}, &live); err != nil {
		return nil, err
	}
	if live.UID == one.UID && uid != one.UID {
		r.successors.note(one, uid)
	}
	return &live, nil
}

// asShown reports whether a RegistryCredential, and whether it selects some namespaces, is as the caches show it. What is taken away is not decided
// by a spec or by labels that are no more: a cache can be behind by longer than a removal takes to settle.
func (r *Reconciler) asShown(ctx context.Context, credential *v1alpha1.RegistryCredential, namespaces []string) (bool, error) {
	var live v1alpha1.RegistryCredential
	err := r.Writer.Get(ctx, client.ObjectKey{Name: credential.Name}, &live)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the RegistryCredential %s, of which entries are to be removed: %w", credential.Name, err)
	}
	if live.UID != credential.UID || live.Generation != credential.Generation || live.DeletionTimestamp != nil && credential.DeletionTimestamp == nil {
		return false, nil
	}
	return r.labelsAsShown(ctx, credential, namespaces)
}

// fewNamespaces are read one by one.
const fewNamespaces = 8

func (r *Reconciler) labelsAsShown(ctx context.Context, credential *v1alpha1.RegistryCredential, namespaces []string) (bool, error) {
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if len(namespaces) > fewNamespaces {
		if err := r.Writer.List(ctx, all); err != nil {
			return false, fmt.Errorf("list the namespaces of which some are to lose entries of the RegistryCredential %s: %w", credential.Name, err)
		}
	} else {
		for _, name := range namespaces {
			one := metav1.PartialObjectMetadata{}
			one.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
			if err := r.Writer.Get(ctx, client.ObjectKey{Name: name}, &one); client.IgnoreNotFound(err) != nil {
				return false, fmt.Errorf("read a namespace that is to lose entries of the RegistryCredential %s: %w", credential.Name, err)
			} else if err == nil {
				all.Items = append(all.Items, one)
			}
		}
	}
	for i := range all.Items {
		if slices.Contains(namespaces, all.Items[i].Name) {
			if same, err := r.selectsAsShown(ctx, credential, &all.Items[i]); err != nil || !same {
				return false, err
			}
		}
	}
	return true, nil
}

// selectsAsShown reports whether a RegistryCredential selects a namespace, or not, as the cache shows it.
func (r *Reconciler) selectsAsShown(ctx context.Context, credential *v1alpha1.RegistryCredential, live *metav1.PartialObjectMetadata) (bool, error) {
	var shown corev1.Namespace
	if err := r.Cluster.Get(ctx, client.ObjectKey{Name: live.Name}, &shown, client.UnsafeDisableDeepCopy); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	before, _ := r.selects(credential, &shown)
	now, _ := r.selects(credential, &corev1.Namespace{ObjectMeta: live.ObjectMeta})
	return now == before && live.UID == shown.UID, nil
}

// successors are the RegistryCredentials that were created again and of which the API server was asked: what is kept under their name is of the one
// before, until a value of theirs is published.
type successors struct {
	mu sync.Mutex
	m  map[string]succession
}

// succession is which RegistryCredential came after which.
type succession struct{ uid, before types.UID }

func (s *successors) is(credential *v1alpha1.RegistryCredential, before types.UID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[credential.Name] == succession{credential.UID, before}
}

func (s *successors) note(credential *v1alpha1.RegistryCredential, before types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]succession{}
	}
	s.m[credential.Name] = succession{credential.UID, before}
}

func (s *successors) forget(credential string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, credential)
}
