package delivery

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// ledger knows which pull Secrets of ours record which RegistryCredential. Each version of a Secret is read once: what is asked costs
// as much as the RegistryCredential has namespaces, whatever others have.
type ledger struct {
	mu      sync.Mutex
	secrets map[delivered.Place]noted
	// holders by RegistryCredential, namespace and name of the Secret: the docker config keys that are recorded there.
	holders map[string]map[string]map[string][]string
}

type noted struct {
	uid         types.UID
	version     string
	credentials []string
}

// note takes in a Secret as it is. One that is older than what is known changes nothing.
func (l *ledger) note(secret *corev1.Secret) {
	place := delivered.Place{Namespace: secret.Namespace, Name: secret.Name}
	l.mu.Lock()
	defer l.mu.Unlock()
	known, there := l.secrets[place]
	if there && known.uid == secret.UID && !newer(secret.ResourceVersion, known.version) {
		return
	}
	l.clear(place)
	if !pullsecret.OwnerOf(secret).Ours {
		return
	}
	fresh := noted{uid: secret.UID, version: secret.ResourceVersion}
	for credential, source := range pullsecret.SourcesOf(secret.Annotations) {
		if credential != pullsecret.Adopted {
			fresh.credentials = append(fresh.credentials, credential)
			l.add(credential, place, source.Keys)
		}
	}
	if l.secrets == nil {
		l.secrets = map[delivered.Place]noted{}
	}
	l.secrets[place] = fresh
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

func (l *ledger) add(credential string, place delivered.Place, keys []string) {
	if l.holders == nil {
		l.holders = map[string]map[string]map[string][]string{}
	}
	if l.holders[credential] == nil {
		l.holders[credential] = map[string]map[string][]string{}
	}
	if l.holders[credential][place.Namespace] == nil {
		l.holders[credential][place.Namespace] = map[string][]string{}
	}
	l.holders[credential][place.Namespace][place.Name] = keys
}

func (l *ledger) clear(place delivered.Place) {
	for _, credential := range l.secrets[place].credentials {
		delete(l.holders[credential][place.Namespace], place.Name)
		if len(l.holders[credential][place.Namespace]) == 0 {
			delete(l.holders[credential], place.Namespace)
		}
		if len(l.holders[credential]) == 0 {
			delete(l.holders, credential)
		}
	}
	delete(l.secrets, place)
}

// holding is how many namespaces hold entries of a RegistryCredential.
func (l *ledger) holding(credential string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.holders[credential])
}

// held is one pull Secret that records a RegistryCredential.
type held struct {
	place delivered.Place
	keys  []string
}

// of returns the pull Secrets that record a RegistryCredential.
func (l *ledger) of(credential string) []held {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]held, 0, len(l.holders[credential]))
	for namespace, names := range l.holders[credential] {
		for name, keys := range names {
			all = append(all, held{delivered.Place{Namespace: namespace, Name: name}, keys})
		}
	}
	return all
}
