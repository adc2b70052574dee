package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"regcred.dev/regcred/internal/foreign"
)

// OwnerKindExample is how the kind of an owner is written.
const OwnerKindExample = "core.strimzi.io/StrimziPodSet"

// OwnerKinds are kinds of custom resources that recreate a deleted pod, as people say by --recovery-owner-kinds. Nothing but a person knows
// that of a kind.
type OwnerKinds []schema.GroupKind

// kindName is how the API server wants the kind of a custom resource: a label of DNS, in any case.
var kindName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)

// ParseOwnerKind reads group/Kind. The kinds of Kubernetes itself are refused: the ones that recreate pods at no cost are known, and
// deleting a pod of a Job counts as its failure.
func ParseOwnerKind(text string) (schema.GroupKind, error) {
	group, kind, _ := strings.Cut(text, "/")
	switch {
	case !kindName.MatchString(kind), len(validation.IsDNS1123Subdomain(group)) > 0:
		return schema.GroupKind{}, fmt.Errorf("%q is not of the form group/Kind, as in %s: write the group without its version, and the kind as it stands in a manifest",
			foreign.Name(text), OwnerKindExample)
	case !strings.Contains(group, "."), group == "k8s.io", strings.HasSuffix(group, ".k8s.io"):
		return schema.GroupKind{}, fmt.Errorf("%q is a kind of Kubernetes, and only those of custom resources can be added, as in %s: regcred knows which of its own kinds recreate a pod at no cost",
			foreign.Name(text), OwnerKindExample)
	}
	return schema.GroupKind{Group: group, Kind: kind}, nil
}

// ParseOwnerKinds reads all, and fails at the first that is wrong.
func ParseOwnerKinds(texts []string) (OwnerKinds, error) {
	var kinds OwnerKinds
	for _, text := range texts {
		kind, err := ParseOwnerKind(text)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// Has reports whether an owner is of one of the kinds, whatever its version.
func (k OwnerKinds) Has(apiVersion, kind string) bool {
	return slices.Contains(k, schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind())
}

// ownerKind is an owner's kind as --recovery-owner-kinds lists it, empty where it cannot be listed there.
func ownerKind(owner Owner) string {
	kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
	text := kind.Group + "/" + kind.Kind
	if _, err := ParseOwnerKind(text); err != nil {
		return ""
	}
	return text
}
