package publish

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Tally counts the pods that hang for want of a RegistryCredential, and those that hang although they have its present value.
type Tally struct {
	mu     sync.Mutex
	pods   map[types.NamespacedName][]string
	doubts map[types.NamespacedName][]string
	raised map[string]int
	notify func(credential string)
}

// NewTally returns an empty tally. notify is called, outside any lock, for each RegistryCredential whose count changed.
func NewTally(notify func(credential string)) *Tally {
	return &Tally{
		pods: map[types.NamespacedName][]string{}, doubts: map[types.NamespacedName][]string{}, raised: map[string]int{}, notify: notify,
	}
}

// Note says for which RegistryCredentials a pod hangs: none, once it does not hang any more or is gone.
func (t *Tally) Note(pod types.NamespacedName, credentials ...string) {
	slices.Sort(credentials)
	credentials = slices.Compact(credentials)
	t.mu.Lock()
	before := t.pods[pod]
	if len(credentials) == 0 {
		delete(t.pods, pod)
		delete(t.doubts, pod)
	} else {
		t.pods[pod] = credentials
	}
	t.mu.Unlock()
	changed := map[string]bool{}
	for _, name := range before {
		changed[name] = !slices.Contains(credentials, name)
	}
	for _, name := range credentials {
		changed[name] = !slices.Contains(before, name)
	}
	for name := range maps.Keys(changed) {
		if changed[name] {
			t.notify(name)
		}
	}
}

// Doubt says that the registry refused a pod that has the present value of some RegistryCredentials. Each pod counts once for each,
// until it does not hang any more.
func (t *Tally) Doubt(pod types.NamespacedName, credentials ...string) {
	t.mu.Lock()
	var fresh []string
	for _, name := range credentials {
		if !slices.Contains(t.doubts[pod], name) {
			t.doubts[pod] = append(t.doubts[pod], name)
			t.raised[name]++
			fresh = append(fresh, name)
		}
	}
	t.mu.Unlock()
	for _, name := range fresh {
		t.notify(name)
	}
}

// Doubts counts how often a pod gave reason to doubt a RegistryCredential. The number only grows.
func (t *Tally) Doubts(credential string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raised[credential]
}

// Stuck counts the pods that hang for want of a RegistryCredential.
func (t *Tally) Stuck(credential string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := 0
	for _, credentials := range t.pods {
		if slices.Contains(credentials, credential) {
			count++
		}
	}
	return count
}

// Namespaces are those in which pods hang for want of any RegistryCredential.
func (t *Tally) Namespaces() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	namespaces := map[string]bool{}
	for pod := range t.pods {
		namespaces[pod.Namespace] = true
	}
	return namespaces
}
