package delivery

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// facts are everything that the decision about one place rests on.
type facts struct {
	place publish.Place
	// namespace is nil where it does not exist or is being deleted.
	namespace *corev1.Namespace
	// selecting are the RegistryCredentials that select this place and are not being deleted.
	selecting []*v1alpha1.RegistryCredential
	// contributions of selecting, and of those whose entries must stay for now.
	contributions []pullsecret.Contribution
	// all RegistryCredentials by name.
	all map[string]*v1alpha1.RegistryCredential
	// secret as the cache shows it, nil where there is none.
	secret *corev1.Secret
}

func (f facts) exists(name string) bool { return f.all[name] != nil }

// accounts that must name the Secret: those of all RegistryCredentials that have something in it.
func (f facts) accounts() []string {
	var accounts []string
	for _, credential := range f.selecting {
		accounts = append(accounts, credential.Spec.Target.Accounts()...)
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

func (r *Reconciler) gather(ctx context.Context, place publish.Place) (facts, error) {
	f := facts{place: place, all: map[string]*v1alpha1.RegistryCredential{}}
	var namespace corev1.Namespace
	err := r.Cluster.Get(ctx, client.ObjectKey{Name: place.Namespace}, &namespace)
	if apierrors.IsNotFound(err) || err == nil && namespace.DeletionTimestamp != nil {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.namespace = &namespace
	if f.secret, err = r.currentSecret(ctx, place); err != nil {
		return f, err
	}
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return f, err
	}
	for i := range list.Items {
		f.all[list.Items[i].Name] = &list.Items[i]
	}
	recorded := pullsecret.Sources{}
	if f.secret != nil {
		recorded = pullsecret.SourcesOf(f.secret.Annotations)
	}
	for i := range list.Items {
		if err := r.consider(ctx, &f, &list.Items[i], recorded); err != nil {
			return f, err
		}
	}
	return f, nil
}

// consider adds what one RegistryCredential contributes here, if anything.
func (r *Reconciler) consider(ctx context.Context, f *facts, credential *v1alpha1.RegistryCredential, recorded pullsecret.Sources) error {
	_, isRecorded := recorded[credential.Name]
	contribution := pullsecret.Contribution{
		Credential: credential.Name, Created: credential.CreationTimestamp.Time,
		Adopt: credential.Spec.Target.Existing() == v1alpha1.ExistingAdopt,
	}
	switch selects, valid := r.selects(credential, f); {
	case credential.DeletionTimestamp != nil:
		// Being deleted: with Retain its entries stay as they are, with Delete they go.
		if isRecorded && credential.Spec.Policy() == v1alpha1.DeletionRetain {
			f.contributions = append(f.contributions, contribution)
		}
	case !valid:
		if isRecorded {
			f.contributions = append(f.contributions, contribution)
		}
	case selects:
		record := r.Store.Get(credential.Name)
		if record.UID == credential.UID && record.Published() && !credential.Spec.Suspend {
			contribution.Config, contribution.Revision = record.Config, record.Revision
		}
		f.selecting = append(f.selecting, credential)
		f.contributions = append(f.contributions, contribution)
	case isRecorded:
		held, err := r.removalHeld(ctx, credential)
		if err != nil {
			return err
		}
		if held || credential.Spec.Suspend {
			f.contributions = append(f.contributions, contribution)
		}
	}
	return nil
}

// selects reports whether a RegistryCredential selects the place, and whether its selector can be read at all.
func (r *Reconciler) selects(credential *v1alpha1.RegistryCredential, f *facts) (selects, valid bool) {
	selector, err := target.New(&credential.Spec.Target, r.Protected)
	if err != nil {
		return false, false
	}
	return credential.Spec.Target.Name() == f.place.Name && selector.Selects(f.namespace.Name, f.namespace.Labels), true
}

func (r *Reconciler) currentSecret(ctx context.Context, place publish.Place) (*corev1.Secret, error) {
	var secret corev1.Secret
	err := r.Secrets.Get(ctx, client.ObjectKey{Namespace: place.Namespace, Name: place.Name}, &secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &secret, nil
}
