package podcounts

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Counter counts the pods that are stuck because they lack a RegistryCredential, those that are stuck although they have its present value, and
// those that were cured.
type Counter struct {
	mu   sync.Mutex
	pods map[types.NamespacedName][]string
	// stuck counts the pods of each RegistryCredential, waiting those of each namespace: an answer costs the same however many there are.
	stuck, waiting map[string]int
	// doubts are the values that a pod gave reason to doubt, by RegistryCredential.
	doubts map[types.NamespacedName]map[string]string
	raised map[string]int
	// cured counts the pods that were restarted or pulled again, by RegistryCredential that they lacked.
	cured  map[string]int
	notify func(credential string)
}

// Value is the present value of a RegistryCredential. Digest tells it from earlier ones.
type Value struct{ Credential, Digest string }

// New returns an empty counter. notify is called, outside any lock, for each RegistryCredential whose count changed.
func New(notify func(credential string)) *Counter {
	return &Counter{
		pods: map[types.NamespacedName][]string{}, stuck: map[string]int{}, waiting: map[string]int{},
		doubts: map[types.NamespacedName]map[string]string{}, raised: map[string]int{}, cured: map[string]int{}, notify: notify,
	}
}

// Note says for which RegistryCredentials a pod is stuck: none, once it is not stuck any more or is gone.
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

// replace returns for which RegistryCredentials a pod was stuck before.
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

// Doubt says that the registry refused a pod that has the present value of some RegistryCredentials. Each pod counts once for each value,
// until it is not stuck any more.
func (c *Counter) Doubt(pod types.NamespacedName, values ...Value) {
	c.mu.Lock()
	var fresh []string
	for _, value := range values {
		if known, doubted := c.doubts[pod][value.Credential]; doubted && known == value.Digest {
			continue
		}
		if c.doubts[pod] == nil {
			c.doubts[pod] = map[string]string{}
		}
		c.doubts[pod][value.Credential] = value.Digest
		c.raised[value.Credential]++
		fresh = append(fresh, value.Credential)
	}
	c.mu.Unlock()
	for _, name := range fresh {
		c.notify(name)
	}
}

// Forget drops the doubts about a RegistryCredential that is gone, and how many pods were cured for it: one that is made again under its name starts with none.
func (c *Counter) Forget(credential string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.raised, credential)
	delete(c.cured, credential)
	for pod, values := range c.doubts {
		delete(values, credential)
		if len(values) == 0 {
			delete(c.doubts, pod)
		}
	}
}

// Cure says that a pod was restarted or pulls again, for the RegistryCredentials that it lacked.
func (c *Counter) Cure(credentials ...string) {
	c.mu.Lock()
	for _, name := range credentials {
		c.cured[name]++
	}
	c.mu.Unlock()
	for _, name := range credentials {
		c.notify(name)
	}
}

// Cured counts the pods that were cured for a RegistryCredential. The number only grows, until the RegistryCredential is forgotten.
func (c *Counter) Cured(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cured[credential]
}

// Doubts counts how often a pod gave reason to doubt a RegistryCredential. The number only grows, until the
// RegistryCredential is forgotten.
func (c *Counter) Doubts(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raised[credential]
}

// Stuck counts the pods that are stuck because they lack a RegistryCredential.
func (c *Counter) Stuck(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck[credential]
}

// Namespaces are those in which pods are stuck because they lack any RegistryCredential.
func (c *Counter) Namespaces() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	namespaces := make(map[string]bool, len(c.waiting))
	for namespace := range c.waiting {
		namespaces[namespace] = true
	}
	return namespaces
}
