package payload

import (
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// perHost puts entries under the hosts of their registries. One host has one entry.
func perHost(config dockerconfig.Config) (dockerconfig.Config, *Error) {
	hosts := make(dockerconfig.Config, len(config))
	for _, key := range sortedKeys(config) {
		host := registry.HostKey(key)
		if known, twice := hosts[host]; twice && !known.Equal(config[key]) {
			return nil, malformed("the registries of the spec at %s have different credentials, and spec.target.entryPer is Host: give each a RegistryCredential and a Secret of its own", registry.Host(key))
		}
		hosts[host] = config[key]
	}
	return hosts, nil
}
