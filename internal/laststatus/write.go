package laststatus

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Write writes what differs from before in the status of an object. The API server compares no UID in a patch of a status: an object that was deleted
// and created again meanwhile is given the status of the one before, and is Ready with it though nobody looked at it. The answer tells, and that
// status is taken off again. It fails then, so that the new one is looked at.
func Write(ctx context.Context, c client.Client, object, before client.Object) error {
	if err := c.Status().Patch(ctx, object, client.MergeFrom(before)); err != nil {
		return err
	}
	if object.GetUID() == before.GetUID() {
		return nil
	}
	err := c.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"status":null}`)))
	return errors.Join(fmt.Errorf("%s was deleted and created again while its status was written: it is looked at again", object.GetName()), err)
}
