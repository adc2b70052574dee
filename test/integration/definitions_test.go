package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// definitionsGoneWithin is longer than the five minutes after which the API server looks at a definition again that it lost sight of: see
// deleteDefinitions.
const definitionsGoneWithin = 6 * time.Minute

// definitions are the kinds that config/crd defines.
var definitions = []string{"injectionindexes", "registrycredentials", "vaultconnections"}

// deleteDefinitions deletes all definitions as a person would. Each kind is read before, as the operator of a real cluster has done: where nobody
// has, the API server builds its cache in the middle of the deletion, fails, tries again with what it read of the definition before it failed,
// takes the conflict for somebody else's change, and waits for the next resync, five minutes later (apiextensions-apiserver,
// pkg/controller/finalizer, up to 1.37).
func (c *installation) deleteDefinitions(t *testing.T) {
	t.Helper()
	eventually(t, "all kinds are served", c.servesAll)
	c.kubectl(t, "delete", "--wait=false", "-k", configFolder("crd"))
}

// servesAll reports a kind that the API server does not serve.
func (c *installation) servesAll(ctx context.Context) error {
	return errors.Join(c.admin.List(ctx, &v1alpha1.RegistryCredentialList{}), c.admin.List(ctx, &v1alpha1.VaultConnectionList{}),
		c.admin.List(ctx, &v1alpha1.InjectionIndexList{}))
}

// awaitDefinitionsGone waits until the definitions of some kinds, or of all where none is named, are gone. It fails with what the API server says
// of those that are there. That their objects are not served says less: whoever applies a definition that is still being deleted has none a
// moment later.
func (c *installation) awaitDefinitionsGone(t *testing.T, kinds ...string) {
	t.Helper()
	if len(kinds) == 0 {
		kinds = definitions
	}
	c.awaitDefinitions(t, kinds, false)
}

// awaitDefinitionsSettled waits until no definition is being deleted.
func (c *installation) awaitDefinitionsSettled(t *testing.T) {
	t.Helper()
	c.awaitDefinitions(t, definitions, true)
}

func (c *installation) awaitDefinitions(t *testing.T, kinds []string, mayStand bool) {
	t.Helper()
	awaitWithin(t, definitionsGoneWithin, func(ctx context.Context) error {
		var left []error
		for _, kind := range kinds {
			left = append(left, c.definitionGone(ctx, kind+"."+v1alpha1.GroupVersion.Group, mayStand))
		}
		return errors.Join(left...)
	})
}

// definitionGone reports a definition that is there, or with mayStand one that is being deleted.
func (c *installation) definitionGone(ctx context.Context, name string, mayStand bool) error {
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := c.admin.Get(ctx, client.ObjectKey{Name: name}, definition)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the definition %s: %w", name, err)
	}
	if mayStand && definition.GetDeletionTimestamp() == nil {
		return nil
	}
	return fmt.Errorf("the definition %s is still there: deleted %v, finalizers %v, status %v", name, definition.GetDeletionTimestamp(), definition.GetFinalizers(), definition.Object["status"])
}
