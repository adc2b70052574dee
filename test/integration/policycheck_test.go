package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestOperatorWithoutItsPolicies starts the operator's own program where a policy is not bound, and binds it again.
func TestOperatorWithoutItsPolicies(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	r.kubectl(t, "delete", "validatingadmissionpolicybinding", "regcred-records")
	r.start(t)
	unfenced := func() (string, error) {
		var connection v1alpha1.VaultConnection
		err := r.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection)
		if condition := meta.FindStatusCondition(connection.Status.Conditions, v1alpha1.ConditionUnfenced); condition != nil {
			return condition.Message, err
		}
		return "", err
	}
	awaitAPI(t, "the connection says which policy is missing", func() error {
		message, err := unfenced()
		if err == nil && !strings.Contains(message, "regcred-records") {
			err = fmt.Errorf("the message is %q", message)
		}
		return err
	})
	r.kubectl(t, "apply", "-k", configFolder("default"))
	awaitAPI(t, "the condition goes when the policy is back, at the next look", func() error {
		message, err := unfenced()
		if err == nil && message != "" {
			err = errors.New(message)
		}
		return err
	})
}
