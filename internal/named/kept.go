package named

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// mostBytes is how much of the objects of a namespace is kept, of one kind: its people decide how many there are and how large. The
	// largest Secret fits.
	mostBytes = 2 << 20
	// mostObjects is of how many objects of a namespace at least the name is kept, of those that can be meant and of the others.
	mostObjects = 1000
	// notHeld is the generation of an object of which only the name is kept.
	notHeld = -1
)

// kept is what is kept of the objects of one kind, by namespace.
type kept struct {
	mu         sync.Mutex
	namespaces map[string]*share
}

// share is what is kept of a namespace.
type share struct {
	bytes   int
	objects map[string]member
	// counts are the numbers of objects that can be meant, and of others.
	counts map[bool]int
}

// member is an object that is kept: size in bytes, zero where only the name is.
type member struct {
	size  int
	meant bool
}

// Held reports whether more of an object is kept than its name.
func Held(object client.Object) bool { return object.GetGeneration() != notHeld }

func (k *kept) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.namespaces = map[string]*share{}
}

// admit gives what is kept of an object, or false where nothing is. Who comes first is kept: a namespace harms none but itself.
func (k *kept) admit(object client.Object) (client.Object, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.namespaces == nil {
		k.namespaces = map[string]*share{}
	}
	s := k.namespaces[object.GetNamespace()]
	if s == nil {
		s = &share{objects: map[string]member{}, counts: map[bool]int{}}
		k.namespaces[object.GetNamespace()] = s
	}
	meant := isMeant(object)
	before, there := s.objects[object.GetName()]
	switch {
	case there:
		s.bytes -= before.size
		s.counts[before.meant]--
	case s.counts[meant] >= mostObjects:
		return nil, false
	}
	s.counts[meant]++
	one := member{meant: meant}
	if size := sizeOf(object); meant && s.bytes+size <= mostBytes {
		one.size = size
	}
	s.bytes += one.size
	s.objects[object.GetName()] = one
	if one.size == 0 {
		return stub(object), true
	}
	return object, true
}

func (k *kept) release(object client.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.namespaces[object.GetNamespace()]
	if s == nil {
		return
	}
	if before, there := s.objects[object.GetName()]; there {
		s.bytes -= before.size
		s.counts[before.meant]--
		delete(s.objects, object.GetName())
	}
	if len(s.objects) == 0 {
		delete(k.namespaces, object.GetNamespace())
	}
}

// isMeant reports whether an object can be one that regcred reads: of Secrets, pull Secrets, and what has its label.
func isMeant(object client.Object) bool {
	secret, ok := object.(*corev1.Secret)
	return !ok || secret.Type == corev1.SecretTypeDockerConfigJson || secret.Type == corev1.SecretTypeDockercfg ||
		secret.Labels[v1alpha1.ManagedLabel] == v1alpha1.ManagedValue || secret.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue
}

// sizeOf is about what an object takes in memory: as much as on the wire, never nothing.
func sizeOf(object client.Object) int {
	if sized, ok := object.(interface{ Size() int }); ok {
		return max(sized.Size(), 1)
	}
	return 1
}
