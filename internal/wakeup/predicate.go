package wakeup

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// OnSpec lets through what changes what people ask for: not the status.
func OnSpec[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool { return Renewed(e.ObjectOld, e.ObjectNew) }}
}

// Renewed reports whether an object has another spec than before, or is another one of its name: where the connection to the API server broke, one that
// was deleted and created again comes as a change, with the first generation again.
func Renewed(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration() || before.GetUID() != after.GetUID()
}
