package target

import (
	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
)

// Keys are the docker config keys under which a spec publishes its registries, without those that no image can match.
func Keys(spec *v1alpha1.RegistryCredentialSpec) []string {
	var keys []string
	for _, listed := range spec.Registries {
		key, err := registry.CanonicalKey(string(listed))
		if err != nil {
			continue
		}
		if spec.Target.PerHost() {
			key = registry.HostKey(key)
		}
		keys = append(keys, key)
	}
	return keys
}
