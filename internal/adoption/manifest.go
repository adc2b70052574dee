package adoption

import (
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
	// maxBase is how much of a registry becomes part of a name.
	maxBase = 100
)

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
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		base := nameFrom(listed)
		if len(byName) > 1 {
			base = nameFrom(listed + "-" + name)
		}
		for part := range slices.Chunk(byName[name], maxNamespaces) {
			manifest := manifestOf(listed, source, name, part)
			manifest.Name = unused(base, manifests)
			manifests = append(manifests, manifest)
		}
	}
	return manifests
}

func manifestOf(listed string, source v1alpha1.Source, secret string, found []Found) v1alpha1.RegistryCredential {
	object := v1alpha1.RegistryCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{v1alpha1.Registry(listed)}, Source: source,
			Target: v1alpha1.Target{SecretName: secret, ExistingSecrets: v1alpha1.ExistingAdopt},
		},
	}
	accounts := map[string]bool{}
	for _, one := range found {
		object.Spec.Target.Namespaces = append(object.Spec.Target.Namespaces, v1alpha1.NamespaceName(one.Namespace))
		for _, account := range one.ServiceAccounts {
			accounts[account] = true
		}
	}
	if len(accounts) == 0 { // the pods name it themselves
		object.Spec.Target.Attach = v1alpha1.AttachNone
		return object
	}
	names := slices.Sorted(maps.Keys(accounts))
	names = names[:min(len(names), maxAccounts)]
	object.Spec.Target.ServiceAccounts = &names
	return object
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

func unused(base string, among []v1alpha1.RegistryCredential) string {
	name := base
	for n := 2; slices.ContainsFunc(among, func(o v1alpha1.RegistryCredential) bool { return o.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}
