package integration

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/laststatus"
)

// credentialObject is a RegistryCredential, with changes.
func credentialObject(changes ...func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "company-", Labels: map[string]string{"team": "platform"}},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:     []v1alpha1.Registry{"registry.company.io"},
			Source:         v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/registries/company"}},
			Target:         v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"nowhere"}},
			DeletionPolicy: v1alpha1.DeletionDelete,
		},
	}
	for _, change := range changes {
		change(object)
	}
	return object
}

func connectionObject() *v1alpha1.VaultConnection {
	return &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "vault-"},
		Spec: v1alpha1.VaultConnectionSpec{
			Address: "https://vault.company.io:8200", Auth: v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred"}},
		},
	}
}

// doPatchStatus sends a JSON merge patch to the subresource status.
func doPatchStatus(body string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.Status().Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(body)))
	}
}

func kindAttempts() []admissionAttempt {
	const (
		onlyStatus = "regcred writes of its own kinds the status, the finalizer of RegistryCredentials and the InjectionIndex, and nothing else"
		noSpec     = "regcred changes no spec of a RegistryCredential"
		noMetadata = "regcred changes no label, no annotation and no owner of a RegistryCredential"
		noOther    = "regcred changes no finalizer of a RegistryCredential but its own"
		hold       = `{"metadata":{"finalizers":["regcred.dev/remove-entries"]}}`
	)
	held := credentialObject(func(c *v1alpha1.RegistryCredential) { c.Finalizers = []string{"shop.example/keep", v1alpha1.Finalizer} })
	return []admissionAttempt{
		// What the operator does all day.
		{name: "holding an object with deletionPolicy Delete", given: credentialObject(), do: doPatch(hold)},
		{name: "letting it go, and leaving the finalizer of somebody else", given: held, do: doPatch(`{"metadata":{"finalizers":["shop.example/keep"]}}`)},
		{name: "the status of a RegistryCredential", given: credentialObject(), do: doPatchStatus(`{"status":{"observedGeneration":1}}`)},
		{name: "the status of a VaultConnection", given: connectionObject(), do: doPatchStatus(`{"status":{"serverVersion":"1.14"}}`)},

		// What a stolen token might be used for: having the real operator send passwords to the thief.
		{name: "another registry", given: credentialObject(), do: doPatch(`{"spec":{"registries":["evil.example"]}}`), refused: noSpec},
		{name: "another target", given: credentialObject(), do: doPatch(`{"spec":{"target":{"namespaces":["mine"]}}}`), refused: noSpec},
		{name: "another connection", given: credentialObject(), do: doPatch(`{"spec":{"source":{"vault":{"connection":"mine"}}}}`), refused: noSpec},
		{name: "suspending", given: credentialObject(), do: doPatch(`{"spec":{"suspend":true}}`), refused: noSpec},
		{name: "another registry along with the finalizer", given: credentialObject(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/remove-entries"]},"spec":{"registries":["evil.example"]}}`), refused: noSpec},
		{name: "confirming a removal", given: credentialObject(), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/confirm-removal":"1"}}}`), refused: noMetadata},
		{name: "asking for a read", given: credentialObject(), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/refresh-requested-at":"now"}}}`), refused: noMetadata},
		{name: "changing a label", given: credentialObject(), do: doPatch(`{"metadata":{"labels":{"team":"mine"}}}`), refused: noMetadata},
		{name: "an owner, with which it would be removed", given: credentialObject(), do: doPatch(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"gone","uid":"1"}]}}`), refused: noMetadata},
		{name: "a finalizer that nothing removes", given: credentialObject(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: noOther},
		{name: "removing the finalizer of somebody else", given: held, do: doPatch(hold), refused: noOther},
		{name: "holding an object with deletionPolicy Retain", given: credentialObject(func(c *v1alpha1.RegistryCredential) { c.Spec.DeletionPolicy = v1alpha1.DeletionRetain }), do: doPatch(hold),
			refused: "regcred holds only RegistryCredentials whose deletionPolicy is Delete"},
		{name: "creating a RegistryCredential", fresh: credentialObject(), do: doCreate, refused: onlyStatus},
		{name: "removing a RegistryCredential", given: credentialObject(), do: doDelete, refused: onlyStatus},
		{name: "creating a VaultConnection", fresh: connectionObject(), do: doCreate, refused: onlyStatus},
		{name: "the InjectionIndex, for which config/injection has a role", fresh: &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectionIndexName}}, do: doDryCreate},
		{name: "sending logins to another server", given: connectionObject(), do: doPatch(`{"spec":{"address":"https://evil.example"}}`), refused: onlyStatus},
		{name: "removing a VaultConnection", given: connectionObject(), do: doDelete, refused: onlyStatus},
	}
}

// writeStatusOfAnother deletes an object and creates it again between what the operator read of it and what it writes.
func writeStatusOfAnother(t *testing.T, c *installation, operator client.Client) {
	before := connectionObject()
	before.GenerateName, before.Name = "", "again"
	if err := c.admin.Create(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	says := func(object *v1alpha1.VaultConnection) error {
		changed := object.DeepCopy()
		changed.Status.ServerVersion, changed.Status.ObservedGeneration = "1.21", 1
		return laststatus.Write(t.Context(), operator, changed, object)
	}
	if err := says(before); err != nil {
		t.Errorf("it is still there: %v", err)
	}
	again := connectionObject()
	again.GenerateName, again.Name = "", "again"
	if err := c.admin.Delete(t.Context(), before.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := c.admin.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if err := says(before); err == nil {
		t.Error("the operator does not notice that it wrote the status of another one")
	}
	if err := c.admin.Get(t.Context(), client.ObjectKeyFromObject(again), again); err != nil || !equality.Semantic.DeepEqual(again.Status, v1alpha1.VaultConnectionStatus{}) {
		t.Errorf("it has the status %+v: %v", again.Status, err)
	}
	if err := says(again); err != nil {
		t.Errorf("the new one: %v", err)
	}
}
