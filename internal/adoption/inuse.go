package adoption

import (
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
// write there what looks like regcred's, and one person may have more namespaces than all others together. So no login counts under a key of
// which its Secrets have several: that is told, see [Finder.Disputes], and a person names the right one.
func (f *Finder) InUse(object *v1alpha1.RegistryCredential) {
	status := object.Status.Credential
	if status == nil || status.ProvenBy == "" {
		return
	}
	allowed := target.Keys(&object.Spec)
	writers := slices.DeleteFunc(slices.Clone(f.written[object.Name]), func(found *Found) bool {
		return found.Name != object.Spec.Target.Name() || found.sources[object.Name].Revision != status.Revision || len(found.holds(object.Name, allowed)) == 0
	})
	several, contradicted := keysWithSeveral(writers, object.Name, allowed), false
	for _, found := range writers {
		if slices.ContainsFunc(found.holds(object.Name, allowed), func(one held) bool { return several[one.key] }) {
			contradicted = true
			continue
		}
		f.current[found.print] = true
	}
	if contradicted {
		f.disputes = append(f.disputes, dispute{object.Name, writers})
	}
}

// keysWithSeveral are the keys under which Secrets have several logins.
func keysWithSeveral(writers []*Found, credential string, allowed []string) map[string]bool {
	logins, several := map[string]string{}, map[string]bool{}
	for _, found := range writers {
		for _, one := range found.holds(credential, allowed) {
			if before, there := logins[one.key]; there && before != one.login {
				several[one.key] = true
			}
			logins[one.key] = one.login
		}
	}
	return several
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
