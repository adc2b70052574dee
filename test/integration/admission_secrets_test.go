package integration

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const emptyDockerConfig = `{"auths":{}}`

// pullSecret is a Secret as regcred writes it, with changes.
func pullSecret(changes ...func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        v1alpha1.DefaultSecretName,
			Labels:      map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
			Annotations: map[string]string{v1alpha1.SourcesAnnotation: "{}"},
		},
		Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(emptyDockerConfig)},
	}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

func handMadeSecret(s *corev1.Secret) {
	s.Labels = map[string]string{"team": "shop", "app.kubernetes.io/name": "web"}
	s.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: `{"data":"the old password"}`}
}

// takenOverSecret bears the mark of one that was there before regcred.
func takenOverSecret(s *corev1.Secret) {
	s.Annotations[v1alpha1.AdoptedAnnotation] = v1alpha1.AdoptedValue
}

// ofEarlierVersion has the marks by which earlier versions knew their Secrets.
func ofEarlierVersion(s *corev1.Secret) {
	s.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
}

func opaqueSecret(s *corev1.Secret) {
	s.Type, s.Data = corev1.SecretTypeOpaque, map[string][]byte{"password": []byte("x")}
}

func ownedByConfigMap(s *corev1.Secret) {
	s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: "1"}}
}

func withTenantKey(s *corev1.Secret) { s.Data["ca.crt"] = []byte("theirs") }

// neverWritten is what the policy says of marks of tools.
const neverWritten = "regcred writes no label or annotation by which Kubernetes or a tool knows what it manages or copies"

// withWantedMetadata has a label and an annotation that a spec asked for, and their record.
func withWantedMetadata(s *corev1.Secret) {
	s.Labels["controller.devfile.io/devworkspace_pullsecret"], s.Annotations["team.example/note"] = "true", "pull"
	s.Annotations[v1alpha1.SourcesAnnotation] = `{"version":1,"sources":{"company":{"keys":[],"changed":null,"written":{` +
		`"label controller.devfile.io/devworkspace_pullsecret":"x","annotation team.example/note":"y"}}}}`
}

