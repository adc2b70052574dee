package podfacts

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// everything gives each object a UID by what it is.
type everything struct{ client.Reader }

func uidOf(kind, namespace, name string) types.UID {
	return types.UID(kind + " " + namespace + "/" + name)
}

func (everything) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.SetUID(uidOf(into.GetObjectKind().GroupVersionKind().Kind, key.Namespace, key.Name))
	return nil
}

// What is remembered of an owner is of one kind, namespace and name: teams give the same names, and the owner of another one would count as gone.
func TestOwnersOfTheSameNameAreNotTakenForEachOther(t *testing.T) {
	group := "core.strimzi.io"
	owners := &Owners{Chosen: diagnosis.OwnerKinds{{Group: group, Kind: "StrimziPodSet"}, {Group: group, Kind: "Other"}}}
	for _, kind := range []string{"StrimziPodSet", "Other"} {
		for _, namespace := range []string{"shop", "web"} {
			for _, name := range []string{"a", "b"} {
				pod := ofSet("v1")
				pod.Namespace, pod.OwnerReferences[0].Kind, pod.OwnerReferences[0].Name = namespace, kind, name
				pod.OwnerReferences[0].UID = uidOf(kind, namespace, name)
				facts, _, err := owners.Of(t.Context(), nil, everything{}, pod)
				if err != nil || len(facts) != 1 || facts[0].Gone || facts[0].Unread {
					t.Errorf("%s: %+v, %v", pod.OwnerReferences[0].UID, facts, err)
				}
			}
		}
	}
}
