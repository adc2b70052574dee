// Package named reads objects of one kind by the names that the operator may touch, across all namespaces.
//
// RBAC authorises a list or a watch of one name (field selector metadata.name) where the role lists that name. So there is one
// informer for each name, and the operator holds no right to read any other object of the kind.
package named

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Any in a list of names stands for all names: the wide mode, which needs a wide role.
const Any = "*"

// ErrNotAllowed means that the operator was not given this name.
var ErrNotAllowed = errors.New("the operator is not given this name")

// ErrNotHeld means that of this object only the name is kept in memory: its namespace has more, or larger ones, than its share. Ask the
// API server for it, if that is worth a request.
var ErrNotHeld = errors.New("the namespace has more of this kind than is kept in memory")

// Caches holds one cache for each name, or a single one in the wide mode.
type Caches struct {
	names  []string
	byName map[string]cache.Cache
}

// New returns caches for the given names. Add them to a manager before it starts.
func New(config *rest.Config, options cache.Options, names []string) (*Caches, error) {
	c := &Caches{byName: map[string]cache.Cache{}}
	if slices.Contains(names, Any) {
		names = []string{Any}
	}
	for _, name := range names {
		if _, twice := c.byName[name]; twice {
			continue
		}
		one := options
		if name == Any {
			one.NewInformer = newBoundedInformer
		} else {
			one.DefaultFieldSelector, one.NewInformer = fields.OneTermEqualSelector("metadata.name", name), newNamedInformer
		}
		one.ReaderFailOnMissingInformer = true
		one.DefaultUnsafeDisableDeepCopy, one.DefaultTransform = ptr.To(true), slimmed(newShared())
		built, err := cache.New(config, one)
		if err != nil {
			return nil, fmt.Errorf("cache of objects named %s: %w", name, err)
		}
		c.names, c.byName[name] = append(c.names, name), built
	}
	return c, nil
}

// newNamedInformer makes the informer of one name. It has no index by namespace, which holds one object at most: a map for each would cost
// more than the object.
func newNamedInformer(source toolscache.ListerWatcher, object runtime.Object, resync time.Duration, _ toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(source, object, resync, toolscache.Indexers{})
}

// AddTo adds the caches to a manager, and starts their informers for the given kind with it.
func (c *Caches) AddTo(ctx context.Context, mgr manager.Manager, kind client.Object) error {
	for _, one := range c.byName {
		if _, err := one.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
		if err := mgr.Add(one); err != nil {
			return err
		}
	}
	return nil
}

// Each calls f for each cache.
func (c *Caches) Each(f func(cache.Cache) error) error {
	for _, name := range c.names {
		if err := f(c.byName[name]); err != nil {
			return err
		}
	}
	return nil
}

// Allowed reports whether the operator was given this name.
func (c *Caches) Allowed(name string) bool {
	_, ok := c.of(name)
	return ok
}

// Names that the operator was given, "*" for all.
func (c *Caches) Names() []string { return slices.Clone(c.names) }

// Get reads one object from its cache, with which it shares all that it points to: a namespace's people make Secrets as large as they
// like, and each look at one of their pods would copy them. Nobody may change it: take a copy. ErrNotAllowed where the operator was not given the name. With ErrNotHeld, into has no more than
// the name, and the type of a Secret.
func (c *Caches) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	reader, ok := c.of(key.Name)
	if !ok {
		return fmt.Errorf("%s: %w", key.Name, ErrNotAllowed)
	}
	if err := reader.Get(ctx, key, into); err != nil {
		return err
	}
	if !Held(into) {
		return fmt.Errorf("%s in namespace %s: %w", key.Name, key.Namespace, ErrNotHeld)
	}
	return nil
}

// List reads the objects of all names from the caches, those of one namespace or, with "", of all. visit must not change them. Of those
// that are not held there is no more than the name.
func (c *Caches) List(ctx context.Context, namespace string, list client.ObjectList, visit func()) error {
	for _, name := range c.names {
		var err error
		if one := c.byName[name]; name == Any || namespace == "" {
			err = one.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
		} else {
			err = listOne(ctx, one, client.ObjectKey{Namespace: namespace, Name: name}, list)
		}
		if err != nil {
			return err
		}
		visit()
	}
	return nil
}

// listOne fills a list with the one object that a namespace can have in the cache of a name.
func listOne(ctx context.Context, one cache.Cache, key client.ObjectKey, list client.ObjectList) error {
	switch into := list.(type) {
	case *corev1.SecretList:
		into.Items = append(into.Items[:0], corev1.Secret{})
		if err := one.Get(ctx, key, &into.Items[0]); err != nil {
			into.Items = into.Items[:0]
			return client.IgnoreNotFound(err)
		}
	case *corev1.ServiceAccountList:
		into.Items = append(into.Items[:0], corev1.ServiceAccount{})
		if err := one.Get(ctx, key, &into.Items[0]); err != nil {
			into.Items = into.Items[:0]
			return client.IgnoreNotFound(err)
		}
	default:
		return fmt.Errorf("%T is no list of objects that are read by name", list)
	}
	return nil
}

func (c *Caches) of(name string) (cache.Cache, bool) {
	if wide, ok := c.byName[Any]; ok {
		return wide, true
	}
	one, ok := c.byName[name]
	return one, ok
}
