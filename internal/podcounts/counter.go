package podcounts

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Counter counts the pods that are stuck for want of a RegistryCredential, and those that hang although they have its present value.
type Counter struct {
	mu   sync.Mutex
	pods map[types.NamespacedName][]string
	// stuck counts the pods of each RegistryCredential, waiting those of each namespace: an answer costs the same however many there are.
	stuck, waiting map[string]int
	doubts         map[types.NamespacedName][]string
	raised         map[string]int
	notify         func(credential string)
}

// New returns an empty counter. notify is called, outside any lock, for each RegistryCredential whose count changed.
func New(notify func(credential string)) *Counter {
	return &Counter{
		pods: map[types.NamespacedName][]string{}, stuck: map[string]int{}, waiting: map[string]int{},
		doubts: map[types.NamespacedName][]string{}, raised: map[string]int{}, notify: notify,
	}
}

// Note says for which RegistryCredentials a pod hangs: none, once it does not hang any more or is gone.
func (c *Counter) Note(pod types.NamespacedName, credentials ...string) {
	slices.Sort(credentials)
	credentials = slices.Compact(credentials)
	c.mu.Lock()
	before := c.replace(pod, credentials)
	c.mu.Unlock()
	changed := map[string]bool{}
	for _, name := range before {
		changed[name] = !slices.Contains(credentials, name)
	}
	for _, name := range credentials {
		changed[name] = !slices.Contains(before, name)
	}
	for name := range maps.Keys(changed) {
		if changed[name] {
			c.notify(name)
		}
	}
}

// replace returns for which RegistryCredentials a pod hung before.
func (c *Counter) replace(pod types.NamespacedName, credentials []string) []string {
	before := c.pods[pod]
	for _, name := range before {
		add(c.stuck, name, -1)
	}
	for _, name := range credentials {
		add(c.stuck, name, 1)
	}
	if len(before) > 0 {
		add(c.waiting, pod.Namespace, -1)
	}
	if len(credentials) == 0 {
		delete(c.pods, pod)
		delete(c.doubts, pod)
		return before
	}
	add(c.waiting, pod.Namespace, 1)
	c.pods[pod] = credentials
	return before
}

func add(counts map[string]int, key string, by int) {
	if counts[key] += by; counts[key] == 0 {
		delete(counts, key)
	}
}

// Doubt says that the registry refused a pod that has the present value of some RegistryCredentials. Each pod counts once for each,
// until it does not hang any more.
func (c *Counter) Doubt(pod types.NamespacedName, credentials ...string) {
	c.mu.Lock()
	var fresh []string
	for _, name := range credentials {
		if !slices.Contains(c.doubts[pod], name) {
			c.doubts[pod] = append(c.doubts[pod], name)
			c.raised[name]++
			fresh = append(fresh, name)
		}
	}
	c.mu.Unlock()
	for _, name := range fresh {
		c.notify(name)
	}
}

// Doubts counts how often a pod gave reason to doubt a RegistryCredential. The number only grows.
func (c *Counter) Doubts(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raised[credential]
}

// Stuck counts the pods that are stuck for want of a RegistryCredential.
func (c *Counter) Stuck(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck[credential]
}

// Namespaces are those in which pods are stuck for want of any RegistryCredential.
func (c *Counter) Namespaces() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	namespaces := make(map[string]bool, len(c.waiting))
	for namespace := range c.waiting {
		namespaces[namespace] = true
	}
	return namespaces
}
