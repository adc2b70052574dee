package delivery

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
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

// leave notes that a place is gone with its namespace: it loses nothing any more.
func (r *Reconciler) leave(ctx context.Context, place delivered.Place) error {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	var failed []error
	for i := range list.Items {
		failed = append(failed, r.losesNothing(ctx, &list.Items[i], place))
	}
	return errors.Join(failed...)
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
		return r.staysUnknown(ctx, f, credential)
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

// staysUnknown reports whether what nobody knows to be delivered stays: what another process delivered a moment ago looks like that to a cache that is
// behind.
func (r *Reconciler) staysUnknown(ctx context.Context, f *facts, credential *v1alpha1.RegistryCredential) (bool, error) {
	same, err := r.asShown(ctx, credential, []string{f.namespace.Name})
	if err == nil && !same {
		f.waiting(credential.Name, verdict{after: decideAgain})
	}
	return !same, err
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

// own are those of the keys known to be delivered whose entries are given new values while they stay. Where that was only found recorded when this
// process started, the Secret must have a value that is or was in use: who forges a record is given none by it.
func (f *facts) own(credential *v1alpha1.RegistryCredential, known []string, seen bool) []string {
	if seen || len(known) == 0 {
		return known
	}
	entries, err := dockerconfig.ParseRaw(f.secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return nil
	}
	record := f.values.Get(credential.Name)
	values := []dockerconfig.Config{record.Config}
	if record.Previous != nil {
		values = append(values, record.Previous.Config)
	}
	if record.Waiting != nil { // it was in use where regcred went back from it
		values = append(values, record.Waiting.Config)
	}
	return slices.DeleteFunc(slices.Clone(known), func(key string) bool {
		there, err := dockerconfig.ParseKept(key, entries[key])
		return err != nil || !slices.ContainsFunc(values, func(value dockerconfig.Config) bool {
			one, has := value[key]
			return has && one.Equal(there)
		})
	})
}

// ends notes for whom nothing is left to go from a Secret. The next look at the place would find that out, too, but a write that left all as it
// should be is followed by none: until something else changed, the next mistake would be taken for a part of the removal that is over.
func (r *Reconciler) ends(ctx context.Context, f facts, secret *corev1.Secret) error {
	if secret == nil || secret.ResourceVersion == "" { // it is gone, or new: the watch tells of it, and the place is looked at again
		return nil
	}
	written := pullsecret.SourcesOf(secret.Annotations)
	var failed []error
	for _, one := range f.losses {
		if len(intersection(written[one.credential.Name].Keys, one.keys)) == 0 {
			failed = append(failed, r.losesNothing(ctx, one.credential, f.place))
		}
	}
	return errors.Join(failed...)
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
