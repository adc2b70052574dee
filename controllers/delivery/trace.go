package delivery

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/named"
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

func traceOf(version string) trace { return trace{version: version} }

// wrote notes the outcome of a write.
func (t *trace) wrote(object client.Object) { *t = traceOf(object.GetResourceVersion()) }

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

// read gives an object from its cache, or past it where the cache is known to be behind, and nil where there is none. empty
// makes an object to read into.
func (r *Reconciler) read(ctx context.Context, from reader, key client.ObjectKey, empty func() client.Object, t *trace) (client.Object, error) {
	cached, err := existing(ctx, from, key, empty())
	if errors.Is(err, named.ErrNotHeld) {
		return existing(ctx, uncached{r.Writer}, key, empty())
	}
	if err != nil || !t.behind(cached) {
		return cached, err
	}
	live, err := existing(ctx, uncached{r.Writer}, key, empty())
	switch {
	case err != nil:
		return nil, err
	case live != nil:
		t.wrote(live)
	case cached != nil:
		t.removed(cached)
	default:
		*t = trace{}
	}
	return live, nil
}

// uncached reads without options.
type uncached struct{ client.Reader }

// Get implements reader.
func (u uncached) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	return u.Reader.Get(ctx, key, into)
}

func existing(ctx context.Context, from reader, key client.ObjectKey, into client.Object) (client.Object, error) {
	err := from.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return into, nil
}
