package delivery

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
)

// missing are the recorded keys for which the published value has no entry any more. Nothing is missing while nothing is published.
func missing(record records.Record, credential *v1alpha1.RegistryCredential, recorded []string) []string {
	if record.UID != credential.UID || !record.Published() {
		return nil
	}
	provided := map[string]bool{}
	for key := range record.Config {
		provided[canonical(key)] = true
	}
	return slices.DeleteFunc(slices.Clone(recorded), func(key string) bool {
		key = canonical(key)
		return provided[key] || credential.Spec.Target.PerHost() && provided[registry.HostKey(key)] // the entry of the host serves what it served
	})
}

// stillListed parts some keys: those that a RegistryCredential lists for the same Secret, another one or the one that provided them, and those that nobody
// does. Whoever lists a registry provides it once a value is published for that list, and until then the entry that is there stays.
func (r *Reconciler) stillListed(namespace *corev1.Namespace, secret string, keys []string, all []v1alpha1.RegistryCredential) (stay, going []string) {
	if len(keys) == 0 {
		return nil, nil // as it is nearly always: to ask all for each would cost the square of their number
	}
	listed := map[string]bool{}
	for i := range all {
		other := &all[i]
		if other.DeletionTimestamp != nil || other.Spec.Target.Name() != secret {
			continue
		}
		if selected, _ := r.selects(other, namespace); selected {
			for _, key := range target.Keys(&other.Spec) {
				listed[key] = true
			}
		}
	}
	for _, key := range keys {
		if listed[canonical(key)] {
			stay = append(stay, key)
		} else {
			going = append(going, key)
		}
	}
	return stay, going
}

func canonical(key string) string {
	if same, err := registry.CanonicalStored(key); err == nil {
		return same
	}
	return key
}
