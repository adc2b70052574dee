package adoption

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// maxNamespaces and maxAccounts are what one RegistryCredential may list, by its schema.
	maxNamespaces, maxAccounts = 1000, 32
	// maxBase is how much of a registry and a Secret becomes part of a name, of which the schema allows 63 bytes: the rest is for a number.
	maxBase = 56
)

// InManifest are the Secrets that a manifest takes over: of those that can be, those that a pod or a ServiceAccount names, and the unused ones
// where a person asks for them. Whoever may write Secrets in a namespace can leave one there for any registry, and who is listed in the manifest
// is given the password.
func InManifest(found []Found, unused bool) (taken, left []Found) {
	for _, one := range found {
		switch {
		case !one.Adoptable:
		case unused || one.Used():
			taken = append(taken, one)
		default:
			left = append(left, one)
		}
	}
	return taken, left
}

// Manifests are the RegistryCredentials that take over what can be taken over: one for each name of a Secret, and more where there are more
// namespaces than one may list. The value comes from the source.
func Manifests(listed string, source v1alpha1.Source, found []Found) []v1alpha1.RegistryCredential {
	byName := map[string][]Found{}
	for _, one := range found {
		if one.Adoptable {
			byName[one.Name] = append(byName[one.Name], one)
		}
	}
	var manifests []v1alpha1.RegistryCredential
	taken := names{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		base := nameFrom(listed)
		if len(byName) > 1 {
			base = nameFrom(listed + "-" + name)
		}
		for part := range slices.Chunk(byName[name], maxNamespaces) {
			manifest := manifestOf(listed, source, name, part)
			manifest.Name = taken.unused(base)
			manifests = append(manifests, manifest)
		}
	}
	return manifests
}

func manifestOf(registry string, source v1alpha1.Source, secret string, found []Found) v1alpha1.RegistryCredential {
	object := v1alpha1.RegistryCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{v1alpha1.Registry(registry)}, Source: source,
			Target: v1alpha1.Target{SecretName: secret, ExistingSecrets: v1alpha1.ExistingAdopt},
		},
	}
	for _, one := range found {
		object.Spec.Target.Namespaces = append(object.Spec.Target.Namespaces, v1alpha1.NamespaceName(one.Namespace))
	}
	accounts := accountsOf(found)
	if len(accounts) == 0 { // the pods name it themselves
		object.Spec.Target.Attach = v1alpha1.AttachNone
		return object
	}
	listed := slices.Sorted(slices.Values(accounts[:min(len(accounts), maxAccounts)]))
	object.Spec.Target.ServiceAccounts = &listed
	return object
}

// accountsOf are the names of ServiceAccounts that name Secrets, those first that do so in most namespaces: the people of one do not choose which
// are listed.
func accountsOf(found []Found) []string {
	namespaces := map[string]int{}
	for _, one := range found {
		for _, account := range one.ServiceAccounts {
			namespaces[account]++
		}
	}
	return slices.SortedFunc(maps.Keys(namespaces), func(a, b string) int {
		return cmp.Or(cmp.Compare(namespaces[b], namespaces[a]), strings.Compare(a, b))
	})
}

// LeftOut is how many ServiceAccounts that name the Secret a manifest does not list, because one may list no more.
func LeftOut(manifest *v1alpha1.RegistryCredential, found []Found) int {
	target := &manifest.Spec.Target
	if target.ServiceAccounts == nil || len(*target.ServiceAccounts) < maxAccounts {
		return 0
	}
	listed := map[v1alpha1.NamespaceName]bool{}
	for _, namespace := range target.Namespaces {
		listed[namespace] = true
	}
	var taken []Found
	for _, one := range found {
		if one.Adoptable && one.Name == target.SecretName && listed[v1alpha1.NamespaceName(one.Namespace)] {
			taken = append(taken, one)
		}
	}
	return len(accountsOf(taken)) - len(*target.ServiceAccounts)
}

var notInName = regexp.MustCompile(`[^a-z0-9.-]+`)

// nameFrom makes a name for an object.
func nameFrom(text string) string {
	text = notInName.ReplaceAllString(strings.ToLower(text), "-")
	text = strings.Trim(text[:min(len(text), maxBase)], "-.")
	for _, pair := range []string{"..", ".-", "-."} {
		text = strings.ReplaceAll(text, pair, "-")
	}
	if text == "" {
		return "registry"
	}
	return text
}

// names are those that are given away: by base, how many.
type names map[string]int

// unused gives a name away that nobody has. The people of a namespace choose how many begin alike.
func (n names) unused(base string) string {
	name := base
	for n[name] > 0 {
		n[base]++
		name = fmt.Sprintf("%s-%d", base, n[base])
	}
	n[name]++
	return name
}
