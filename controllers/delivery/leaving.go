package delivery

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// gatherLeaving gathers who is to be told that a namespace is being deleted.
func (r *Reconciler) gatherLeaving(ctx context.Context, f *facts, namespace *corev1.Namespace) error {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range list.Items {
		if selected, _ := r.selects(&list.Items[i], namespace); selected && list.Items[i].Spec.Target.Name() == f.place.Name {
			f.selecting = append(f.selecting, &list.Items[i])
		}
	}
	return nil
}

// stays reports whether the entries of a RegistryCredential stay where it does not select the place any more. known says that any of them
// was delivered: what its namespace's people wrote goes, and no decision is made about it that concerns others.
func (r *Reconciler) stays(ctx context.Context, f *facts, credential *v1alpha1.RegistryCredential, readable, selected, known bool) (bool, error) {
	deleted, newer := credential.DeletionTimestamp != nil, r.Store.IsLeftAlone(credential.Name)
	switch {
	case deleted && credential.Spec.Policy() == v1alpha1.DeletionRetain, newer:
		// Of removals that a newer version recorded nothing is known here.
		return true, nil
	case !deleted && (credential.Spec.Suspend || !readable): // a selector that cannot be read deselects nothing
		return true, nil
	case !known:
		return false, nil
	case deleted:
	case selected: // under another name: not before it is there
		arrived, err := r.arrived(ctx, credential, f.namespace.Name)
		if err != nil || !arrived {
			return true, err
		}
	}
	decided, err := r.mayLose(ctx, credential, f.place)
	f.waiting(credential.Name, decided)
	return !decided.granted, err
}

// returns reports whether new pods get the name again by the admission policy, after a while in which they did not. Where nothing may be
// written that is told later.
func (f *facts) returns(credential *v1alpha1.RegistryCredential, published bool) bool {
	switch {
	case credential.Spec.Target.Attachment() != v1alpha1.AttachPods:
		return false
	case f.namespace.Annotations[v1alpha1.AttachAnnotation] == v1alpha1.AttachDisabled:
		f.memory.goes(credential.Name)
		return false
	}
	return published && f.memory.away[credential.Name]
}

// waiting notes that entries wait for a removal to be decided or confirmed.
func (f *facts) waiting(credential string, decided verdict) {
	if decided.granted {
		return
	}
	if f.waits == nil {
		f.waits = map[string]verdict{}
	}
	f.waits[credential] = decided
}

// arrived reports whether a namespace has the Secret that a RegistryCredential wants now.
func (r *Reconciler) arrived(ctx context.Context, credential *v1alpha1.RegistryCredential, namespace string) (bool, error) {
	name := credential.Spec.Target.Name()
	if !r.Secrets.Allowed(name) {
		return false, nil
	}
	object, err := r.read(ctx, r.Secrets, client.ObjectKey{Namespace: namespace, Name: name}, func() client.Object { return &corev1.Secret{} }, &trace{})
	secret, _ := object.(*corev1.Secret)
	if err != nil || secret == nil || !pullsecret.OwnerOf(secret).Ours {
		return false, err
	}
	_, there := pullsecret.SourcesOf(secret.Annotations)[credential.Name]
	return there, nil
}
