// Package integration tests the operator, and what is shipped with it, against a real API server.
package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// admissionAttempt is one thing that the operator, or somebody who stole its identity, tries to do.
type admissionAttempt struct {
	name string
	// namespace in which it happens; a fresh one where empty.
	namespace string
	// given is there before, made by an administrator; fresh is what the operator makes; existing came with the installation. One of
	// them is set.
	given, fresh, existing client.Object
	do                     func(ctx context.Context, operator client.Client, object client.Object) error
	// refused is the sentence that a policy answers with. Empty where the attempt must succeed.
	refused string
	// changes is true where the attempt has two steps, and only the second must be refused.
	changes bool
}

func TestAdmissionPolicies(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	c.widen(t)
	awaitPolicies(t, c)
	tables := []struct {
		name     string
		attempts []admissionAttempt
	}{
		{"Secrets", secretAttempts()},
		{"ServiceAccounts", serviceAccountAttempts()},
		{"deleting pods", podDeleteAttempts()},
		{"changing pods", podUpdateAttempts()},
		{"regcred's kinds", kindAttempts()},
		{"records", recordAttempts()},
		{"leases", leaseAttempts()},
		{"tokens", tokenAttempts()},
		{"events", eventAttempts()},
	}
	impersonated, byToken := newAPIClient(t, c.impersonated()), newAPIClient(t, c.withToken(t))
	for _, table := range tables {
		for _, a := range table.attempts {
			t.Run("impersonated/"+table.name+"/"+a.name, func(t *testing.T) { tryAttempt(t, c, impersonated, a) })
			t.Run("by token/"+table.name+"/"+a.name, func(t *testing.T) { tryAttempt(t, c, byToken, a) })
		}
	}
	t.Run("nobody else is held back", func(t *testing.T) { tryAsSomebodyElse(t, c) })
	t.Run("the operator and its policy know the same marks of tools", func(t *testing.T) { compareMarks(t, c, byToken) })
	t.Run("an object that was created again gets no status of the one before", func(t *testing.T) { writeStatusOfAnother(t, c, byToken) })
	t.Run("any name", func(t *testing.T) { testAnyName(t, c, byToken) })
}

func tryAttempt(t *testing.T, c *installation, operator client.Client, a admissionAttempt) {
	namespace := a.namespace
	if namespace == "" {
		namespace = c.namespace(t)
	}
	object := prepareAttempt(t, c, a, namespace)
	var err error
	awaitAPI(t, "the API server's admission knows namespace "+namespace, func() error { // it learns of a new one from a watch
		err = a.do(t.Context(), operator, object.DeepCopyObject().(client.Object))
		if apierrors.IsNotFound(err) && strings.Contains(err.Error(), fmt.Sprintf("namespace %q not found", namespace)) {
			return err
		}
		return nil
	})
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
	if !a.changes {
		checkUntouched(t, c, a, object)
	}
}

