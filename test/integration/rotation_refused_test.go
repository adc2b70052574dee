package integration

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// The wrong values of these tests have a user of their own, so that the registry can treat them differently.
const stranger = "stranger"

// TestAValueThatWasRefusedStaysOutAfter429 has the registry refuse a value with 401, and answer each later test with 429.
func TestAValueThatWasRefusedStaysOutAfter429(t *testing.T) {
	t.Parallel()
	r, namespaces, watched := rotationRun(t, 5)
	r.setVaultAs(t, stranger, "wrong")
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
	r.setFaults(t, box.Fault{User: stranger, Status: http.StatusTooManyRequests})
	awaitWithin(t, 45*time.Second, r.answered(stranger, http.StatusTooManyRequests))
	r.refuses(t, "wrong")
	r.rotate(t, "second")
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
	watched.only(t, namespaces, "first", "second")
}

// TestAnAnswer400ToAWrongLoginIsARefusal has a registry that answers a wrong login as token services of clouds do.
func TestAnAnswer400ToAWrongLoginIsARefusal(t *testing.T) {
	t.Parallel()
	r, namespaces, watched := rotationRun(t, 0)
	r.setFaults(t, box.Fault{User: stranger, Status: http.StatusBadRequest, Body: "bad request", ContentType: "text/plain"})
	r.setVaultAs(t, stranger, "wrong")
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
	r.refuses(t, "wrong")
	r.rotate(t, "second")
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
	watched.only(t, namespaces, "first", "second")
}

// TestALockedAccountGetsTheNewValue locks the account: the registry refuses the value in use and the new one, until the nodes stop
// sending the old one.
func TestALockedAccountGetsTheNewValue(t *testing.T) {
	t.Parallel()
	const hold = 5
	r, namespaces, watched := rotationRun(t, hold)
	r.setFaults(t, box.Fault{User: "robot", Status: http.StatusUnauthorized})
	begun := time.Now()
	r.rotate(t, "second")
	awaitWithin(t, 20*time.Second, r.answered("robot", http.StatusUnauthorized))
	awaitWithin(t, 100*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "second") })
	if took := time.Since(begun); took < hold*time.Second {
		t.Errorf("the new value was published after %s: before both were refused for %d s", took, hold)
	}
	if err := r.registry.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	watched.only(t, namespaces, "first", "second")
}

// answered waits until the registry gave a user an answer with a status.
func (r *operatorRun) answered(user string, status int) func(context.Context) error {
	return func(ctx context.Context) error {
		count, err := r.answers(ctx, user, status)
		if err == nil && count == 0 {
			err = fmt.Errorf("no answer %d to %s yet", status, user)
		}
		return err
	}
}

// refuses fails if the value in Vault is not refused still, two reads after now.
func (r *operatorRun) refuses(t *testing.T, password string) {
	t.Helper()
	for _, request := range []string{"one", "two"} {
		r.requestRefresh(t, password+"-"+request)
		// A request has a refused value tested again, and half a minute lies between two tests.
		awaitWithin(t, 50*time.Second, r.handled(password+"-"+request))
	}
	if err := r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected)(t.Context()); err != nil {
		t.Error(err)
	}
}
