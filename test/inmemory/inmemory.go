// Package inmemory has what tests need of clients that keep their objects in memory. What each of them would make for itself of Kubernetes' types, which
// takes longer than most tests, is made once.
package inmemory

import (
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"regcred.dev/regcred/api/v1alpha1"
)

// Scheme has the types of Kubernetes and of regcred. It is for reading alone.
var Scheme = sync.OnceValue(func() *runtime.Scheme {
	scheme := kubernetes()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
})

func kubernetes() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	return scheme
}

// converters know which fields somebody owns: those of Kubernetes' types by their schema, those of others by their content.
var converters = sync.OnceValue(func() []managedfields.TypeConverter {
	return []managedfields.TypeConverter{applyconfigurations.NewTypeConverter(kubernetes()), managedfields.NewDeducedTypeConverter()}
})

// Cluster begins a client that keeps its objects in memory.
func Cluster() *fake.ClientBuilder {
	return fake.NewClientBuilder().WithScheme(Scheme()).WithTypeConverters(converters()...)
}