func secretAttempts() []admissionAttempt {
	return []admissionAttempt{
		// What the operator does all day.
		{name: "the first apply, which only creates", fresh: pullSecret(), do: doApplyOnce},
		{name: "an update in place", given: pullSecret(), do: doUpdate},
		{name: "an update that leaves a key, a label, an annotation and a finalizer of the tenant", given: pullSecret(withTenantKey, func(s *corev1.Secret) {
			s.Labels["team"] = "shop"
			s.Annotations["note"] = "ours"
			s.Finalizers = []string{"shop.example/keep"}
		}), do: doUpdate},
		{name: "taking over a hand-made Secret, without what kubectl remembers of it", given: pullSecret(handMadeSecret), do: doAdopt},
		{name: "taking over a hand-made Secret with a second key", given: pullSecret(handMadeSecret, withTenantKey), do: doAdopt},
		{name: "an update of a Secret of an earlier version, which gets the label", given: pullSecret(ofEarlierVersion), do: doTakeLabel},
		{name: "emptying a Secret that was taken over", given: pullSecret(takenOverSecret), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/sources":"{\"version\":1,\"sources\":{}}"}},"data":{".dockerconfigjson":"e30="}}`)},
		{name: "an update of a Secret of its own that a tool labelled as its own", given: pullSecret(func(s *corev1.Secret) {
			s.Labels[v1alpha1.ManagedByLabel], s.Labels["tool.example/sync"] = "Helm", "creds"
		}), do: doUpdate},
		{name: "removing a Secret of an earlier version", given: pullSecret(ofEarlierVersion), do: doDelete},
		{name: "removing a Secret of its own", given: pullSecret(), do: doDelete},
		{name: "removing a Secret of its own that is immutable", given: pullSecret(func(s *corev1.Secret) { s.Immutable = ptr.To(true) }), do: doDelete},

		{name: "removing a Secret from which somebody took the label", given: pullSecret(ofEarlierVersion, func(s *corev1.Secret) {
			s.Annotations[v1alpha1.SourcesAnnotation] = `{"version":1,"sources":{"company-registry":{}}}`
		}), do: doDelete, refused: "regcred deletes only Secrets that carry its label"},

		// What a stolen token might be used for: creating.
		{name: "an Opaque Secret", fresh: pullSecret(opaqueSecret), do: doCreate,
			refused: "regcred writes only Secrets of type kubernetes.io/dockerconfigjson"},
		{name: "a token of a ServiceAccount", fresh: pullSecret(tokenOf("default")), do: doCreate,
			refused: "regcred writes only Secrets of type kubernetes.io/dockerconfigjson"},
		{name: "a pull Secret without the label", fresh: pullSecret(func(s *corev1.Secret) { s.Labels = nil }), do: doCreate,
			refused: "a Secret that regcred writes carries its label"},
		{name: "a pull Secret of another name", fresh: pullSecret(func(s *corev1.Secret) { s.Name = "registry-creds" }), do: doCreate,
			refused: "regcred touches only Secrets of the names that it was given"},
		{name: "a second key", fresh: pullSecret(withTenantKey), do: doCreate,
			refused: "regcred writes no key but .dockerconfigjson"},
		{name: "an immutable pull Secret", fresh: pullSecret(func(s *corev1.Secret) { s.Immutable = ptr.To(true) }), do: doCreate,
			refused: "regcred never makes a Secret immutable"},
		{name: "a finalizer, which would hold the namespace", fresh: pullSecret(func(s *corev1.Secret) { s.Finalizers = []string{"regcred.dev/hold"} }), do: doCreate,
			refused: "regcred changes no finalizer and no owner of a Secret"},
		{name: "an owner", fresh: pullSecret(ownedByConfigMap), do: doCreate,
			refused: "regcred changes no finalizer and no owner of a Secret"},
		{name: "a label that a GitOps tool tracks by", fresh: pullSecret(func(s *corev1.Secret) { s.Labels["argocd.argoproj.io/instance"] = "shop" }), do: doCreate,
			refused: neverWritten},
		{name: "a label without a domain by which ClusterSecret knows its own", fresh: pullSecret(func(s *corev1.Secret) { s.Labels["clustersecret.io"] = "true" }), do: doCreate,
			refused: neverWritten},
		{name: "a label of Kubernetes", fresh: pullSecret(func(s *corev1.Secret) { s.Labels["app.kubernetes.io/instance"] = "shop" }), do: doCreate,
			refused: neverWritten},
		{name: "labels and annotations that the spec asks for", fresh: pullSecret(withWantedMetadata), do: doApplyOnce},
		{name: "a label by which Argo CD finds repositories", fresh: pullSecret(func(s *corev1.Secret) { s.Labels["argocd.argoproj.io/secret-type"] = "repository" }), do: doCreate},
		{name: "other labels and annotations, after a change of the spec", given: pullSecret(withWantedMetadata),
			do: doPatch(`{"metadata":{"labels":{"controller.devfile.io/devworkspace_pullsecret":"false"},"annotations":{"team.example/note":null}}}`)},
		{name: "a label beside those of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Labels["team"] = "shop" }), do: doPatch(`{"metadata":{"labels":{"controller.devfile.io/watch-secret":"true"}}}`)},
		{name: "a label of the tenant, which is recorded as an annotation", given: pullSecret(withWantedMetadata, func(s *corev1.Secret) { s.Labels["team.example/note"] = "theirs" }),
			do: doPatch(`{"metadata":{"labels":{"team.example/note":null}}}`), refused: "regcred changes no label of a Secret but its own"},
		{name: "an annotation that makes another tool copy the Secret", fresh: pullSecret(func(s *corev1.Secret) {
			s.Annotations["reflector.v1.k8s.emberstack.com/reflection-allowed"] = "true"
		}), do: doCreate, refused: neverWritten},
		{name: "a pull Secret in kube-system", namespace: metav1.NamespaceSystem, fresh: pullSecret(), do: doCreate,
			refused: "regcred never touches Secrets in a protected namespace"},
		{name: "a pull Secret in kube-public", namespace: metav1.NamespacePublic, fresh: pullSecret(), do: doApplyOnce,
			refused: "regcred never touches Secrets in a protected namespace"},

		// Updating.
		{name: "overwriting a foreign Secret without the label", given: pullSecret(handMadeSecret), do: doPatch(`{"data":{".dockerconfigjson":"e30="}}`),
			refused: "a Secret that regcred writes carries its label"},
		{name: "overwriting a foreign Secret of another type", given: pullSecret(opaqueSecret, handMadeSecret), do: doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"}},"data":{"password":"eA=="}}`),
			refused: "regcred writes only Secrets of type kubernetes.io/dockerconfigjson"},
		{name: "writing over what a tool says of who manages it", given: pullSecret(func(s *corev1.Secret) { s.Labels[v1alpha1.ManagedByLabel] = "Helm" }),
			do: doPatch(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"regcred"}}}`), refused: "regcred changes no label of a Secret but its own"},
		{name: "taking over a Secret that a tool manages", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Labels[v1alpha1.ManagedByLabel] = "Helm" }), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "taking over a Secret that has an owner", given: pullSecret(handMadeSecret, ownedByConfigMap), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "putting its label on a hand-made Secret, the first of two steps to remove it", given: pullSecret(handMadeSecret), do: doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"}}}`),
			refused: "regcred takes over a Secret only together with its entries"},
		{name: "taking over a hand-made Secret for no RegistryCredential", given: pullSecret(handMadeSecret), do: doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":null,"regcred.dev/sources":"{}"}}}`),
			refused: "regcred takes over a Secret only together with its entries"},
		{name: "taking over a hand-made Secret and keeping the copy of its old password", given: pullSecret(handMadeSecret), do: doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"},"annotations":{"regcred.dev/sources":"{\"a\":{}}"}}}`),
			refused: "regcred takes over a Secret only together with its entries"},
		{name: "taking over a hand-made Secret without the mark, to remove it later", given: pullSecret(handMadeSecret),
			do:      doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":null,"regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{}}}"}}}`),
			refused: "and marks it as regcred.dev/adopted"},
		{name: "taking over a Secret that Argo CD tracks by annotation", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Annotations["argocd.argoproj.io/tracking-id"] = "shop" }), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "taking over a Secret that Kyverno generated", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Labels["generate.kyverno.io/policy-name"] = "creds" }), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "taking over a Secret with a label of a tool that this policy does not know", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Labels["tool.example/sync"] = "creds" }), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "taking over a Secret with an annotation of a tool whose domain ends like Kubernetes' own", given: pullSecret(handMadeSecret, func(s *corev1.Secret) { s.Annotations["hnc.x-k8s.io/inherited-from"] = "parent" }), do: doAdopt,
			refused: "regcred takes over no Secret that a tool or an owner manages"},
		{name: "taking the label from a Secret of its own", given: pullSecret(), do: doPatch(`{"metadata":{"labels":null}}`),
			refused: "a Secret that regcred writes carries its label"},
		{name: "adding a second key", given: pullSecret(), do: doPatch(`{"data":{"token":"eA=="}}`),
			refused: "regcred writes no key but .dockerconfigjson"},
		{name: "changing a key of the tenant", given: pullSecret(withTenantKey), do: doPatch(`{"data":{"ca.crt":"eA=="}}`),
			refused: "and keeps the keys that somebody else added"},
		{name: "dropping a key of the tenant", given: pullSecret(withTenantKey), do: doPatch(`{"data":{"ca.crt":null}}`),
			refused: "and keeps the keys that somebody else added"},
		{name: "making a Secret immutable", given: pullSecret(), do: doPatch(`{"immutable":true}`),
			refused: "regcred never makes a Secret immutable"},
		{name: "adding a finalizer", given: pullSecret(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`),
			refused: "regcred changes no finalizer and no owner of a Secret"},
		{name: "removing a finalizer of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Finalizers = []string{"shop.example/keep"} }), do: doPatch(`{"metadata":{"finalizers":null}}`),
			refused: "regcred changes no finalizer and no owner of a Secret"},
		{name: "removing an owner", given: pullSecret(ownedByConfigMap), do: doPatch(`{"metadata":{"ownerReferences":null}}`),
			refused: "regcred changes no finalizer and no owner of a Secret"},
		{name: "removing a label of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Labels["team"] = "shop" }), do: doPatch(`{"metadata":{"labels":{"team":null}}}`),
			refused: "regcred changes no label of a Secret but its own"},
		{name: "changing an annotation of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Annotations["note"] = "ours" }), do: doPatch(`{"metadata":{"annotations":{"note":"theirs"}}}`),
			refused: "regcred changes no annotation of a Secret but its own"},
		{name: "removing an annotation of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Annotations["note"] = "ours" }), do: doPatch(`{"metadata":{"annotations":{"note":null}}}`),
			refused: "regcred changes no annotation of a Secret but its own"},
		{name: "recording a label of the tenant as its own, the first of two steps to remove it", given: pullSecret(func(s *corev1.Secret) { s.Labels["team"] = "shop" }),
			do:      doPatch(`{"metadata":{"annotations":{"regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{\"written\":{\"label team\":\"x\"}}}}"}}}`),
			refused: "regcred records no label of a Secret as its own that was there before"},
		{name: "recording an annotation of the tenant as its own, the first of two steps to remove it", given: pullSecret(func(s *corev1.Secret) { s.Annotations["note"] = "ours" }),
			do:      doPatch(`{"metadata":{"annotations":{"regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{\"written\":{\"annotation note\":\"x\"}}}}"}}}`),
			refused: "regcred records no annotation of a Secret as its own that was there before"},
		{name: "recording a label of the tenant while a hand-made Secret is taken over", given: pullSecret(handMadeSecret),
			do: doPatch(`{"metadata":{"labels":{"regcred.dev/managed":"true"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":null,"regcred.dev/adopted":"true",` +
				`"regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{\"written\":{\"label team\":\"x\"}}}}"}}}`),
			refused: "regcred records no label of a Secret as its own that was there before"},
		{name: "recording a label that it adds, beside one of the tenant", given: pullSecret(func(s *corev1.Secret) { s.Labels["team"] = "shop" }),
			do: doPatch(`{"metadata":{"labels":{"site":"x"},"annotations":{"regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{\"written\":{\"label site\":\"x\"}}}}"}}}`)},
		{name: "updating a Secret in kube-system", namespace: metav1.NamespaceSystem, given: pullSecret(), do: doUpdate,
			refused: "regcred never touches Secrets in a protected namespace"},

		// Removing.
		{name: "removing a foreign Secret", given: pullSecret(handMadeSecret), do: doDelete,
			refused: "regcred deletes only Secrets that carry its label"},
		{name: "taking a hand-made Secret over in full, and removing it", given: pullSecret(handMadeSecret), do: doAdoptAndDelete,
			refused: "regcred deletes no Secret that it took over", changes: true},
		{name: "taking the mark off a Secret that was taken over, the step before its removal", given: pullSecret(takenOverSecret), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/adopted":null}}}`),
			refused: "regcred changes no annotation of a Secret but its own"},
		{name: "making the mark say no", given: pullSecret(takenOverSecret), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/adopted":"false"}}}`),
			refused: "regcred changes no annotation of a Secret but its own"},
		{name: "marking a Secret of its own, which nobody could remove then", given: pullSecret(), do: doPatch(`{"metadata":{"annotations":{"regcred.dev/adopted":"true","regcred.dev/sources":"{\"version\":1,\"sources\":{\"a\":{}}}"}}}`),
			refused: "regcred writes no label or annotation by which Kubernetes or a tool knows what it manages or copies"},
		{name: "removing a Secret of another name", given: pullSecret(func(s *corev1.Secret) { s.Name = "registry-creds" }), do: doDelete,
			refused: "regcred touches only Secrets of the names that it was given"},
		{name: "removing all Secrets of a namespace at once", given: pullSecret(), do: doDeleteAll,
			refused: "regcred deletes Secrets one by one"},
		{name: "removing a Secret in kube-system", namespace: metav1.NamespaceSystem, given: pullSecret(), do: doDelete,
			refused: "regcred never touches Secrets in a protected namespace"},
	}
}

func tokenOf(account string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.Type, s.Data = corev1.SecretTypeServiceAccountToken, nil
		s.Annotations[corev1.ServiceAccountNameKey] = account
	}
}

