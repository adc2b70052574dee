package watchdog

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Source is what gives a controller work besides the objects that it watches. name says in the log what that is: controller-runtime would
// write the address of a function.
func Source[request comparable](name string, start func(context.Context, workqueue.TypedRateLimitingInterface[request]) error) source.TypedSource[request] {
	return namedSource[request]{start, name}
}

type namedSource[request comparable] struct {
	source.TypedFunc[request]
	name string
}

// String implements [fmt.Stringer].
func (s namedSource[request]) String() string { return s.name }
