package delivery

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/target"
)

// facts are everything that the decision about one place rests on.
type facts struct {
	place delivered.Place
	// values are what is published, as it was before it was read who is to have it.
	values records.Snapshot
	// namespace is nil where it does not exist or is being deleted.
	namespace *corev1.Namespace
	memory    *memory
	// selecting are the RegistryCredentials that select this place and are not being deleted.
	selecting []*v1alpha1.RegistryCredential
	// staying are those that do not select it, and whose entries must stay for now.
	staying []*v1alpha1.RegistryCredential
	// leaves are those whose entries go.
	leaves []*v1alpha1.RegistryCredential
	// losses are what was delivered here and may go now, of RegistryCredentials that select the place and of others.
	losses []loss
	// waits says which entries wait, and for what.
	waits map[string]verdict
	// undecided are why it could not be decided whether entries go. They stay until it is, and keep nobody else from being served.
	undecided []error
	// contributions of both.
	contributions []pullsecret.Contribution
	// exists says whether there is a RegistryCredential of this name.
	exists func(name string) bool
	// secret as it is, nil where there is none.
	secret *corev1.Secret
	// ours is the Secret if it is regcred's, else nil.
	ours *corev1.Secret
	// recorded is what the Secret says that it holds. A foreign Secret records nothing.
	recorded pullsecret.Sources
	// injected says that pods get the Secret without their ServiceAccount, where a RegistryCredential asks for that.
	injected bool
}

// found notes the Secret. It is read once for all RegistryCredentials: a namespace's people decide how long its record is.
func (f *facts) found(secret *corev1.Secret) {
	f.secret, f.recorded = secret, pullsecret.Sources{}
	if secret != nil && pullsecret.OwnerOf(secret).Ours {
		f.ours, f.recorded = secret, pullsecret.SourcesOf(secret.Annotations)
	}
}

// concerned are the RegistryCredentials that select the place, or whose entries in it stay or go. Whatever else is recorded there its
// namespace's people can write.
func (f facts) concerned() []string {
	var names []string
	for _, credential := range slices.Concat(f.selecting, f.staying, f.leaves) {
		names = append(names, credential.Name)
	}
	return names
}

// revisions are those that a Secret holds of the RegistryCredentials that are concerned, by name: empty where it holds nothing of one.
func (f facts) revisions(secret *corev1.Secret) map[string]string {
	held, written := map[string]string{}, recordOf(secret)
	for _, name := range f.concerned() {
		held[name] = written[name].Revision
	}
	return held
}

// recordOf is what a Secret records, nothing where there is none.
func recordOf(secret *corev1.Secret) pullsecret.Sources {
	if secret == nil {
		return nil
	}
	return pullsecret.SourcesOf(secret.Annotations)
}

