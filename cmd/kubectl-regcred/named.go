package main

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// maxName is the longest name of an object, in bytes.
const maxName = 253

// possible reports whether an object can have a name. Names that objects mention of others, such as those of pull secrets and owners, were
// checked by nobody.
func possible(name string) bool {
	return name != "" && len(name) <= maxName && len(content.IsPathSegmentName(name)) == 0
}

// named answers for names that no object can have. The client itself would fail, and with it the whole command.
type named struct{ client.WithWatch }

// Get implements [client.Reader].
func (n named) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if possible(key.Name) {
		return n.WithWatch.Get(ctx, key, object, options...)
	}
	kind, err := apiutil.GVKForObject(object, n.Scheme())
	if err != nil {
		return err
	}
	return apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, key.Name)
}
