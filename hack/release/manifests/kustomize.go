// Package manifests renders the kustomizations of config/.
package manifests

import (
	"cmp"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Render gives the objects of a kustomization folder as YAML, in the order of their files but for Namespaces, which come first: `kubectl apply -f`
// takes one object after the other, and refuses those whose namespace is not there yet.
func Render(folder string) ([]byte, error) {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	sorted := objects.Resources()
	slices.SortStableFunc(sorted, func(a, b *resource.Resource) int { return cmp.Compare(rank(a), rank(b)) })
	ordered := resmap.New()
	for _, object := range sorted {
		if err := ordered.Append(object); err != nil {
			return nil, err
		}
	}
	return ordered.AsYaml()
}

func rank(object *resource.Resource) int {
	if object.GetKind() == "Namespace" {
		return 0
	}
	return 1
}
