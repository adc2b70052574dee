package integration

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/pullsecret"
)

// markKeys are labels and annotations of tools, of people, and of neither for certain.
var markKeys = []string{
	"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "app.kubernetes.io/name", "app.kubernetes.io/part-of",
	"applyset.kubernetes.io/part-of", "clustersecret.io", "clustersecret.io/created-by", "meta.helm.sh/release-name",
	"argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance", "kustomize.toolkit.fluxcd.io/name",
	"reconcile.external-secrets.io/managed", "generate.kyverno.io/policy-name", "reflector.v1.k8s.emberstack.com/reflects",
	"hnc.x-k8s.io/inherited-from", "notkubernetes.io/from", "tool.example/sync", "kubectl.kubernetes.io/restartedAt",
	"kubernetes.io/description", "node.k8s.io/x", "regcred.dev/note", "team", "a.b",
	"velero.io/exclude-from-backup", "velero.io/restore-name", "field.cattle.io/description", "capsule.clastix.io/tenant", "dopplerSecretName",
}

// compareMarks sees that whatever the operator would take over the policy lets it take over, and the other way round: where they
// disagreed, one would try again and again what the other refuses, or a stolen token could do what the operator does not.
func compareMarks(t *testing.T, c *installation, operator client.Client) {
	for _, value := range []string{"shop", "Helm", "imagepullsecret-patcher", "regcred"} {
		for _, key := range markKeys {
			for kind, mark := range map[string]func(*corev1.Secret){
				"label":      func(s *corev1.Secret) { s.Labels[key] = value },
				"annotation": func(s *corev1.Secret) { s.Annotations[key] = value },
			} {
				t.Run(fmt.Sprintf("%s %s=%s", kind, key, value), func(t *testing.T) {
					given := prepareAttempt(t, c, admissionAttempt{given: pullSecret(handMadeSecret, mark)}, c.namespace(t)).(*corev1.Secret)
					adoptable := pullsecret.OwnerOf(given).Adoptable
					err := doAdopt(t.Context(), operator, given.DeepCopy())
					if err != nil && !apierrors.IsForbidden(err) {
						t.Fatal(err)
					}
					if adoptable != (err == nil) {
						t.Errorf("for the operator it is hand-made: %t; the policy says: %v", adoptable, err)
					}
				})
			}
		}
	}
}
