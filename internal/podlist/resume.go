package podlist

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Resume is the token with which a list goes on whose own, expired, is no longer taken: an API server forgets after minutes how things were
// when the list began. What is left of it is then as it is now. It is empty where err says something else, or gives no other place to go on.
func Resume(err error, expired string) string {
	var refused apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &refused) {
		return ""
	}
	if next := refused.Status().ListMeta.Continue; next != expired {
		return next
	}
	return ""
}
