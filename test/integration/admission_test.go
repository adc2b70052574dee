// Package integration tests the operator, and what is shipped with it, against a real API server.
package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attempt is one thing that the operator, or somebody who stole its identity, tries to do.
type attempt struct {
	name string
	// namespace in which it happens; a fresh one where empty.
	namespace string
	// given is there before, made by an administrator; fresh is what the operator makes. One of them is set.
	given, fresh client.Object
	do           func(ctx context.Context, operator client.Client, object client.Object) error
	// refused is the sentence that a policy answers with. Empty where the attempt must succeed.
	refused string
}

func TestAdmissionPolicies(t *testing.T) {
	c := startCluster(t)
	c.widen(t)
	awaitPolicies(t, c)
	tables := map[string][]attempt{
		"Secrets":         secretAttempts(),
		"ServiceAccounts": serviceAccountAttempts(),
		"deleting pods":   podDeleteAttempts(),
		"changing pods":   podUpdateAttempts(),
	}
	identities := map[string]client.Client{
		"impersonated": newClient(t, c.impersonated()),
		"by token":     newClient(t, c.withToken(t)),
	}
	for identity, operator := range identities {
		for table, attempts := range tables {
			for _, a := range attempts {
				t.Run(identity+"/"+table+"/"+a.name, func(t *testing.T) { try(t, c, operator, a) })
			}
		}
	}
	t.Run("nobody else is held back", func(t *testing.T) { tryAsSomebodyElse(t, c) })
}

func try(t *testing.T, c *cluster, operator client.Client, a attempt) {
	namespace := a.namespace
	if namespace == "" {
		namespace = c.namespace(t)
	}
	object := prepare(t, c, a, namespace)
	err := a.do(t.Context(), operator, object.DeepCopyObject().(client.Object))
	if a.refused == "" {
		if err != nil {
			t.Fatalf("must be allowed, and is not: %v", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("must be refused with %q, and is allowed", a.refused)
	}
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy") || !strings.Contains(err.Error(), a.refused) {
		t.Errorf("must be refused with %q, and is with: %v", a.refused, err)
	}
	checkUntouched(t, c, a, object)
}

// prepare makes what is there before the attempt and returns the object that it is about.
func prepare(t *testing.T, c *cluster, a attempt, namespace string) client.Object {
	t.Helper()
	if a.given == nil {
		object := a.fresh.DeepCopyObject().(client.Object)
		object.SetNamespace(namespace)
		return object
	}
	object := a.given.DeepCopyObject().(client.Object)
	object.SetNamespace(namespace)
	var status corev1.PodStatus
	if pod, ok := object.(*corev1.Pod); ok {
		status = pod.Status
	}
	if err := c.admin.Create(t.Context(), object); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	t.Cleanup(func() {
		if err := c.admin.Delete(context.Background(), object, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	if pod, ok := object.(*corev1.Pod); ok {
		pod.Status = status
		if err := c.admin.Status().Update(t.Context(), pod); err != nil {
			t.Fatalf("prepare the pod's status: %v", err)
		}
	}
	return object
}

// checkUntouched fails unless everything is as it was before the refused attempt.
func checkUntouched(t *testing.T, c *cluster, a attempt, before client.Object) {
	t.Helper()
	after := before.DeepCopyObject().(client.Object)
	err := c.admin.Get(t.Context(), client.ObjectKeyFromObject(before), after)
	switch {
	case a.given == nil && !apierrors.IsNotFound(err):
		t.Errorf("the refused object is there, or cannot be looked for: %v", err)
	case a.given != nil && err != nil:
		t.Error(err)
	case a.given != nil && after.GetResourceVersion() != before.GetResourceVersion():
		t.Error("the attempt is refused, and the object has changed all the same")
	}
}

// tryAsSomebodyElse does, as an administrator, what the operator must not.
func tryAsSomebodyElse(t *testing.T, c *cluster) {
	for _, a := range slices.Concat(secretAttempts(), serviceAccountAttempts(), podDeleteAttempts()) {
		if a.refused != "" && a.namespace == "" {
			t.Run(a.name, func(t *testing.T) {
				err := a.do(t.Context(), c.admin, prepare(t, c, a, c.namespace(t)))
				if err != nil {
					t.Errorf("an administrator must be able to, and is not: %v", err)
				}
			})
		}
	}
}

// awaitPolicies waits until the API server enforces all four policies.
func awaitPolicies(t *testing.T, c *cluster) {
	t.Helper()
	operator := client.NewDryRunClient(newClient(t, c.impersonated()))
	bare := prepare(t, c, attempt{given: pod()}, c.namespace(t))
	at := metav1.ObjectMeta{Namespace: bare.GetNamespace(), Name: "probe"}
	probes := map[string]func() error{
		"regcred-secrets":         func() error { return operator.Create(t.Context(), &corev1.Secret{ObjectMeta: at}) },
		"regcred-serviceaccounts": func() error { return operator.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: at}) },
		"regcred-pod-delete":      func() error { return operator.Delete(t.Context(), bare) },
		"regcred-pod-update":      func() error { return operator.Create(t.Context(), &corev1.Pod{ObjectMeta: at, Spec: pod().Spec}) },
	}
	for policy, probe := range probes {
		eventually(t, "policy "+policy+" is enforced", func() error {
			if err := probe(); err == nil || !strings.Contains(err.Error(), policy) {
				return fmt.Errorf("the answer to a probe is: %w", err)
			}
			return nil
		})
	}
}

// What attempts do.

func create(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Create(ctx, object)
}

func remove(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Delete(ctx, object)
}

func removeAll(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.DeleteAllOf(ctx, object, client.InNamespace(object.GetNamespace()))
}

// patch sends a JSON merge patch: lists are replaced whole, null removes.
func patch(body string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(body)))
	}
}
