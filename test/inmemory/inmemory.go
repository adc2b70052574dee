// Package inmemory has what tests need of clients that keep their objects in memory. What each of them would make for itself of Kubernetes' types, which
// takes longer than most tests, is made once, and of few types: at each write a client makes a mapper of all that it knows.
package inmemory

import (
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"regcred.dev/regcred/api/v1alpha1"
)

// scheme has the types of Kubernetes that controllers read and write, and those of regcred. It is for reading alone.
var scheme = sync.OnceValue(func() *runtime.Scheme {
	all := kubernetes()
	utilruntime.Must(v1alpha1.AddToScheme(all))
	return all
})

func kubernetes() *runtime.Scheme {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, eventsv1.AddToScheme} {
		utilruntime.Must(add(all))
	}
	return all
}

// converters know which fields somebody owns: those of Kubernetes' types by their schema, those of others by their content.
var converters = sync.OnceValue(func() []managedfields.TypeConverter {
	return []managedfields.TypeConverter{applyconfigurations.NewTypeConverter(kubernetes()), managedfields.NewDeducedTypeConverter()}
})

// Cluster begins a client that keeps its objects in memory.
func Cluster() *fake.ClientBuilder { return ClusterOf(scheme()) }

// ClusterOf is a Cluster of these types.
func ClusterOf(types *runtime.Scheme) *fake.ClientBuilder {
	return fake.NewClientBuilder().WithScheme(types).WithTypeConverters(converters()...)
}
