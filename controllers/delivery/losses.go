package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
)

// cause is why entries go that were delivered.
type cause int

const (
	// deselected: the RegistryCredential does not select the namespace any more.
	deselected cause = iota
	// protected: it does not name the namespace, which is protected now.
	protected
	// deleted: it is being deleted with deletionPolicy Delete.
	deleted
	// renamed: it writes a Secret of another name.
	renamed
	// unlisted: it provides the registry no more.
	unlisted
)

// loss is what a place loses of one RegistryCredential.
type loss struct {
	credential *v1alpha1.RegistryCredential
	// keys of the docker config that were delivered, and go.
	keys  []string
	cause cause
	// instead are the names of the Secrets in the namespace that have these keys: then pods that name one of them lose nothing.
	instead []string
}

// causeOf says why all entries of a RegistryCredential go.
func causeOf(credential *v1alpha1.RegistryCredential, namespace *corev1.Namespace, selected bool) cause {
	switch {
	case credential.DeletionTimestamp != nil:
		return deleted
	case selected:
		return renamed
	}
	if without, err := target.New(&credential.Spec.Target, nil); err == nil && without.Selects(namespace.Name, namespace.Labels) {
		return protected
	}
	return deselected
}

// losesAll notes that all entries go. Of those under an old name, what the RegistryCredential does not provide any more is not under the new one.
func (f *facts) losesAll(credential *v1alpha1.RegistryCredential, keys []string, why cause) {
	if why == renamed {
		nowhere := missing(f.values.Get(credential.Name), credential, keys)
		f.loses(credential, nowhere, unlisted)
		keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(nowhere, key) })
	}
	f.loses(credential, keys, why)
}

// loses notes that entries go. What was not delivered its namespace's people wrote: nothing is told of that.
func (f *facts) loses(credential *v1alpha1.RegistryCredential, keys []string, why cause) {
	if len(keys) > 0 {
		f.losses = append(f.losses, loss{credential: credential, keys: keys, cause: why})
	}
}

// tellOfLosses tells of what was taken from this place: of namespaces that lost a RegistryCredential once for all of them, by a count, and the
// people of this one, who may not read RegistryCredentials, by an event.
func (r *Reconciler) tellOfLosses(ctx context.Context, f facts, secret *corev1.Secret) {
	if len(f.losses) == 0 {
		return
	}
	left := recordOf(secret)
	for _, one := range f.losses {
		_, has := left[one.credential.Name]
		if !has && slices.Contains([]cause{deselected, protected, deleted}, one.cause) {
			r.Board.Remove(one.credential.Name)
		}
		one.keys = one.gone(left)
		for _, part := range r.parts(ctx, f.place, one) {
			r.tell(ctx, f, part, secret == nil)
		}
	}
}

// untold is what was to be taken from a Secret as it was then.
type untold struct {
	secret *corev1.Secret
	losses []loss
}

// untaken notes what a write was to take that failed.
func (f facts) untaken() {
	if len(f.losses) > 0 {
		f.memory.untold = &untold{f.secret, f.losses}
	}
}

// tellOfUntold tells of what a write took whose answer was lost, once that is seen: a Secret that is as it was lost nothing, and what another one still
// has is not gone. Of one that is somebody else's by now nothing is known.
func (r *Reconciler) tellOfUntold(ctx context.Context, f facts) {
	before := f.memory.untold
	f.memory.untold = nil
	switch {
	case before == nil, f.secret != nil && f.ours == nil:
	case f.secret != nil && f.secret.UID == before.secret.UID && f.secret.ResourceVersion == before.secret.ResourceVersion:
	default:
		r.tellOfLosses(ctx, facts{place: f.place, secret: before.secret, losses: before.losses}, f.ours)
	}
}

