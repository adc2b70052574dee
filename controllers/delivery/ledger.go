package delivery

import (
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// ledger knows which pull Secrets of ours record which RegistryCredential. Each version of a Secret is read once: what is asked costs
// as much as the RegistryCredential has namespaces, whatever others have.
//
// A namespace's people can write a record. So what is recorded is not yet known to be held: that is what was there when the operator
// started, and what delivery itself found right since. Only that counts where it is decided what other namespaces may lose.
type ledger struct {
	mu      sync.Mutex
	secrets map[delivered.Place]noted
	// holders by RegistryCredential and place: few are in one namespace, and a map for each would cost more than what is in it.
	holders map[string]map[delivered.Place]held
	// proven counts, by RegistryCredential and namespace, the Secrets that are known to hold something.
	proven map[string]map[string]int
}

type noted struct {
	uid         types.UID
	version     string
	credentials []string
	// settled is set where a look found this version as it should be, or left it so.
	settled bool
}

// held is what one pull Secret records of a RegistryCredential.
type held struct {
	// keys of the docker config that are recorded, and those of them that are known to be delivered.
	keys, known []string
	// seen is set where this process found that right, and did not only find it when it started.
	seen bool
}

// mostProvided is how many entries of one RegistryCredential a record can have that its namespace's people did not write: ten times as many as
// spec.registries can list, because what waits for a removal stays. What is to be lost is kept, and that has a bound.
const mostProvided = 10 * 32

// begin takes in a Secret that was there when the operator started.
func (l *ledger) begin(secret *corev1.Secret) {
	known := map[string][]string{}
	for credential, source := range pullsecret.SourcesOf(secret.Annotations) {
		if len(source.Keys) <= mostProvided {
			known[credential] = source.Keys
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.know(secret, known, false)
}

// vouch notes that these keys of RegistryCredentials were delivered to a Secret, or are there as they were delivered. A Secret that was
// just created has no version yet.
func (l *ledger) vouch(secret *corev1.Secret, known map[string][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.know(secret, known, true)
}

// know notes what is known to be delivered to a Secret. The caller holds the mutex.
func (l *ledger) know(secret *corev1.Secret, known map[string][]string, seen bool) {
	place := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	if _, there := l.secrets[place]; !there || secret.ResourceVersion != "" {
		l.take(place, secret)
	}
	for credential, keys := range known {
		if one, recorded := l.holders[credential][place]; recorded {
			one.known, one.seen = union(one.known, intersection(one.keys, keys)), one.seen || seen
			l.put(credential, place, one)
		}
	}
}

// note takes in a Secret as it is. One that is older than what is known changes nothing. What was known of it and is recorded still stays
// known.
func (l *ledger) note(secret *corev1.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(delivered.Place{Namespace: secret.Namespace, Name: secret.Name}, secret)
}

func (l *ledger) take(place delivered.Place, secret *corev1.Secret) {
	known := l.secrets[place] // any version is newer than none
	if known.uid == secret.UID && !newer(secret.ResourceVersion, known.version) {
		return
	}
	before := map[string]held{}
	for _, credential := range known.credentials {
		before[credential] = l.holders[credential][place]
	}
	l.clear(place)
	if !pullsecret.OwnerOf(secret).Ours {
		return
	}
	fresh := noted{uid: secret.UID, version: secret.ResourceVersion}
	for credential, source := range pullsecret.SourcesOf(secret.Annotations) {
		if credential != pullsecret.Adopted {
			fresh.credentials = append(fresh.credentials, credential)
			l.put(credential, place, held{keys: source.Keys, known: intersection(source.Keys, before[credential].known), seen: before[credential].seen})
		}
	}
	if l.secrets == nil {
		l.secrets = map[delivered.Place]noted{}
	}
	l.secrets[place] = fresh
}

// settle notes that a Secret is as it should be.
func (l *ledger) settle(secret *corev1.Secret) {
	place := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, there := l.secrets[place]; there && known.version == secret.ResourceVersion && known.uid == secret.UID {
		known.settled = true
		l.secrets[place] = known
	}
}

// settled reports whether this version of the Secret of a place is as it should be.
func (l *ledger) settled(place delivered.Place, version string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.secrets[place]
	return known.settled && known.version == version
}

// drop takes in that a Secret is gone.
func (l *ledger) drop(secret *corev1.Secret) {
	place := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secrets[place].uid == secret.UID {
		l.clear(place)
	}
}

// gone takes in that there is no Secret at a place.
func (l *ledger) gone(place delivered.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear(place)
}

func newer(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err != nil || order > 0
}

// put notes what a Secret records of a RegistryCredential.
func (l *ledger) put(credential string, place delivered.Place, one held) {
	if l.holders == nil {
		l.holders, l.proven = map[string]map[delivered.Place]held{}, map[string]map[string]int{}
	}
	if l.holders[credential] == nil {
		l.holders[credential] = map[delivered.Place]held{}
	}
	before := l.holders[credential][place]
	l.holders[credential][place] = one
	l.count(credential, place.Namespace, len(one.known) > 0, len(before.known) > 0)
}

// count follows a Secret that begins or ceases to be known to hold something.
func (l *ledger) count(credential, namespace string, now, before bool) {
	switch {
	case now && !before:
		if l.proven[credential] == nil {
			l.proven[credential] = map[string]int{}
		}
		l.proven[credential][namespace]++
	case before && !now:
		if l.proven[credential][namespace]--; l.proven[credential][namespace] == 0 {
			delete(l.proven[credential], namespace)
		}
		if len(l.proven[credential]) == 0 {
			delete(l.proven, credential)
		}
	}
}

func (l *ledger) clear(place delivered.Place) {
	for _, credential := range l.secrets[place].credentials {
		before := l.holders[credential][place]
		l.count(credential, place.Namespace, false, len(before.known) > 0)
		delete(l.holders[credential], place)
		if len(l.holders[credential]) == 0 {
			delete(l.holders, credential)
		}
	}
	delete(l.secrets, place)
}

// holding is how many namespaces are known to hold entries of a RegistryCredential.
func (l *ledger) holding(credential string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.proven[credential])
}

// of returns the places of the pull Secrets that record a RegistryCredential, and what they record.
func (l *ledger) of(credential string) map[delivered.Place]held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.holders[credential])
}

// at is what a Secret records of a RegistryCredential.
func (l *ledger) at(place delivered.Place, credential string) held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holders[credential][place]
}

// intersection are those of some keys that are among others, in their order.
func intersection(keys, others []string) []string {
	in := make(map[string]bool, len(others))
	for _, key := range others {
		in[key] = true
	}
	var both []string
	for _, key := range keys {
		if in[key] {
			both = append(both, key)
		}
	}
	if len(both) == len(keys) {
		return keys // which thousands of places share
	}
	return both
}

func union(keys, others []string) []string {
	if len(keys) == 0 && slices.IsSorted(others) || slices.Equal(keys, others) {
		return others
	}
	all := slices.Concat(keys, others)
	slices.Sort(all)
	return slices.Compact(all)
}
