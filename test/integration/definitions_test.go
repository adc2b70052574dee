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

// definitionsGoneWithin is longer than a round of the API server's own: it polls up to a minute until the objects of a definition are gone, and
// tries again after that (apiextensions-apiserver, pkg/controller/finalizer).
const definitionsGoneWithin = 2 * time.Minute

// awaitDefinitionsGone waits until no definition of regcred is left. It fails with what the API server says of those that are.
func (c *installation) awaitDefinitionsGone(t *testing.T) {
	t.Helper()
	awaitWithin(t, definitionsGoneWithin, func(ctx context.Context) error {
		var left []error
		for _, kind := range []string{"injectionindexes", "registrycredentials", "vaultconnections"} {
			left = append(left, c.definitionGone(ctx, kind+"."+v1alpha1.GroupVersion.Group))
		}
		return errors.Join(left...)
	})
}

func (c *installation) definitionGone(ctx context.Context, name string) error {
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := c.admin.Get(ctx, client.ObjectKey{Name: name}, definition)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the definition %s: %w", name, err)
	}
	return fmt.Errorf("the definition %s is still there: deleted %v, finalizers %v, status %v", name, definition.GetDeletionTimestamp(), definition.GetFinalizers(), definition.Object["status"])
}
