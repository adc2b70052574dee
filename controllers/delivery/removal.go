package delivery

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/removal"
)

// refusedFor is how long a deletion waits for a namespace that refuses to have its Secret changed: its people can make that last.
const refusedFor = 10 * time.Minute

// Removal says what a RegistryCredential is about to lose, and whether that waits for confirmation. It costs nothing for namespaces
// that lose nothing. That nothing is left of one that is being deleted is not believed to what was watched.
func (r *Reconciler) Removal(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error) {
	result, err := r.pending(ctx, credential)
	if credential.DeletionTimestamp == nil || err != nil {
		return result, err
	}
	holding := map[string]bool{}
	for place := range r.ledger.of(credential.Name) {
		if r.detains(credential, place) {
			holding[place.Namespace] = true
		}
	}
	if len(holding) == 0 {
		if holding, err = r.holdingNow(ctx, credential); err == nil && len(holding) == 0 && credential.Spec.Policy() == v1alpha1.DeletionDelete {
			r.departed.leaves(credential.Name, r.Now())
		}
	}
	result.Holding = len(holding)
	return result, err
}

// pending says what waits for confirmation. What an operator that ran before kept waits until it was looked at again; where no place was
// found to lose anything since the start, that is done here: perhaps the mistake was corrected while no operator ran.
func (r *Reconciler) pending(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error) {
	k, now := r.lock(credential)
	defer k.mu.Unlock()
	if err := r.keepTakenBack(ctx, credential, k, now); err != nil {
		return delivered.Removal{}, err
	}
	kept := k.state.Pending != nil && (k.decided.IsZero() || k.behind)
	if kept && len(k.losing) == 0 && now.Sub(k.began) >= settleAtMost {
		if err := r.decide(ctx, credential, k); err != nil {
			return delivered.Removal{}, err
		}
		kept = k.behind
	}
	result := delivered.Removal{Holding: r.ledger.holding(credential.Name)}
	switch {
	case kept:
		result.Losing, result.Held, result.ID = k.state.Pending.Namespaces, true, k.state.Pending.ID
		k.wake.Do(func() { time.AfterFunc(settleAtMost+time.Second, func() { r.Board.Touch(credential.Name) }) })
	case len(k.losing) > 0:
		result.Losing, result.What, result.Held, result.ID = k.outcome.Losing, k.outcome.What, k.outcome.Held, k.outcome.ID
	}
	return result, nil
}

// detains reports whether a deletion waits for a place. One that refuses to be changed is waited for refusedFor, and not for ever.
func (r *Reconciler) detains(credential *v1alpha1.RegistryCredential, place delivered.Place) bool {
	if r.Now().Sub(credential.DeletionTimestamp.Time) < refusedFor {
		return true
	}
	known, _ := r.Board.At(place, credential.Name)
	waits := []string{"", v1alpha1.ReasonRemovalUnconfirmed, v1alpha1.ReasonProgressing, v1alpha1.ReasonWriteFailed}
	return slices.Contains(waits, known.Reason)
}

// losses are the names of the namespaces that are known to hold entries of a RegistryCredential, and what their Secrets lose.
func (r *Reconciler) losses(ctx context.Context, credential *v1alpha1.RegistryCredential) (holding []string, losing []removal.Part, err error) {
	holds, record := map[string]bool{}, r.Store.Get(credential.Name)
	for place, one := range r.ledger.of(credential.Name) {
		if len(one.known) == 0 {
			continue // its people wrote the record: it is told of nobody else
		}
		var namespace corev1.Namespace
		err := r.Cluster.Get(ctx, client.ObjectKey{Name: place.Namespace}, &namespace)
		if apierrors.IsNotFound(err) || err == nil && namespace.DeletionTimestamp != nil {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		holds[namespace.Name] = true
		loses, keys, err := r.loses(ctx, credential, record, &namespace, place.Name, one)
		if err != nil {
			return nil, nil, err
		}
		if loses {
			losing = append(losing, removal.Part{Namespace: namespace.Name, Secret: place.Name, Keys: keys})
		}
	}
	return slices.Sorted(maps.Keys(holds)), losing, nil
}

// what says what goes, so that a person who confirms it knows.
func what(losing []removal.Part) string {
	keys, whole := map[string]bool{}, false
	for _, part := range losing {
		whole = whole || len(part.Keys) == 0
		for _, key := range part.Keys {
			keys[key] = true
		}
	}
	entries := "its entry for " + firstOf(slices.Sorted(maps.Keys(keys)))
	switch {
	case len(keys) == 0:
		return "it"
	case whole:
		return "it, or " + entries
	}
	return entries
}

// unaimed reports whether a RegistryCredential that is not being deleted selects no namespace that is there to stay.
func (r *Reconciler) unaimed(ctx context.Context, credential *v1alpha1.RegistryCredential) (bool, error) {
	if credential.DeletionTimestamp != nil {
		return false, nil
	}
	var list corev1.NamespaceList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return false, err
	}
	for i := range list.Items {
		if namespace := &list.Items[i]; namespace.DeletionTimestamp == nil {
			if selected, _ := r.selects(credential, namespace); selected { // nobody loses anything by a selector that cannot be read
				return false, nil
			}
		}
	}
	return true, nil
}

// loses reports whether a Secret is to lose entries of a RegistryCredential with this record. It is those with keys, or all where there are none.
func (r *Reconciler) loses(ctx context.Context, credential *v1alpha1.RegistryCredential, record records.Record, namespace *corev1.Namespace, secret string, one held) (loses bool, keys []string, err error) {
	if credential.DeletionTimestamp != nil {
		return credential.Spec.Policy() == v1alpha1.DeletionDelete, nil, nil
	}
	selected, readable := r.selects(credential, namespace)
	if credential.Spec.Suspend || !readable {
		return false, nil, nil
	}
	if !selected || secret != credential.Spec.Target.Name() {
		return true, nil, nil
	}
	missing := missing(record, credential, one.known)
	if len(missing) == 0 {
		return false, nil, nil
	}
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return false, nil, err
	}
	_, keys = r.stillListed(namespace, secret, missing, list.Items)
	return len(keys) > 0, keys, nil
}

// holdingNow asks the API server which namespaces hold entries of a RegistryCredential.
func (r *Reconciler) holdingNow(ctx context.Context, credential *v1alpha1.RegistryCredential) (map[string]bool, error) {
	holding := map[string]bool{}
	for _, name := range r.Secrets.Names() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		options := []client.ListOption{client.MatchingFields{"metadata.name": name}}
		if name == named.Any {
			options = []client.ListOption{client.MatchingLabels{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}}
		}
		if err := r.Writer.List(ctx, list, options...); err != nil {
			return nil, err
		}
		for i := range list.Items {
			item := &list.Items[i]
			secret := &corev1.Secret{ObjectMeta: item.ObjectMeta}
			if _, recorded := pullsecret.SourcesOf(item.Annotations)[credential.Name]; !recorded || !pullsecret.OwnerOf(secret).Ours {
				continue
			}
			if r.detains(credential, delivered.Place{Namespace: item.Namespace, Name: item.Name}) && r.alive(ctx, item.Namespace) {
				holding[item.Namespace] = true
			}
		}
	}
	return holding, nil
}

// alive reports whether a namespace is there and not being deleted. One that cannot be read is.
func (r *Reconciler) alive(ctx context.Context, name string) bool {
	var namespace corev1.Namespace
	err := r.Cluster.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	return !apierrors.IsNotFound(err) && namespace.DeletionTimestamp == nil
}
