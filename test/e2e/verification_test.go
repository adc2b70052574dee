package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	proofUser = "prover"
	proofPath = "platform/registries/proof"
)

// TestAWrongPasswordReachesNoNode writes a wrong password to Vault, and later changes the password at the registry alone, while
// pods of twelve namespaces pull.
func TestAWrongPasswordReachesNoNode(t *testing.T) {
	ctx := t.Context()
	var namespaces []string
	for i := range 12 {
		name := fmt.Sprintf("proof-%02d", i+1)
		must(t, s.CreateNamespace(ctx, name, map[string]string{"e2e": "proof"}))
		namespaces = append(namespaces, name)
	}
	setProof(t, "good", "good")
	image, err := pushProof(t, "1")
	must(t, err)
	period, again := int32(5), int32(30)
	must(t, s.Client.Create(ctx, &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "proof"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(s.Registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: proofPath}},
			RefreshPeriodSeconds: &period,
			Verification:         &v1alpha1.Verification{PeriodSeconds: &again},
			Target:               v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"e2e": "proof"}}},
		},
	}))
	await(t, time.Minute, s.Fresh("regcred", "good", namespaces...))
	for _, namespace := range namespaces {
		must(t, s.Client.Create(ctx, scenario.Deployment(namespace, "app", scenario.Template("app", image))))
	}
	await(t, 2*time.Minute, s.Running("app", image, namespaces...))
	before := versionsOf(t, namespaces)

	setProof(t, "", "wrong")
	t.Logf("a wrong password was reported after %s", await(t, 20*time.Second, verified(metav1.ConditionFalse, v1alpha1.ReasonRejected)))
	await(t, 20*time.Second, told(v1alpha1.ReasonRejected))
	image, err = pushProof(t, "2")
	must(t, err)
	for _, namespace := range namespaces {
		must(t, s.SetImage(ctx, namespace, "app", image))
	}
	await(t, time.Minute, s.Running("app", image, namespaces...))
	for namespace, version := range versionsOf(t, namespaces) {
		if version != before[namespace] {
			t.Errorf("the Secret of %s was written though the new password is wrong", namespace)
		}
	}

	setProof(t, "better", "better")
	t.Logf("the right one was everywhere after %s", await(t, 20*time.Second, s.Fresh("regcred", "better", namespaces...)))

	setProof(t, "newest", "")
	t.Logf("a password that changed at the registry alone was noticed after %s, period 30s",
		await(t, 90*time.Second, verified(metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted)))
	await(t, 20*time.Second, told(v1alpha1.ReasonNoLongerAccepted))
	for _, namespace := range namespaces {
		pods, err := s.Pods(ctx, namespace, "app")
		must(t, err)
		for i := range pods {
			if message := scenario.WaitingMessage(&pods[i]); message != "" {
				t.Errorf("a pod of %s failed before the refusal was reported: %s", namespace, message)
			}
		}
	}
	await(t, 30*time.Second, func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		must(t, s.Client.Get(ctx, client.ObjectKey{Name: "proof"}, &object))
		if object.Status.Pods == nil || object.Status.Pods.AtRisk == nil || *object.Status.Pods.AtRisk != 12 {
			return fmt.Errorf("status.pods is %+v, want 12 at risk", object.Status.Pods)
		}
		return nil
	})
	await(t, 20*time.Second, told(v1alpha1.ReasonPodsAtRisk))
	setProof(t, "", "newest")
	await(t, time.Minute, s.Fresh("regcred", "newest", namespaces...))
	await(t, time.Minute, verified(metav1.ConditionTrue, v1alpha1.ReasonAccepted))
}

// setProof changes the password at the registry, in Vault, or at both; "" leaves it.
func setProof(t *testing.T, atRegistry, inVault string) {
	t.Helper()
	if atRegistry != "" {
		must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: proofUser, Password: atRegistry, Pull: []string{"proof/"}}))
	}
	if inVault != "" {
		_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", proofPath, map[string]any{"username": proofUser, "password": inVault})
		must(t, err)
	}
}

func pushProof(t *testing.T, tag string) (string, error) {
	t.Helper()
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: "proof-" + tag})
	must(t, err)
	return s.Registry + "/proof/app:" + tag, s.Box.Registry.Push(t.Context(), "proof/app:"+tag, image)
}

func verified(status metav1.ConditionStatus, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := s.Client.Get(ctx, client.ObjectKey{Name: "proof"}, &object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionVerified)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("want Verified %s %s, have %+v", status, reason, c)
		}
		return nil
	}
}

// told reports whether an event of the RegistryCredential has a reason.
func told(reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := s.Client.List(ctx, &events); err != nil {
			return err
		}
		for i := range events.Items {
			if e := &events.Items[i]; e.Regarding.Kind == "RegistryCredential" && e.Regarding.Name == "proof" && e.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no event %s among %d", reason, len(events.Items))
	}
}

func versionsOf(t *testing.T, namespaces []string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, namespace := range namespaces {
		var secret corev1.Secret
		must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret))
		versions[namespace] = secret.ResourceVersion
	}
	return versions
}