// parts tells what other RegistryCredentials have in other Secrets of the namespace from what none has.
func (r *Reconciler) parts(ctx context.Context, place delivered.Place, l loss) []loss {
	there, nowhere := l, l
	if there.keys = nil; l.cause == renamed {
		there.keys, there.instead, nowhere.keys = l.keys, []string{l.credential.Spec.Target.Name()}, nil
	}
	if len(nowhere.keys) > 0 {
		r.eachSecret(ctx, place.Namespace, func(secret *corev1.Secret) {
			if secret.Name == place.Name || !pullsecret.OwnerOf(secret).Ours {
				return
			}
			others := maps.Clone(recordOf(secret))
			delete(others, l.credential.Name) // which goes from there, too
			if left := nowhere.gone(others); len(left) < len(nowhere.keys) {
				nowhere.keys, there.instead = left, append(there.instead, secret.Name)
			}
		})
		there.keys = slices.DeleteFunc(slices.Clone(l.keys), func(key string) bool { return slices.Contains(nowhere.keys, key) })
		slices.Sort(there.instead)
	}
	return slices.DeleteFunc([]loss{there, nowhere}, func(one loss) bool { return len(one.keys) == 0 })
}

// gone are the keys that nobody provides in the Secret any more. An entry for the whole host serves what a narrower one served; and where a
// RegistryCredential has narrower ones in the place of that for the host, it provides all that it lists, as before.
func (l loss) gone(left pullsecret.Sources) []string {
	provided, parted := map[string]bool{}, map[string]bool{}
	for name, source := range left {
		for _, key := range source.Keys {
			provided[canonical(key)] = true
			if name == l.credential.Name {
				parted[registry.HostKey(canonical(key))] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(l.keys), func(key string) bool {
		key = canonical(key)
		host := registry.HostKey(key)
		return provided[key] || provided[host] || key == host && parted[host]
	})
}

// tell writes the event. What keeps it from being written, such as a quota of events, is logged: the removal itself is done.
func (r *Reconciler) tell(ctx context.Context, f facts, l loss, whole bool) {
	kind := corev1.EventTypeWarning
	if len(l.instead) > 0 {
		kind = corev1.EventTypeNormal
	}
	err := r.Events.Write(ctx, announce.Event{
		Regarding: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Secret", Namespace: f.place.Namespace, Name: f.place.Name, UID: f.secret.UID, ResourceVersion: f.secret.ResourceVersion,
		},
		Related: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential", Name: l.credential.Name, UID: l.credential.UID,
		},
		Kind: kind, Reason: v1alpha1.ReasonRemoved, Action: "Remove", Note: l.note(whole),
	})
	if err != nil {
		log.FromContext(ctx).Error(err, "The people of the namespace are not told of a removal", "registrycredential", l.credential.Name)
	}
}

// note says what is gone, why, and what to do, to somebody who may see nothing but this namespace.
func (l loss) note(whole bool) string {
	name, what := foreign.Name(l.credential.Name), "the entry for "+firstOf(l.keys)+" was taken out of this Secret"
	if whole {
		what = "this Secret was deleted with its entry for " + firstOf(l.keys)
	}
	why := map[cause]string{
		deselected: "RegistryCredential " + name + " does not select this namespace any more, because its spec.target or a label of the namespace was changed",
		protected:  "RegistryCredential " + name + " does not select this namespace any more, because it is protected now, and spec.target does not name it",
		deleted:    "RegistryCredential " + name + " is deleted, and its deletionPolicy is Delete",
		renamed:    "RegistryCredential " + name + " writes Secret " + l.credential.Spec.Target.Name() + " now, because its spec.target.secretName was changed",
		unlisted:   "RegistryCredential " + name + " does not provide it any more, because its spec.registries was changed",
	}[l.cause]
	next := "New pods that pull private images from there fail. If that is a mistake, ask whoever manages RegistryCredential " + name + "; if not, name another pull Secret"
	if len(l.instead) > 0 {
		next = "Where you name this Secret yourself, such as in imagePullSecrets of a Deployment, name Secret " + firstOf(l.instead) + " instead"
	}
	return what + ": " + why + ". " + next
}

// namedAtMost is how many registries, or Secrets, an event names.
const namedAtMost = 3

func firstOf(names []string) string {
	shown := min(len(names), namedAtMost)
	text := foreign.Name(strings.Join(names[:shown], ", ")) // cut as one: there is room for what to do
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
