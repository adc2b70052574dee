package integration

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

// defaultAccount is the ServiceAccount default, which names these pull Secrets.
func defaultAccount(pullSecrets ...string) *corev1.ServiceAccount {
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

func changedAccount(a *corev1.ServiceAccount, change func(*corev1.ServiceAccount)) *corev1.ServiceAccount {
	change(a)
	return a
}

func serviceAccountAttempts() []admissionAttempt {
	const (
		onlyUpdates = "regcred only updates ServiceAccounts, and none in a protected namespace"
		keepsList   = "regcred keeps everybody else's imagePullSecrets and their order"
		keepsRest   = "regcred changes nothing of a ServiceAccount but imagePullSecrets and its own annotation"
		keepsNotes  = "regcred changes no annotation of a ServiceAccount but its own"
		once        = "regcred adds its entry once"
		append1     = `{"imagePullSecrets":[{"name":"regcred"}],"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`
		append3     = `{"imagePullSecrets":[{"name":"a"},{"name":"b"},{"name":"regcred"}],"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`
	)
	return []admissionAttempt{
		// What the operator does all day.
		{name: "adding its entry to an empty list", given: defaultAccount(), do: doPatch(append1)},
		{name: "adding its entry after others", given: defaultAccount("a", "b"), do: doPatch(append3)},
		{name: "removing its entry", given: defaultAccount("a", "regcred", "b"), do: doPatch(`{"imagePullSecrets":[{"name":"a"},{"name":"b"}],"metadata":{"annotations":{"regcred.dev/attached":null}}}`)},
		{name: "adding its entry where others wrote one of theirs twice", given: defaultAccount("a", "a"), do: doPatch(`{"imagePullSecrets":[{"name":"a"},{"name":"a"},{"name":"regcred"}]}`)},
		{name: "noting something where somebody wrote its entry twice", given: defaultAccount("regcred", "regcred"), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/attached":"{}"}}}`)},

		// What a stolen token might be used for.
		{name: "creating a ServiceAccount", fresh: defaultAccount(), do: doCreate, refused: onlyUpdates},
		{name: "removing a ServiceAccount", given: defaultAccount(), do: doDelete, refused: onlyUpdates},
		{name: "removing all ServiceAccounts of a namespace", given: defaultAccount(), do: doDeleteAll, refused: onlyUpdates},
		{name: "a ServiceAccount in kube-system", namespace: metav1.NamespaceSystem, given: defaultAccount(), do: doPatch(append1), refused: onlyUpdates},
		{name: "a ServiceAccount of another name", given: changedAccount(defaultAccount(), func(a *corev1.ServiceAccount) { a.Name = "builder" }), do: doPatch(append1),
			refused: "regcred touches only ServiceAccounts of the names that it was given"},
		{name: "dropping an entry of somebody else", given: defaultAccount("a", "b"), do: doPatch(`{"imagePullSecrets":[{"name":"a"},{"name":"regcred"}]}`), refused: keepsList},
		{name: "dropping all entries", given: defaultAccount("a", "regcred"), do: doPatch(`{"imagePullSecrets":null}`), refused: keepsList},
		{name: "changing the order of others", given: defaultAccount("a", "b"), do: doPatch(`{"imagePullSecrets":[{"name":"b"},{"name":"a"},{"name":"regcred"}]}`), refused: keepsList},
		{name: "adding an entry that is not its own", given: defaultAccount(), do: doPatch(`{"imagePullSecrets":[{"name":"regcred"},{"name":"stolen"}]}`), refused: keepsList},
		{name: "repeating an entry of somebody else", given: defaultAccount("a"), do: doPatch(`{"imagePullSecrets":[{"name":"a"},{"name":"a"}]}`), refused: keepsList},
		{name: "adding its entry twice", given: defaultAccount(), do: doPatch(`{"imagePullSecrets":[{"name":"regcred"},{"name":"regcred"}]}`), refused: once},
		{name: "changing the cloud role of a workload", given: defaultAccount(), do: doPatch(`{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::1:role/admin"}}}`), refused: keepsNotes},
		{name: "adding an annotation", given: defaultAccount(), do: doPatch(`{"metadata":{"annotations":{"iam.gke.io/gcp-service-account":"admin@project"}}}`), refused: keepsNotes},
		{name: "removing an annotation", given: defaultAccount(), do: doPatch(`{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":null}}}`), refused: keepsNotes},
		{name: "changing a label", given: defaultAccount(), do: doPatch(`{"metadata":{"labels":{"team":"other"}}}`), refused: keepsRest},
		{name: "adding a finalizer", given: defaultAccount(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: keepsRest},
		{name: "adding an owner", given: defaultAccount(), do: doPatch(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"1"}]}}`), refused: keepsRest},
		{name: "adding a mountable Secret", given: defaultAccount(), do: doPatch(`{"secrets":[{"name":"regcred"}]}`), refused: keepsRest},
		{name: "turning the mounting of tokens on", given: changedAccount(defaultAccount(), func(a *corev1.ServiceAccount) { a.AutomountServiceAccountToken = ptr.To(false) }), do: doPatch(`{"automountServiceAccountToken":true}`), refused: keepsRest},
		{name: "turning the mounting of tokens off", given: defaultAccount(), do: doPatch(`{"automountServiceAccountToken":false}`), refused: keepsRest},
	}
}
