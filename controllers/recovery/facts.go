package recovery

import (
	"cmp"
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/target"
)

// gathered is a pod with the facts around it.
type gathered struct {
	diagnosis.Facts
	// owners as they were read, the pod's controller first.
	owners []*metav1.PartialObjectMetadata
}

// top is the object that people know the pod by, nil for a bare pod.
func (g gathered) top() *metav1.PartialObjectMetadata {
	if len(g.owners) == 0 {
		return nil
	}
	return g.owners[len(g.owners)-1]
}

func (r *Reconciler) gather(ctx context.Context, pod *corev1.Pod) (gathered, error) {
	g := gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: pod, RepullForbidden: r.repullForbidden.holds(r.Now()), Repulled: r.successors.repulled(pod.UID), RestartedFor: r.successors.restartedFor(pod)}}
	var namespace corev1.Namespace
	if err := r.Cluster.Get(ctx, client.ObjectKey{Name: pod.Namespace}, &namespace); err != nil {
		return g, client.IgnoreNotFound(err)
	}
	g.NamespaceAnnotations = namespace.Annotations
	var err error
	if g.Credentials, err = r.credentials(ctx, &namespace); err != nil {
		return g, err
	}
	// A protected namespace is selected by name alone.
	g.Protected = slices.Contains(r.protected(), namespace.Name) && len(g.Credentials) == 0
	if g.Secrets, err = r.secrets(ctx, pod, g.Credentials); err != nil {
		return g, err
	}
	if g.Account, err = r.account(ctx, pod); err != nil {
		return g, err
	}
	g.Owners, g.owners, err = r.owners.Of(ctx, r.Cluster, r.Writer, pod)
	return g, err
}

func (r *Reconciler) protected() []string { return append(slices.Clone(r.Protected), r.OwnNamespace) }

// credentials are the RegistryCredentials that select a namespace.
func (r *Reconciler) credentials(ctx context.Context, namespace *corev1.Namespace) ([]diagnosis.Credential, error) {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var credentials []diagnosis.Credential
	for i := range list.Items {
		object := &list.Items[i]
		selector, err := target.New(&object.Spec.Target, r.protected())
		if err != nil || object.DeletionTimestamp != nil || !selector.Selects(namespace.Name, namespace.Labels) {
			continue // a selector that does not parse is said at the object itself
		}
		credentials = append(credentials, r.credential(object, namespace.Name))
	}
	return credentials, nil
}

func (r *Reconciler) credential(object *v1alpha1.RegistryCredential, namespace string) diagnosis.Credential {
	c := diagnosis.CredentialOf(object)
	c.Provable = r.Prober != nil && object.Spec.VerificationMode() == v1alpha1.VerifyPull
	delivery, _ := r.Board.At(delivered.Place{Namespace: namespace, Name: c.SecretName}, object.Name)
	c.Problem, c.TakenBy = problem(delivery), delivery.TakenBy
	record := r.Store.Get(object.Name)
	if record.UID != object.UID || !record.Published() {
		for _, key := range target.Keys(&object.Spec) {
			c.Entries = append(c.Entries, diagnosis.Entry{Key: key})
		}
		return c
	}
	c.Published, c.Revision, c.Digest = true, record.Revision, record.Digest
	c.Entries = entries(record, object)
	return c
}

// problem is what keeps a delivery from being right until somebody does something about it.
func problem(d delivered.Delivery) string {
	switch d.Reason {
	case v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ReasonProgressing, v1alpha1.ReasonWriteFailed:
		return ""
	}
	return d.Message
}

// entries of a published value, with what its registry last said of each.
func entries(record records.Record, credential *v1alpha1.RegistryCredential) []diagnosis.Entry {
	spec := rotation.SpecOf(credential)
	var entries []diagnosis.Entry
	for key := range record.Config {
		entries = append(entries, standingOf(&record, spec, key).Entry(key))
	}
	return entries
}

// standingOf is the one place that reads verdicts from the record. An answer to a question that the spec does not ask any more says
// nothing.
func standingOf(record *records.Record, spec *rotation.Spec, key string) diagnosis.Standing {
	i := slices.IndexFunc(record.Accounts, func(a rotation.Account) bool { return slices.Contains(a.Keys, key) })
	if i < 0 {
		return diagnosis.Standing{}
	}
	test := record.Test(spec, record.Accounts[i])
	switch test.Verdict {
	case rotation.Rejected:
		return diagnosis.Standing{Rejected: cmp.Or(test.Message, "refused")}
	case rotation.Accepted:
		return diagnosis.Standing{Accepted: test.Time, Digests: test.Digests}
	}
	return diagnosis.Standing{Digests: test.Digests}
}

// secrets that the pod refers to, and those that the RegistryCredentials write.
func (r *Reconciler) secrets(ctx context.Context, pod *corev1.Pod, credentials []diagnosis.Credential) (map[string]diagnosis.Secret, error) {
	secrets := map[string]diagnosis.Secret{}
	for _, ref := range pod.Spec.ImagePullSecrets {
		secrets[ref.Name] = diagnosis.Secret{}
	}
	for _, c := range credentials {
		secrets[c.SecretName] = diagnosis.Secret{}
	}
	for name := range secrets {
		var secret corev1.Secret
		err := r.Secrets.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &secret)
		switch {
		case errors.Is(err, named.ErrNotAllowed):
			secrets[name] = diagnosis.Secret{Unread: true}
		case errors.Is(err, named.ErrNotHeld):
			secrets[name] = diagnosis.NotHeld(&secret)
		case apierrors.IsNotFound(err):
			secrets[name] = diagnosis.Secret{Missing: true}
		case err != nil:
			return nil, err
		default:
			secrets[name] = r.secretFacts.Of(&secret)
		}
	}
	return secrets, nil
}

func (r *Reconciler) account(ctx context.Context, pod *corev1.Pod) (diagnosis.Account, error) {
	name := pod.Spec.ServiceAccountName
	if name == "" {
		name = v1alpha1.DefaultServiceAccount
	}
	var account corev1.ServiceAccount
	err := r.ServiceAccounts.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &account)
	switch {
	case errors.Is(err, named.ErrNotAllowed), errors.Is(err, named.ErrNotHeld):
		return diagnosis.Account{Name: name, Unread: true}, nil
	case apierrors.IsNotFound(err):
		return diagnosis.Account{Name: name, Missing: true}, nil
	case err != nil:
		return diagnosis.Account{}, err
	}
	return diagnosis.NewAccount(&account), nil
}