// wanted are the ServiceAccounts that must name the Secret: those of all RegistryCredentials that select the place, have
// something in the Secret and may write.
func (f facts) wanted(written pullsecret.Sources) []string {
	var accounts []string
	for _, credential := range f.selecting {
		if _, there := written[credential.Name]; there && !credential.Spec.Suspend {
			accounts = append(accounts, credential.Spec.Target.Accounts()...)
		}
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// keeps reports whether a ServiceAccount that names the Secret goes on to: a RegistryCredential that is still here wants it, or has no
// other way to pods yet, or one that was deleted left its entries, and nobody knows any more which ServiceAccounts it served.
func (f facts) keeps(account string) bool {
	for _, credentials := range [][]*v1alpha1.RegistryCredential{f.selecting, f.staying} {
		for _, credential := range credentials {
			if slices.Contains(credential.Spec.Target.Accounts(), account) {
				return true
			}
			if credential.Spec.Target.Attachment() == v1alpha1.AttachPods && !f.injected {
				return true
			}
		}
	}
	return len(f.recorded.Retained(f.exists)) > 0
}

// gather reads what is published first, and then who is to have it: a value that was published for who is selected now is so never
// given to who was selected before.
func (r *Reconciler) gather(ctx context.Context, place delivered.Place) (facts, error) {
	f := facts{place: place, values: r.Store.Snapshot()}
	var namespace corev1.Namespace
	err := r.Cluster.Get(ctx, client.ObjectKey{Name: place.Namespace}, &namespace, client.UnsafeDisableDeepCopy) // nobody changes it
	if apierrors.IsNotFound(err) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if namespace.DeletionTimestamp != nil {
		err := r.gatherLeaving(ctx, &f, &namespace)
		return f, err
	}
	f.namespace, f.memory = &namespace, r.memories.of(place, namespace.UID)
	key := client.ObjectKey{Namespace: place.Namespace, Name: place.Name}
	secret, err := r.read(ctx, r.Secrets, key, func() client.Object { return &corev1.Secret{} }, &f.memory.secret.trace)
	if err != nil {
		return f, err
	}
	found, _ := secret.(*corev1.Secret)
	if f.found(found); found != nil {
		r.ledger.note(found)
	} else {
		r.ledger.gone(place)
	}
	list, err := r.credentials(ctx, f.values)
	if err != nil {
		return f, err
	}
	names := map[string]bool{}
	f.exists = func(name string) bool { return names[name] || r.departed.includes(name, r.Now()) }
	for i := range list {
		names[list[i].Name] = true
	}
	for i := range list {
		if err := r.consider(ctx, &f, &list[i], list); err != nil {
			f.undecided = append(f.undecided, err)
		}
	}
	f.injected = r.injects(slices.Concat(f.selecting, f.staying))
	return f, nil
}

// injects reports whether the policy serves all RegistryCredentials that ask for it, and there is one. Where none does nobody looks at it.
func (r *Reconciler) injects(credentials []*v1alpha1.RegistryCredential) bool {
	if r.Injection == nil {
		return false
	}
	asking := 0
	for _, c := range credentials {
		if c.Spec.Target.Attachment() != v1alpha1.AttachPods {
			continue
		}
		if asking++; !r.Injection(c).Standing() {
			return false
		}
	}
	return asking > 0
}

// selects reports whether a RegistryCredential selects a namespace, and whether its selector can be read.
func (r *Reconciler) selects(credential *v1alpha1.RegistryCredential, namespace *corev1.Namespace) (selected, readable bool) {
	selector, err := r.selectors.of(credential, r.Protected)
	return selector.Selects(namespace.Name, namespace.Labels), err == nil // one that cannot be read selects nothing
}

// consider adds what one RegistryCredential contributes here, if anything. It fails where it could not be decided, or kept, what it may lose: then that
// stays.
func (r *Reconciler) consider(ctx context.Context, f *facts, credential *v1alpha1.RegistryCredential, all []v1alpha1.RegistryCredential) error {
	source, recorded := f.recorded[credential.Name]
	selected, readable := r.selects(credential, f.namespace)
	wants := selected && credential.DeletionTimestamp == nil && credential.Spec.Target.Name() == f.place.Name
	if !wants && !recorded {
		return r.losesNothing(ctx, credential, f.place) // as it is with most of a thousand
	}
	contribution := pullsecret.Contribution{
		Credential: credential.Name, Created: credential.CreationTimestamp.Time,
		Adopt:    credential.Spec.Target.Existing() == v1alpha1.ExistingAdopt,
		Unsure:   slices.Contains(f.memory.unsure, credential.Name),
		Metadata: pullsecret.Metadata(target.MetadataOf(&credential.Spec.Target)),
	}
	here := r.ledger.at(f.place, credential.Name)
	known := intersection(source.Keys, here.known)
	if wants {
		f.selecting = append(f.selecting, credential)
		err := r.contribute(ctx, f, credential, &contribution, known, all)
		contribution.Returned = f.returns(credential, contribution.Config != nil)
		f.contributions = append(f.contributions, contribution)
		return err
	}
	stays, err := r.stays(ctx, f, credential, readable, selected, len(known) > 0)
	if err == nil && !stays {
		f.leaves = append(f.leaves, credential)
		f.losesAll(credential, known, causeOf(credential, f.namespace, selected))
		return nil
	}
	f.memory.goes(credential.Name)
	contribution.Staying = true
	if own := f.own(credential, known, here.seen); len(own) > 0 {
		// What waits is rotated all the same: the registry may refuse the old value at any time.
		f.publishTo(credential, &contribution)
		contribution.Config = restrict(contribution.Config, own)
		contribution.Keep = source.Keys
	}
	f.staying = append(f.staying, credential)
	f.contributions = append(f.contributions, contribution)
	return err
}

// publishTo fills in what is published, unless nothing may be written.
func (f *facts) publishTo(credential *v1alpha1.RegistryCredential, contribution *pullsecret.Contribution) {
	record := f.values.Get(credential.Name)
	retained := credential.DeletionTimestamp != nil && credential.Spec.Policy() == v1alpha1.DeletionRetain
	if record.UID == credential.UID && record.Published() && !credential.Spec.Suspend && !retained {
		contribution.Config, contribution.Revision, contribution.Digest = record.Config, record.Revision, record.Digest
		contribution.Unproven = record.InDoubt() && credential.Spec.VerificationMode() != v1alpha1.VerifyDisabled
	}
}

// contribute fills in what a RegistryCredential that selects the place provides. Entries that it gives up stay while somebody
// lists their registry and is not published with it, and until their removal is granted. known are the keys that were delivered here:
// others that are recorded its namespace's people wrote, and they go.
func (r *Reconciler) contribute(ctx context.Context, f *facts, credential *v1alpha1.RegistryCredential, contribution *pullsecret.Contribution, known []string, all []v1alpha1.RegistryCredential) error {
	f.publishTo(credential, contribution)
	if contribution.Config == nil { // also a correction that is made while nothing may be written ends a removal
		return r.losesNothing(ctx, credential, f.place)
	}
	missing := missing(f.values.Get(credential.Name), credential, known)
	var going []string
	contribution.Keep, going = r.stillListed(f.namespace, f.place.Name, missing, all)
	if len(going) == 0 {
		return r.losesNothing(ctx, credential, f.place)
	}
	decided, err := r.mayLose(ctx, credential, f.place, going...)
	f.waiting(credential.Name, decided)
	if !decided.granted {
		contribution.Keep = missing
		return err
	}
	f.loses(credential, going, unlisted)
	return nil
}

// restrict leaves only some keys of a config. A nil config stays nil.
func restrict(config dockerconfig.Config, keys []string) dockerconfig.Config {
	if config == nil {
		return nil
	}
	some := dockerconfig.Config{}
	for _, key := range keys {
		if value, ok := config[key]; ok {
			some[key] = value
		}
	}
	return some
}
