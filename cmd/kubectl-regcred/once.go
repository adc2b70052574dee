package main

import (
	"context"
	"maps"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// remembered is the metadata of objects that was read. The zero value is ready.
type remembered struct {
	mu    sync.Mutex
	known map[metadataOf]*readOnce
}

type metadataOf struct {
	kind schema.GroupVersionKind
	key  client.ObjectKey
}

type readOnce struct {
	sync.Once
	object metav1.PartialObjectMetadata
	err    error
}

func (r *remembered) of(one metadataOf) *readOnce {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[metadataOf]*readOnce{}
	}
	if r.known[one] == nil {
		r.known[one] = &readOnce{}
	}
	return r.known[one]
}

// once reads the metadata of each object once: thousands of stuck pods have one owner.
type once struct {
	client.Reader
	remembered *remembered
}

// ourAnnotations are those that are kept of an owner: others can be large.
const ourAnnotations = "regcred.dev/"

// Get implements [client.Reader].
func (o once) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return o.Reader.Get(ctx, key, object, options...)
	}
	read := o.remembered.of(metadataOf{metadata.GroupVersionKind(), key})
	read.Do(func() {
		read.object.SetGroupVersionKind(metadata.GroupVersionKind())
		read.err = o.Reader.Get(ctx, key, &read.object, options...)
		read.object.ManagedFields = nil
		maps.DeleteFunc(read.object.Annotations, func(name, _ string) bool { return !strings.HasPrefix(name, ourAnnotations) })
	})
	read.object.DeepCopyInto(metadata)
	return read.err
}
