package delivery

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trace is the newest that is known of one object: a cache that shows less is behind, and is read past.
type trace struct {
	// version that a write or a live read gave.
	version string
	// deleted object.
	deleted types.UID
	// doubt is set where a write failed because the object is not as it was read.
	doubt bool
}

// wrote notes the outcome of a write.
func (t *trace) wrote(object client.Object) { *t = trace{version: object.GetResourceVersion()} }

// removed notes a deletion.
func (t *trace) removed(object client.Object) { *t = trace{deleted: object.GetUID()} }

// behind reports whether a cache that shows this, nil for nothing, is behind.
func (t *trace) behind(cached client.Object) bool {
	switch {
	case t.doubt:
		return true
	case t.deleted != "":
		return cached != nil && cached.GetUID() == t.deleted && cached.GetDeletionTimestamp() == nil
	case t.version == "":
		return false
	case cached == nil:
		return true
	}
	// Versions of one resource compare since Kubernetes 1.35 by contract, and did before.
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), t.version)
	return err == nil && order < 0
}

type reader interface {
	Get(ctx context.Context, key client.ObjectKey, into client.Object) error
}

// read gives an object from its cache, or past it where the cache is known to be behind, and reports whether there is one.
func (r *Reconciler) read(ctx context.Context, from reader, key client.ObjectKey, into client.Object, t *trace) (bool, error) {
	err := from.Get(ctx, key, into)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, err
	}
	cached := into
	if err != nil {
		cached = nil
	}
	if !t.behind(cached) {
		*t = trace{}
		return cached != nil, nil
	}
	var before types.UID
	if cached != nil {
		before = cached.GetUID()
	}
	switch err := r.Writer.Get(ctx, key, into); {
	case apierrors.IsNotFound(err):
		*t = trace{deleted: before}
		return false, nil
	case err != nil:
		return false, err
	}
	t.wrote(into)
	return true, nil
}
