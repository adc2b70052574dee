package delivered

import (
	"slices"
	"sync"
)

// Board holds what became of all deliveries, and counts them as they come in: what is asked of it costs the same however many
// namespaces there are. It is filled again after each start: deliveries are decided from the cluster, not from memory.
type Board struct {
	mu sync.Mutex
	// groups by RegistryCredential and Secret name.
	groups map[string]map[string]*tally
	// told are the RegistryCredentials of which a place tells.
	told map[Place][]string
	// removed counts the namespaces from which entries of a RegistryCredential were taken, and of which nobody was told yet.
	removed map[string]int
	notify  func(credential string)
}

// NewBoard returns an empty board. notify is called, outside any lock, for each RegistryCredential whose deliveries changed.
func NewBoard(notify func(credential string)) *Board {
	return &Board{groups: map[string]map[string]*tally{}, told: map[Place][]string{}, removed: map[string]int{}, notify: notify}
}

// Post replaces what is known of one place: one Delivery for each RegistryCredential that selects it or has entries there. A look
// at an older generation than the one whose selection is known does not say whether the namespace is selected.
func (b *Board) Post(place Place, deliveries map[string]Delivery) {
	for _, credential := range b.replace(place, deliveries) {
		b.notify(credential)
	}
}

func (b *Board) replace(place Place, deliveries map[string]Delivery) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var changed []string
	for credential, delivery := range deliveries {
		group := b.group(credential, place.Name)
		known, _ := group.at(place.Namespace)
		if delivery.Observed < group.generation {
			delivery.Selected = known.Selected
		}
		if b.set(place, credential, delivery) {
			changed = append(changed, credential)
		}
	}
	for _, credential := range slices.Clone(b.told[place]) {
		if _, still := deliveries[credential]; !still {
			b.clear(place, credential)
			changed = append(changed, credential)
		}
	}
	return changed
}

// Select says which namespaces a RegistryCredential selects under a Secret name, by its spec of this generation. Those that nobody
// looked at yet count as selected and unknown; under another Secret name it selects none any more.
func (b *Board) Select(credential, secretName string, generation int64, namespaces []string) {
	if b.choose(credential, secretName, generation, namespaces) {
		b.notify(credential)
	}
}

func (b *Board) choose(credential, secretName string, generation int64, namespaces []string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := b.group(credential, secretName).generation != generation
	selected := make(map[string]bool, len(namespaces))
	for _, namespace := range namespaces {
		selected[namespace] = true
	}
	for name, group := range b.groups[credential] {
		group.generation = generation
		for namespace, known := range group.deliveries {
			if name == secretName && selected[namespace] || !known.Selected {
				continue
			}
			one := known.Delivery
			one.Selected = false
			changed = b.set(Place{namespace, name}, credential, one) || changed
		}
	}
	for _, namespace := range namespaces {
		changed = b.expect(Place{namespace, secretName}, credential) || changed
	}
	return changed
}

// expect notes that a RegistryCredential selects a place that may not have been looked at yet.
func (b *Board) expect(place Place, credential string) bool {
	known, _ := b.group(credential, place.Name).at(place.Namespace)
	known.Selected = true
	return b.set(place, credential, known)
}

// Begin notes what a pull Secret says that it holds of a RegistryCredential, where nobody looked at the place since the start: whoever asks whether a
// value is still somewhere is told of it before that.
func (b *Board) Begin(place Place, credential string, version Version) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, _ := b.group(credential, place.Name).at(place.Namespace)
	if known.Observed > 0 {
		return
	}
	known.Version = version
	b.set(place, credential, known)
}

// Touch has everybody who listens look at a RegistryCredential again.
func (b *Board) Touch(credential string) { b.notify(credential) }

// Forget drops what is known of a RegistryCredential that is gone.
func (b *Board) Forget(credential string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, group := range b.groups[credential] {
		for namespace := range group.deliveries {
			b.clear(Place{namespace, name}, credential)
		}
	}
	delete(b.groups, credential)
	delete(b.removed, credential)
}

// Remove notes that the entries of a RegistryCredential were taken from a Secret.
func (b *Board) Remove(credential string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removed[credential]++
}

// TakeRemoved is from how many Secrets entries of a RegistryCredential were taken since it was asked last.
func (b *Board) TakeRemoved(credential string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := b.removed[credential]
	delete(b.removed, credential)
	return count
}

// Places returns where a RegistryCredential was last seen to contribute.
func (b *Board) Places(credential string) []Place {
	b.mu.Lock()
	defer b.mu.Unlock()
	var places []Place
	for name, group := range b.groups[credential] {
		for namespace := range group.deliveries {
			places = append(places, Place{namespace, name})
		}
	}
	return places
}

// At returns what became of a RegistryCredential at one place, and whether anything is known of it there.
func (b *Board) At(place Place, credential string) (Delivery, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	group := b.groups[credential][place.Name]
	if group == nil {
		return Delivery{}, false
	}
	return group.at(place.Namespace)
}

// Summary sums up the deliveries of one RegistryCredential under one Secret name.
func (b *Board) Summary(credential, secretName string) Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Summary{}
	if group := b.groups[credential][secretName]; group != nil {
		s = group.summary()
	}
	for name, group := range b.groups[credential] {
		if name == secretName {
			continue
		}
		s.Unselected += group.unselected
		for version, namespaces := range clone(group.holding) {
			if s.Holding == nil {
				s.Holding = map[Version]int{}
			}
			s.Holding[version] += namespaces
		}
	}
	return s
}

// Of returns a copy of the deliveries of one RegistryCredential under one Secret name, by namespace. It costs as much as there are
// namespaces: ask At or Summary where that matters.
func (b *Board) Of(credential, secretName string) map[string]Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]Delivery{}
	if group := b.groups[credential][secretName]; group != nil {
		for namespace, known := range group.deliveries {
			all[namespace] = known.Delivery
		}
	}
	return all
}

func (b *Board) group(credential, secretName string) *tally {
	if b.groups[credential] == nil {
		b.groups[credential] = map[string]*tally{}
	}
	if b.groups[credential][secretName] == nil {
		fresh := newTally()
		for _, other := range b.groups[credential] {
			fresh.generation = other.generation // it is known of all names at once
		}
		b.groups[credential][secretName] = fresh
	}
	return b.groups[credential][secretName]
}

// set notes a delivery and reports whether it is another than before.
func (b *Board) set(place Place, credential string, delivery Delivery) bool {
	group := b.group(credential, place.Name)
	before, known := group.at(place.Namespace)
	if known && before == delivery {
		return false
	}
	if !known {
		b.told[place] = append(b.told[place], credential)
	}
	group.put(place.Namespace, delivery)
	return true
}

func (b *Board) clear(place Place, credential string) {
	b.groups[credential][place.Name].drop(place.Namespace)
	left := slices.DeleteFunc(b.told[place], func(name string) bool { return name == credential })
	if len(left) == 0 {
		delete(b.told, place)
		return
	}
	b.told[place] = left
}
