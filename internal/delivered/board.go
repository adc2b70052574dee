package delivered

import (
	"maps"
	"sync"

	"regcred.dev/regcred/internal/dockerconfig"
)

// Delivery is what became of one RegistryCredential in one namespace.
type Delivery struct {
	// Revision that is in the Secret. Empty while nothing is.
	Revision string
	// Reason is empty where Secret and ServiceAccounts are right, else one of the documented namespace reasons.
	Reason string
	// Message says what happened and what to do next. Empty where Reason is.
	Message string
	// ServiceAccounts is true where the fault lies with a ServiceAccount, not with the Secret.
	ServiceAccounts bool
	// Finding is an entry in the Secret that no kubelet can use, of this RegistryCredential or of nobody. Zero where there is none.
	Finding dockerconfig.Finding
	// TakenBy names the older RegistryCredential that already provides one of the registries here.
	TakenBy string
}

// Place is one pull Secret.
type Place struct {
	Namespace string
	Name      string
}

// Board holds what became of all deliveries. It is filled anew after each start: deliveries are decided from the cluster, not
// from memory.
type Board struct {
	mu     sync.Mutex
	places map[Place]map[string]Delivery
	notify func(credential string)
}

// NewBoard returns an empty board. notify is called, outside any lock, for each RegistryCredential whose deliveries changed.
func NewBoard(notify func(credential string)) *Board {
	return &Board{places: map[Place]map[string]Delivery{}, notify: notify}
}

// Post replaces what is known of one place: one Delivery for each RegistryCredential that contributes there.
func (b *Board) Post(place Place, deliveries map[string]Delivery) {
	for _, credential := range b.replace(place, deliveries) {
		b.notify(credential)
	}
}

func (b *Board) replace(place Place, deliveries map[string]Delivery) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.places[place]
	if len(deliveries) == 0 {
		delete(b.places, place)
	} else {
		b.places[place] = maps.Clone(deliveries)
	}
	var changed []string
	for credential, delivery := range deliveries {
		if old, known := before[credential]; !known || old != delivery {
			changed = append(changed, credential)
		}
	}
	for credential := range before {
		if _, still := deliveries[credential]; !still {
			changed = append(changed, credential)
		}
	}
	return changed
}

// Places returns where a RegistryCredential was last seen to contribute.
func (b *Board) Places(credential string) []Place {
	b.mu.Lock()
	defer b.mu.Unlock()
	var places []Place
	for place, deliveries := range b.places {
		if _, ok := deliveries[credential]; ok {
			places = append(places, place)
		}
	}
	return places
}

// Of returns the deliveries of one RegistryCredential under one Secret name, by namespace.
func (b *Board) Of(credential, secretName string) map[string]Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string]Delivery{}
	for place, deliveries := range b.places {
		if delivery, ok := deliveries[credential]; ok && place.Name == secretName {
			found[place.Namespace] = delivery
		}
	}
	return found
}
