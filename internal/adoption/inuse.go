package adoption

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// Current says whether a Secret has the value in use.
type Current string

// The answers.
const (
	CurrentYes     Current = "Yes"
	CurrentNo      Current = "No"
	CurrentUnknown Current = "Unknown"
)

// claim notes which RegistryCredentials wrote into a Secret, and the logins under the keys for the registry.
func (f *Finder) claim(found *Found, secret *corev1.Secret, config dockerconfig.Config, keys []string) {
	found.sources, found.logins = pullsecret.SourcesOf(secret.Annotations), map[string]string{}
	for _, key := range keys {
		found.logins[key] = f.printOf(config, []string{key})
	}
	for name := range found.sources {
		f.written[name] = append(f.written[name], found)
	}
}

// held is a login under a key.
type held struct{ key, login string }

// InUse says which value is in use: that which a RegistryCredential wrote and the registry accepts. Whoever may write Secrets in a namespace can
// write there what looks like regcred's, so the login counts that most Secrets have under the key, and none where two are in as many. It
// reports whether there is another.
func (f *Finder) InUse(object *v1alpha1.RegistryCredential) (contradicted bool) {
	status := object.Status.Credential
	if status == nil || status.ProvenBy == "" {
		return false
	}
	votes := map[held]int{}
	writers := slices.DeleteFunc(slices.Clone(f.written[object.Name]), func(found *Found) bool {
		return found.Name != object.Spec.Target.Name() || found.sources[object.Name].Revision != status.Revision
	})
	allowed := target.Keys(&object.Spec)
	for _, found := range writers {
		for _, one := range found.holds(object.Name, allowed) {
			votes[one]++
		}
	}
	chosen, contradicted := elected(votes)
	for _, found := range writers {
		all := found.holds(object.Name, allowed)
		if len(all) > 0 && !slices.ContainsFunc(all, func(one held) bool { return chosen[one.key] != one.login }) {
			f.current[found.print] = true
		}
	}
	return contradicted
}

// NameInUse says which value is in use: that of a Secret that a person names. It reports whether that one was found.
func (f *Finder) NameInUse(namespace, name string) bool {
	found := f.at[place{namespace, name}]
	if found != nil {
		f.current[found.print] = true
	}
	return found != nil
}

// holds are the logins that a RegistryCredential wrote into the Secret under keys for the registry that its spec has.
func (f *Found) holds(credential string, allowed []string) []held {
	var all []held
	for _, key := range f.sources[credential].Keys {
		if login, there := f.logins[key]; there && slices.Contains(allowed, key) {
			all = append(all, held{key, login})
		}
	}
	return all
}

// elected is the login of each key that has most votes, empty where two have as many, and whether a key has several.
func elected(votes map[held]int) (chosen map[string]string, several bool) {
	chosen = map[string]string{}
	most := map[string]int{}
	for _, one := range slices.SortedFunc(maps.Keys(votes), func(a, b held) int { return cmp.Compare(votes[b], votes[a]) }) {
		switch before, there := most[one.key]; {
		case !there:
			chosen[one.key], most[one.key] = one.login, votes[one]
			continue
		case before == votes[one]:
			chosen[one.key] = ""
		}
		several = true
	}
	return chosen, several
}
