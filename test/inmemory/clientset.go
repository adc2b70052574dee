package inmemory

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Clientset is a client of Kubernetes' own kinds that keeps its objects in memory, as fake.NewClientset does, but not who owns which field: to know that,
// it would make a mapper of all kinds at each write. It answers no watches and no server-side apply.
func Clientset(objects ...runtime.Object) *fake.Clientset {
	tracker := clienttesting.NewObjectTracker(scheme(), serializer.NewCodecFactory(scheme()).UniversalDecoder())
	for _, object := range objects {
		utilruntime.Must(tracker.Add(object))
	}
	c := &fake.Clientset{}
	c.AddReactor("*", "*", clienttesting.ObjectReaction(tracker))
	return c
}
