package integration

import (
	"context"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/records"
)

// publishedRecord is a record as regcred keeps it in its own namespace, with changes.
func publishedRecord(changes ...func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "regcred-published-company-registry"},
		Type:       records.SecretType, Data: map[string][]byte{"memo": []byte("{}")},
	}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

func recordAttempts() []admissionAttempt {
	const (
		onlyType = "in its own namespace regcred writes only Secrets of type regcred.dev/published-credential"
		onlyName = "in its own namespace regcred writes only Secrets whose name begins with regcred-published-"
		plain    = "a record of regcred is mutable, and has no finalizer and no owner"
	)
	opaque := func(s *corev1.Secret) { s.Name, s.Type = "vault-approle", corev1.SecretTypeOpaque }
	attempts := []admissionAttempt{
		{name: "keeping a published revision", fresh: publishedRecord(), do: doCreate},
		{name: "keeping the next one", given: publishedRecord(), do: doPatch(`{"stringData":{"memo":"{} "}}`)},
		{name: "removing one", given: publishedRecord(), do: doDelete},

		{name: "a token of a ServiceAccount, which would never end", fresh: publishedRecord(func(s *corev1.Secret) {
			s.Type, s.Data, s.Annotations = corev1.SecretTypeServiceAccountToken, nil, map[string]string{corev1.ServiceAccountNameKey: operatorName}
		}), do: doCreate, refused: onlyType},
		{name: "an Opaque Secret", fresh: publishedRecord(opaque), do: doCreate, refused: onlyType},
		{name: "a pull Secret", fresh: pullSecret(), do: doCreate, refused: onlyType},
		{name: "changing what a VaultConnection logs in with", given: publishedRecord(opaque), do: doPatch(`{"stringData":{"secret-id":"x"}}`), refused: onlyType},
		{name: "removing what a VaultConnection logs in with", given: publishedRecord(opaque), do: doDelete, refused: onlyType},
		{name: "a record of another name", fresh: publishedRecord(func(s *corev1.Secret) { s.Name = "vault-approle" }), do: doCreate, refused: onlyName},
		{name: "removing all records at once", given: publishedRecord(), do: doDeleteAll, refused: "regcred deletes its records one by one"},
		{name: "making a record immutable", given: publishedRecord(), do: doPatch(`{"immutable":true}`), refused: plain},
		{name: "a finalizer on a record", given: publishedRecord(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: plain},
	}
	for i := range attempts {
		attempts[i].namespace = operatorNamespace
	}
	return attempts
}

func lease(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("a")}}
}

func leaseAttempts() []admissionAttempt {
	const (
		oneLease = "regcred writes one lease, regcred.dev in its own namespace, and deletes none"
		plain    = "the lease of regcred has no finalizer and no owner"
		take     = `{"spec":{"holderIdentity":"b"}}`
	)
	return []admissionAttempt{
		{name: "taking its lease", namespace: operatorNamespace, given: lease("regcred.dev"), do: doPatch(take)},
		{name: "making another lease", namespace: operatorNamespace, fresh: lease("other"), do: doCreate, refused: oneLease},
		{name: "taking the lease of somebody else", namespace: operatorNamespace, given: lease("vault-agent"), do: doPatch(take), refused: oneLease},
		{name: "removing its lease", namespace: operatorNamespace, given: lease("regcred.dev"), do: doDelete, refused: oneLease},
		{name: "a lease of its name in another namespace", fresh: lease("regcred.dev"), do: doCreate, refused: oneLease},
		{name: "taking the scheduler's lease", namespace: metav1.NamespaceSystem, given: lease("kube-scheduler"), do: doPatch(take), refused: oneLease},
		{name: "a finalizer on its lease", namespace: operatorNamespace, given: lease("regcred.dev"), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: plain},
	}
}

// doRequestToken asks for a token of the ServiceAccount, with these audiences and this lifetime.
func doRequestToken(lifetime time.Duration, audiences ...string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.SubResource("token").Create(ctx, object, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			Audiences: audiences, ExpirationSeconds: ptr.To(int64(lifetime.Seconds())),
		}})
	}
}

func tokenAttempts() []admissionAttempt {
	const (
		onlyVault = "regcred requests tokens only of the ServiceAccounts that log in to Vault"
		notForAPI = "regcred requests tokens only for the audiences in the limits, and none for the API server"
	)
	short, vault := 10*time.Minute, metav1.ObjectMeta{Namespace: operatorNamespace, Name: "regcred-vault"}
	there := func(name string) *corev1.ServiceAccount {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	login := &corev1.ServiceAccount{ObjectMeta: vault}
	return []admissionAttempt{
		{name: "a token for a login at Vault", namespace: operatorNamespace, existing: login, do: doRequestToken(short, "vault")},
		{name: "a token of the operator itself", namespace: operatorNamespace, existing: there(operatorName), do: doRequestToken(short, "vault"), refused: onlyVault},
		{name: "a token of Vault's reviewer", namespace: operatorNamespace, given: there("vault-reviewer"), do: doRequestToken(short, "vault"), refused: onlyVault},
		{name: "a token of the identity's namesake in another namespace", given: there("regcred-vault"), do: doRequestToken(short, "vault"), refused: onlyVault},
		{name: "a token of a controller", namespace: metav1.NamespaceSystem, given: there("clusterrole-aggregation-controller"), do: doRequestToken(short), refused: onlyVault},
		{name: "a token that the API server takes, as every one without an audience", namespace: operatorNamespace, existing: login, do: doRequestToken(short), refused: notForAPI},
		{name: "a token that the API server takes by name", namespace: operatorNamespace, existing: login,
			do: doRequestToken(short, "vault", "https://kubernetes.default.svc.cluster.local"), refused: notForAPI},
		{name: "a token of a year", namespace: operatorNamespace, existing: login, do: doRequestToken(365*24*time.Hour, "vault"), refused: "regcred requests tokens that end after 10 minutes at most"},
	}
}

// eventObject is an event as regcred writes it, with changes.
func eventObject(changes ...func(*eventsv1.Event)) *eventsv1.Event {
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "event-", Namespace: metav1.NamespaceDefault}, EventTime: metav1.NowMicro(),
		ReportingController: "regcred", ReportingInstance: "regcred-0", Action: "Publish", Reason: "Published", Type: corev1.EventTypeNormal,
		Regarding: corev1.ObjectReference{Kind: "RegistryCredential", Name: "company-registry", APIVersion: "regcred.dev/v1alpha1"},
	}
	for _, change := range changes {
		change(event)
	}
	return event
}

func eventAttempts() []admissionAttempt {
	const own = "regcred writes only events that it reports itself"
	kubelet := eventObject(func(e *eventsv1.Event) { e.ReportingController = "kubelet" })
	repeat := doPatch(`{"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:00.000000Z"}}`)
	attempts := []admissionAttempt{
		{name: "an event of its own", fresh: eventObject(), do: doCreate},
		{name: "the same again", given: eventObject(), do: repeat},
		{name: "an event in the kubelet's name", fresh: kubelet, do: doCreate, refused: own},
		{name: "changing the kubelet's event", given: kubelet, do: repeat, refused: own},
		{name: "removing its own event", given: eventObject(), do: doDelete, refused: own},
		{name: "an event of the older kind", fresh: &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: "old"}, ReportingController: "regcred", InvolvedObject: corev1.ObjectReference{Namespace: metav1.NamespaceDefault},
		}, do: doCreate, refused: own},
	}
	for i := range attempts {
		attempts[i].namespace = metav1.NamespaceDefault
	}
	return attempts
}
