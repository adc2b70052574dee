package diagnosis

import "regcred.dev/regcred/internal/registry"

// nearMiss names a RegistryCredential here whose registry was probably meant for the image, and does not serve it.
func nearMiss(facts *Facts, p Finding) (Finding, bool) {
	image, err := registry.ParseImage(p.Image)
	if err != nil {
		return p, false
	}
	for i := range facts.Credentials {
		c := &facts.Credentials[i]
		for _, entry := range c.Entries {
			miss := registry.Misses(entry.Key, p.Image)
			if miss == "" {
				continue
			}
			p.Credential, p.from = c.Name, c
			return p.as(Report, NoCredential, "RegistryCredential %s provides %s and not %s: %s", c.Name, entry.Key, p.Image, miss.Rule()).
				advise("if it is meant for it, list %s in its spec.registries, too", image.Registry), true
		}
	}
	return p, false
}
