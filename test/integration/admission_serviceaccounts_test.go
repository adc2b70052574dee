package integration

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

// account is the ServiceAccount default, which names these pull Secrets.
func account(pullSecrets ...string) *corev1.ServiceAccount {
	a := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Name:        v1alpha1.DefaultServiceAccount,
		Labels:      map[string]string{"team": "shop"},
		Annotations: map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/shop"},
	}}
	for _, name := range pullSecrets {
		a.ImagePullSecrets = append(a.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	return a
}

func changed(a *corev1.ServiceAccount, change func(*corev1.ServiceAccount)) *corev1.ServiceAccount {
	change(a)
	return a
}

func serviceAccountAttempts() []attempt {
	const (
		onlyUpdates = "regcred only updates ServiceAccounts, and none in a protected namespace"
		keepsList   = "regcred keeps everybody else's imagePullSecrets and their order"
		keepsRest   = "regcred changes nothing of a ServiceAccount but imagePullSecrets and its own annotation"
		keepsNotes  = "regcred changes no annotation of a ServiceAccount but its own"
		once        = "regcred adds its entry once"
		append1     = `{"imagePullSecrets":[{"name":"regcred"}],"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`
		append3     = `{"imagePullSecrets":[{"name":"a"},{"name":"b"},{"name":"regcred"}],"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`
	)
	return []attempt{
		// What the operator does all day.
		{name: "adding its entry to an empty list", given: account(), do: patch(append1)},
		{name: "adding its entry after others", given: account("a", "b"), do: patch(append3)},
		{name: "removing its entry", given: account("a", "regcred", "b"), do: patch(`{"imagePullSecrets":[{"name":"a"},{"name":"b"}],"metadata":{"annotations":{"regcred.dev/attached":null}}}`)},
		{name: "adding its entry where others wrote one of theirs twice", given: account("a", "a"), do: patch(`{"imagePullSecrets":[{"name":"a"},{"name":"a"},{"name":"regcred"}]}`)},
		{name: "noting something where somebody wrote its entry twice", given: account("regcred", "regcred"), do: patch(`{"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`)},

		// What a stolen token might be used for.
		{name: "creating a ServiceAccount", fresh: account(), do: create, refused: onlyUpdates},
		{name: "removing a ServiceAccount", given: account(), do: remove, refused: onlyUpdates},
		{name: "removing all ServiceAccounts of a namespace", given: account(), do: removeAll, refused: onlyUpdates},
		{name: "a ServiceAccount in kube-system", namespace: metav1.NamespaceSystem, given: account(), do: patch(append1), refused: onlyUpdates},
		{name: "a ServiceAccount of another name", given: changed(account(), func(a *corev1.ServiceAccount) { a.Name = "builder" }), do: patch(append1),
			refused: "regcred touches only ServiceAccounts of the names that it was given"},
		{name: "dropping an entry of somebody else", given: account("a", "b"), do: patch(`{"imagePullSecrets":[{"name":"a"},{"name":"regcred"}]}`), refused: keepsList},
		{name: "dropping all entries", given: account("a", "regcred"), do: patch(`{"imagePullSecrets":null}`), refused: keepsList},
		{name: "changing the order of others", given: account("a", "b"), do: patch(`{"imagePullSecrets":[{"name":"b"},{"name":"a"},{"name":"regcred"}]}`), refused: keepsList},
		{name: "adding an entry that is not its own", given: account(), do: patch(`{"imagePullSecrets":[{"name":"regcred"},{"name":"stolen"}]}`), refused: keepsList},
		{name: "repeating an entry of somebody else", given: account("a"), do: patch(`{"imagePullSecrets":[{"name":"a"},{"name":"a"}]}`), refused: keepsList},
		{name: "adding its entry twice", given: account(), do: patch(`{"imagePullSecrets":[{"name":"regcred"},{"name":"regcred"}]}`), refused: once},
		{name: "changing the cloud role of a workload", given: account(), do: patch(`{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::1:role/admin"}}}`), refused: keepsNotes},
		{name: "adding an annotation", given: account(), do: patch(`{"metadata":{"annotations":{"iam.gke.io/gcp-service-account":"admin@project"}}}`), refused: keepsNotes},
		{name: "removing an annotation", given: account(), do: patch(`{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":null}}}`), refused: keepsNotes},
		{name: "changing a label", given: account(), do: patch(`{"metadata":{"labels":{"team":"other"}}}`), refused: keepsRest},
		{name: "adding a finalizer", given: account(), do: patch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: keepsRest},
		{name: "adding an owner", given: account(), do: patch(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"1"}]}}`), refused: keepsRest},
		{name: "adding a mountable Secret", given: account(), do: patch(`{"secrets":[{"name":"regcred"}]}`), refused: keepsRest},
		{name: "turning the mounting of tokens on", given: changed(account(), func(a *corev1.ServiceAccount) { a.AutomountServiceAccountToken = ptr.To(false) }), do: patch(`{"automountServiceAccountToken":true}`), refused: keepsRest},
		{name: "turning the mounting of tokens off", given: account(), do: patch(`{"automountServiceAccountToken":false}`), refused: keepsRest},
	}
}