// doApplyOnce is how the operator creates a Secret: server-side apply that answers 409 where one is there.
func doApplyOnce(ctx context.Context, operator client.Client, object client.Object) error {
	secret := object.(*corev1.Secret)
	configuration := applycorev1.Secret(secret.Name, secret.Namespace).WithResourceVersion("1").
		WithType(secret.Type).WithData(secret.Data).WithLabels(secret.Labels).WithAnnotations(secret.Annotations)
	return operator.Apply(ctx, configuration, client.FieldOwner(v1alpha1.FieldManager))
}

// doUpdate is how the operator updates a Secret: the object that it looked at, with new entries.
func doUpdate(ctx context.Context, operator client.Client, object client.Object) error {
	secret := object.(*corev1.Secret)
	secret.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{"registry.company.io":{}}}`)
	secret.Annotations[v1alpha1.SourcesAnnotation] = `{"version":1,"sources":{"company-registry":{}}}`
	return operator.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
}

// doAdopt is how the operator takes over a Secret.
func doAdopt(ctx context.Context, operator client.Client, object client.Object) error {
	if object.GetAnnotations() == nil {
		object.SetAnnotations(map[string]string{})
	}
	object.GetAnnotations()[v1alpha1.AdoptedAnnotation] = v1alpha1.AdoptedValue
	return doTakeLabel(ctx, operator, object)
}

// doTakeLabel is how the operator marks a Secret as its own.
func doTakeLabel(ctx context.Context, operator client.Client, object client.Object) error {
	secret := object.(*corev1.Secret)
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	secret.Labels[v1alpha1.ManagedLabel] = v1alpha1.ManagedValue
	if secret.Labels[v1alpha1.ManagedByLabel] == "" {
		secret.Labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedByValue
	}
	delete(secret.Annotations, corev1.LastAppliedConfigAnnotation)
	return doUpdate(ctx, operator, secret)
}

// doAdoptAndDelete forges an adoption for a RegistryCredential that asks for none, and then removes the Secret.
func doAdoptAndDelete(ctx context.Context, operator client.Client, object client.Object) error {
	if err := doAdopt(ctx, operator, object); err != nil {
		return err
	}
	return operator.Delete(ctx, object)
}