// prepareAttempt makes what is there before the attempt and returns the object that it is about.
func prepareAttempt(t *testing.T, c *installation, a admissionAttempt, namespace string) client.Object {
	t.Helper()
	if a.existing != nil {
		return placed(a.existing, namespace)
	}
	if a.given == nil {
		object := placed(a.fresh, namespace)
		if a.namespace != "" && object.GetName() != "" {
			t.Cleanup(func() {
				if err := c.admin.Delete(context.Background(), object.DeepCopyObject().(client.Object)); client.IgnoreNotFound(err) != nil {
					t.Error(err)
				}
			})
		}
		return object
	}
	object := placed(a.given, namespace)
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

// placed is a copy of an object in a namespace, where its kind has any.
func placed(object client.Object, namespace string) client.Object {
	object = object.DeepCopyObject().(client.Object)
	switch object.(type) {
	case *v1alpha1.RegistryCredential, *v1alpha1.VaultConnection:
		return object
	}
	object.SetNamespace(namespace)
	return object
}

// checkUntouched fails unless everything is as it was before the refused attempt.
func checkUntouched(t *testing.T, c *installation, a admissionAttempt, before client.Object) {
	t.Helper()
	if a.existing != nil || before.GetName() == "" {
		return // its name would have been made by the API server, which answered that it makes nothing; and a token changes nothing
	}
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
func tryAsSomebodyElse(t *testing.T, c *installation) {
	for _, a := range slices.Concat(secretAttempts(), serviceAccountAttempts(), podDeleteAttempts()) {
		if a.refused != "" && a.namespace == "" {
			t.Run(a.name, func(t *testing.T) {
				err := a.do(t.Context(), c.admin, prepareAttempt(t, c, a, c.namespace(t)))
				if err != nil {
					t.Errorf("an administrator must be able to, and is not: %v", err)
				}
			})
		}
	}
}

const wideOverlay = `
resources: [DEFAULT, WIDE]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "*"}
    serviceAccountNames: {commaSeparated: "*"}
transformers: [REPLACEMENTS]`

// testAnyName lifts the limit on names, as somebody would who cannot list them, and sees that all other limits stay.
func testAnyName(t *testing.T, c *installation, operator client.Client) {
	c.kubectl(t, "apply", "-k", writeOverlay(t, wideOverlay))
	secret := pullSecret(func(s *corev1.Secret) { s.Name = "registry-creds" })
	builder := changedAccount(defaultAccount("theirs"), func(a *corev1.ServiceAccount) { a.Name = "builder" })
	awaitAPI(t, "the policies allow any name", func() error {
		namespace := c.namespace(t)
		for _, a := range []admissionAttempt{
			{fresh: secret, do: doCreate},
			{given: builder, do: doPatch(`{"imagePullSecrets":[{"name":"theirs"},{"name":"registry-creds"}]}`)},
		} {
			if err := a.do(t.Context(), operator, prepareAttempt(t, c, a, namespace)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, a := range []admissionAttempt{
		{name: "an Opaque Secret", fresh: pullSecret(opaqueSecret, func(s *corev1.Secret) { s.Name = "database" }), do: doCreate,
			refused: "regcred writes only Secrets of type kubernetes.io/dockerconfigjson"},
		{name: "removing a foreign Secret", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Name = "database" }), do: doDelete,
			refused: "regcred deletes only Secrets that carry its label"},
		{name: "changing a label of a ServiceAccount", given: builder, do: doPatch(`{"metadata":{"labels":{"team":"other"}}}`),
			refused: "regcred changes nothing of a ServiceAccount but imagePullSecrets and its own annotation"},
	} {
		t.Run(a.name, func(t *testing.T) { tryAttempt(t, c, operator, a) })
	}
}

// awaitPolicies waits until the API server enforces all policies.
func awaitPolicies(t *testing.T, c *installation) {
	t.Helper()
	operator := client.NewDryRunClient(newAPIClient(t, c.impersonated()))
	bare := prepareAttempt(t, c, admissionAttempt{given: barePod()}, c.namespace(t))
	at := metav1.ObjectMeta{Namespace: bare.GetNamespace(), Name: "probe"}
	probes := map[string]func() error{
		"regcred-secrets":         func() error { return operator.Create(t.Context(), &corev1.Secret{ObjectMeta: at}) },
		"regcred-serviceaccounts": func() error { return operator.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: at}) },
		"regcred-pod-delete":      func() error { return operator.Delete(t.Context(), bare) },
		"regcred-kinds": func() error {
			return operator.Create(t.Context(), credentialObject())
		},
		"regcred-records": func() error {
			return operator.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "probe"}})
		},
		"regcred-leases": func() error { return operator.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: at}) },
		"regcred-tokens": func() error { return requestToken(t.Context(), operator, operatorNamespace, operatorName) },
		"regcred-events": func() error {
			return operator.Create(t.Context(), eventObject(func(e *eventsv1.Event) {
				e.Namespace = at.Namespace
				e.Regarding.Namespace = at.Namespace
				e.ReportingController = "other"
			}))
		},
		"regcred-pod-update": func() error { // a dry run is allowed elsewhere
			return operator.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "probe"}, Spec: barePod().Spec})
		},
	}
	for policy, probe := range probes {
		awaitAPI(t, "policy "+policy+" is enforced", func() error {
			if err := probe(); err == nil || !strings.Contains(err.Error(), policy) {
				return fmt.Errorf("the answer to a probe is: %w", err)
			}
			return nil
		})
	}
}

// What attempts do.

func doCreate(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Create(ctx, object)
}

func doDelete(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Delete(ctx, object)
}

func doDeleteAll(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.DeleteAllOf(ctx, object, client.InNamespace(object.GetNamespace()))
}

// doPatch sends a JSON merge patch: lists are replaced whole, null removes.
func doPatch(body string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(body)))
	}
}
