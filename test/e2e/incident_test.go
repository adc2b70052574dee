package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

const incidentNamespaces = 12

// TestTheIncidentEnds walks the whole incident: hand-made Secrets, a rotation that leaves them stale, pods that are stuck; then one
// RegistryCredential, and a second rotation that nobody notices.
func TestTheIncidentEnds(t *testing.T) {
	ctx := t.Context()
	namespaces, bystander := makeNamespaces(t)
	must(t, s.SetRegistryPassword(ctx, "old-password"))
	first, err := s.PushApp(ctx, "incident-1")
	must(t, err)
	uids := handMadeSecrets(t, namespaces)
	foreign := foreignSecret(t, bystander)
	for i, namespace := range namespaces {
		template := scenario.Template("web", first)
		switch i % 3 {
		case 0: // the pod names the Secret itself
			template = scenario.Template("web", first, scenario.OldSecret)
		case 1: // it comes through the ServiceAccount
			await(t, 30*time.Second, func(ctx context.Context) error { return s.AttachByHand(ctx, namespace) })
		case 2: // nobody ever attached it: this pod is stuck from the start
		}
		must(t, s.Client.Create(ctx, scenario.Deployment(namespace, "web", template)))
		must(t, s.Client.Create(ctx, scenario.StatefulSet(namespace, "db", 2, scenario.Template("db", first, scenario.OldSecret))))
	}
	await(t, 2*time.Minute, s.Running("db", first, namespaces...))
	await(t, time.Minute, s.Stuck("web", "no basic auth credentials", namespaces[2]))

	must(t, s.SetRegistryPassword(ctx, "new-password"))
	must(t, s.SetVaultPassword(ctx, "new-password"))
	second, err := s.PushApp(ctx, "incident-2")
	must(t, err)
	for _, namespace := range namespaces {
		must(t, s.SetImage(ctx, namespace, "web", second))
		must(t, setStatefulSetImage(t, namespace, "db", second))
	}
	must(t, s.Client.Create(ctx, scenario.Deployment(namespaces[0], "typo", scenario.Template("typo", s.Registry+"/shop/no-such-image:1", scenario.OldSecret))))
	await(t, time.Minute, s.Stuck("web", "401 Unauthorized", namespaces[0], namespaces[1]))
	await(t, time.Minute, s.Stuck("typo", "Err", namespaces[0]))
	typo := onlyPod(t, namespaces[0], "typo")

	must(t, s.Client.Create(ctx, incidentCredential(namespaces, bystander)))
	fresh := await(t, 30*time.Second, s.Fresh(scenario.OldSecret, "new-password", namespaces...))
	running := await(t, time.Minute, s.Running("web", second, namespaces...))
	await(t, time.Minute, s.Running("db", second, namespaces...))
	t.Logf("all Secrets fresh after %s, all Deployments running %s later", fresh, running)

	t.Run("rule 9: a Secret is updated in place and never recreated", func(t *testing.T) {
		for _, namespace := range namespaces {
			if got := secretUID(t, namespace); got != uids[namespace] {
				t.Errorf("the Secret of %s was recreated: its UID was %s and is %s", namespace, uids[namespace], got)
			}
		}
	})
	var untouched corev1.Secret
	must(t, s.Client.Get(ctx, client.ObjectKeyFromObject(foreign), &untouched))
	if untouched.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("the Secret of somebody else was written: %s, was %s", untouched.ResourceVersion, foreign.ResourceVersion)
	}
	await(t, time.Minute, s.Stuck("typo", "not found", namespaces[0]))
	if now := onlyPod(t, namespaces[0], "typo"); now.UID != typo.UID {
		t.Errorf("the pod whose image does not exist was replaced: it was %s and is %s", typo.Name, now.Name)
	}
	await(t, 30*time.Second, failing("incident", bystander, v1alpha1.ReasonForeignSecret))

	must(t, s.SetRegistryPassword(ctx, "third-password"))
	must(t, s.SetVaultPassword(ctx, "third-password"))
	await(t, 30*time.Second, s.Fresh(scenario.OldSecret, "third-password", namespaces...))
	third, err := s.PushApp(ctx, "incident-3")
	must(t, err)
	for _, namespace := range namespaces {
		must(t, s.SetImage(ctx, namespace, "web", third))
	}
	await(t, time.Minute, s.Running("web", third, namespaces...))
}

func makeNamespaces(t *testing.T) (namespaces []string, bystander string) {
	for i := range incidentNamespaces {
		name := fmt.Sprintf("incident-%02d", i+1)
		must(t, s.CreateNamespace(t.Context(), name, map[string]string{"e2e": "incident"}))
		namespaces = append(namespaces, name)
	}
	bystander = "incident-bystander"
	must(t, s.CreateNamespace(t.Context(), bystander, nil))
	return namespaces, bystander
}

func handMadeSecrets(t *testing.T, namespaces []string) map[string]types.UID {
	uids := map[string]types.UID{}
	for _, namespace := range namespaces {
		secret, err := s.PullSecret(namespace, "old-password")
		must(t, err)
		must(t, s.Client.Create(t.Context(), secret, client.FieldOwner("kubectl-create")))
		uids[namespace] = secret.UID
	}
	return uids
}

// foreignSecret is one that Helm manages under the name that regcred wants.
func foreignSecret(t *testing.T, namespace string) *corev1.Secret {
	secret, err := s.PullSecret(namespace, "of-somebody-else")
	must(t, err)
	secret.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
	secret.Annotations = map[string]string{"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": namespace}
	must(t, s.Client.Create(t.Context(), secret, client.FieldOwner("helm")))
	return secret
}

func incidentCredential(namespaces []string, bystander string) *v1alpha1.RegistryCredential {
	period := int32(5)
	return &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "incident"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(s.Registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: scenario.VaultPath}},
			RefreshPeriodSeconds: &period,
			Target: v1alpha1.Target{
				Namespaces:        []v1alpha1.NamespaceName{v1alpha1.NamespaceName(bystander)},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"e2e": "incident"}},
				SecretName:        scenario.OldSecret,
				ExistingSecrets:   v1alpha1.ExistingAdopt,
			},
		},
	}
}

func secretUID(t *testing.T, namespace string) types.UID {
	var secret corev1.Secret
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: scenario.OldSecret}, &secret))
	return secret.UID
}

func onlyPod(t *testing.T, namespace, app string) corev1.Pod {
	t.Helper()
	pods, err := s.Pods(t.Context(), namespace, app)
	must(t, err)
	if len(pods) != 1 {
		t.Fatalf("%d pods of %s in %s, want one", len(pods), app, namespace)
	}
	return pods[0]
}

func setStatefulSetImage(t *testing.T, namespace, name, image string) error {
	var set appsv1.StatefulSet
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &set); err != nil {
		return err
	}
	before := set.DeepCopy()
	set.Spec.Template.Spec.Containers[0].Image = image
	return s.Client.Patch(t.Context(), &set, client.MergeFrom(before))
}

// failing reports whether the status names a namespace with a reason.
func failing(credential, namespace, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := s.Client.Get(ctx, client.ObjectKey{Name: credential}, &object); err != nil {
			return err
		}
		if object.Status.Namespaces == nil {
			return fmt.Errorf("no status yet")
		}
		for _, failure := range object.Status.Namespaces.Failures {
			if failure.Namespace == namespace && failure.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("the status does not name %s with %s: %+v", namespace, reason, object.Status.Namespaces)
	}
}
