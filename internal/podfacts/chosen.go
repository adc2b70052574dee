package podfacts

import (
	"context"
	"maps"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// ownersKept is how many owners of chosen kinds are remembered, ownerFor how long: about as long as a cache may be behind. Thousands of
	// stuck pods of one owner then cost one read.
	ownersKept, ownerFor = 256, 2 * time.Second
	// ourAnnotations are those that are kept of an owner: others can be large.
	ourAnnotations = "regcred.dev/"
)

// ownerKey names an owner as a pod does, without its version.
type ownerKey struct {
	kind            schema.GroupKind
	namespace, name string
}

// lookedUp is what the read of an owner of a chosen kind gave: either the owner, or why there is none.
type lookedUp struct {
	object       *metav1.PartialObjectMetadata
	unread, gone bool
	read         time.Time
}

// versioned is the chosen kind of an owner, in the version in which it is read. Whoever creates a pod writes the version into it, and for one that
// nobody serves each read would ask the API server once more what it serves.
func (o *Owners) versioned(ref *metav1.OwnerReference) (schema.GroupVersionKind, error) {
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	if o.Served == nil {
		return kind, nil
	}
	mapping, err := o.Served.RESTMapping(kind.GroupKind())
	if err != nil {
		return schema.GroupVersionKind{}, err
	}
	return mapping.GroupVersionKind, nil
}

// chosen reads the metadata of an owner of a chosen kind, or remembers it.
func (o *Owners) chosen(ctx context.Context, objects client.Reader, namespace string, ref *metav1.OwnerReference) (lookedUp, error) {
	key := ownerKey{schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(), namespace, ref.Name}
	now := time.Now()
	o.mu.Lock()
	known := o.owners[key]
	o.mu.Unlock()
	if now.Sub(known.read) < ownerFor {
		return known, nil
	}
	fresh := lookedUp{object: &metav1.PartialObjectMetadata{}, read: now}
	kind, err := o.versioned(ref)
	if err == nil {
		fresh.object.SetGroupVersionKind(kind)
		err = objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, fresh.object)
	}
	switch {
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		fresh.object, fresh.unread = nil, true
	case apierrors.IsNotFound(err):
		fresh.object, fresh.gone = nil, true
	case err != nil:
		return lookedUp{}, err
	default:
		fresh.object.ManagedFields = nil
		maps.DeleteFunc(fresh.object.Annotations, func(name, _ string) bool { return !strings.HasPrefix(name, ourAnnotations) })
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owners == nil || len(o.owners) >= ownersKept {
		o.owners = map[ownerKey]lookedUp{}
	}
	o.owners[key] = fresh
	return fresh, nil
}
