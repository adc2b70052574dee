package named

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/memo"
)

// slimmed gives what a cache keeps of an object. It takes out which fields the operator itself manages: nobody looks at that, and what is
// written must have no list of managed fields at all, for which the API server takes the one that it has. What thousands of objects have in
// common they share: nobody may change what is in a cache in any case.
func slimmed(s *shared) func(any) (any, error) {
	return func(in any) (any, error) {
		object, ok := in.(client.Object)
		if !ok {
			return in, nil
		}
		object.SetManagedFields(others(object.GetManagedFields()))
		object.SetLabels(s.texts.of(object.GetLabels()))
		object.SetAnnotations(s.texts.of(object.GetAnnotations()))
		switch one := object.(type) {
		case *corev1.Secret:
			one.Data = s.data.of(one.Data)
			if one.Type == corev1.SecretTypeDockerConfigJson {
				one.Type = corev1.SecretTypeDockerConfigJson // the text of the program, and not one for each Secret
			}
		case *corev1.ServiceAccount:
			one.ImagePullSecrets = s.references.of(one.ImagePullSecrets)
		}
		return object, nil
	}
}

// others are the entries of all field managers but the operator.
func others(all []metav1.ManagedFieldsEntry) (kept []metav1.ManagedFieldsEntry) {
	for _, entry := range all {
		if entry.Manager != v1alpha1.FieldManager {
			kept = append(kept, entry)
		}
	}
	return kept
}

// shareBound is how many bytes of each kind are remembered to be shared: what is shared now, and what was before. People of namespaces may
// write what nobody shares, and that is forgotten again.
const shareBound = 512 << 10

// overhead is about what an entry of a map takes beside its texts.
const overhead = 64

// shared is what objects have in common.
type shared struct {
	texts      pool[map[string]string]
	data       pool[map[string][]byte]
	references pool[[]corev1.LocalObjectReference]
}

func newShared() *shared {
	seed := maphash.MakeSeed()
	return &shared{
		texts: newPool(maps.Equal[map[string]string, map[string]string], func(m map[string]string) (print uint64, size int) {
			for key, value := range m {
				print += maphash.Comparable(seed, [2]string{key, value}) // of which the order does not matter
				size += len(key) + len(value) + overhead
			}
			return print, size
		}),
		data: newPool(sameData, func(m map[string][]byte) (print uint64, size int) {
			for key, value := range m {
				print += maphash.Comparable(seed, [2]uint64{maphash.String(seed, key), maphash.Bytes(seed, value)})
				size += len(key) + len(value) + overhead
			}
			return print, size
		}),
		references: newPool(slices.Equal[[]corev1.LocalObjectReference], func(list []corev1.LocalObjectReference) (print uint64, size int) {
			for at, one := range list {
				print += maphash.Comparable(seed, struct {
					at  int
					one corev1.LocalObjectReference
				}{at, one})
				size += len(one.Name) + overhead
			}
			return print, size
		}),
	}
}

func sameData(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// pool gives one value for all that are equal.
type pool[V any] struct {
	known *memo.Of[uint64, V]
	equal func(a, b V) bool
	// look gives a print, which is the same for equal values, and about how many bytes a value takes: none where it is empty.
	look func(V) (print uint64, size int)
}

func newPool[V any](equal func(a, b V) bool, look func(V) (uint64, int)) pool[V] {
	weigh := func(_ uint64, value V) int {
		_, size := look(value)
		return size
	}
	return pool[V]{known: memo.New(shareBound, weigh), equal: equal, look: look}
}

func (p *pool[V]) of(value V) V {
	print, size := p.look(value)
	if size == 0 {
		return value
	}
	if first := p.known.Get(print, func() V { return value }); p.equal(first, value) {
		return first
	}
	return value // another one that has the print of the first
}
