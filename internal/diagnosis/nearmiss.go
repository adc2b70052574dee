package diagnosis

import "regcred.dev/regcred/internal/registry"

// nearMiss names a RegistryCredential here whose registry was probably meant for the image, and does not serve it.
func nearMiss(facts *Facts, p Finding) *Finding {
	image, _ := registry.ParseImage(p.Image) // what is no image, no key nearly serves
	for i := range facts.Credentials {
		c := &facts.Credentials[i]
		for _, entry := range c.Entries {
			miss := registry.Misses(entry.Key, p.Image)
			if miss == "" {
				continue
			}
			p.Credential, p.from = c.Name, c
			return p.as(Report, NoCredential, "RegistryCredential %s provides %s and not %s: %s", c.Name, entry.Key, p.Image, miss.Rule()).
				advise("if it is meant for it, list %s in its spec.registries, too", image.Registry)
		}
	}
	return nil
}

// Excluding is a RegistryCredential that excludes the pod's namespace, and the keys that it provides elsewhere.
type Excluding struct {
	Name string
	Keys []string
}

// excludedHere names a RegistryCredential that provides the image's registry and excludes this namespace.
func excludedHere(facts *Facts, p Finding) *Finding {
	for _, e := range facts.Excluding {
		if matchingKey(e.Keys, p.Image) == "" {
			continue
		}
		return p.as(Report, NoCredential, "RegistryCredential %s provides the registry of %s, and excludes namespace %s", e.Name, p.Image, facts.Pod.Namespace).
			advise("if the namespace is meant to have it, take it out of spec.target.excludedNamespaces of RegistryCredential %s", e.Name)
	}
	return nil
}

// ignoredSecret names a Secret that the pod refers to for its pulls and that a kubelet passes over, as when a tool copied it with
// another type.
func ignoredSecret(facts *Facts, p Finding) *Finding {
	if unlistable(p.Image) != "" {
		return nil // no Secret is the cure
	}
	for _, ref := range facts.Pod.Spec.ImagePullSecrets {
		kind := facts.Secrets[ref.Name].Ignored
		if kind == "" {
			continue
		}
		p.Secret = ref.Name
		return p.as(Report, NoCredential, "Secret %s, which the pod names, is of type %s: a kubelet ignores it, whatever it holds", ref.Name, kind).
			advise("have it made with type kubernetes.io/dockerconfigjson where it comes from, or add a RegistryCredential for the image")
	}
	return nil
}
