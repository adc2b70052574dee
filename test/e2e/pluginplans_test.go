package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

// adopt finds the hand-made Secret, writes the manifest that takes it over, and finds it taken over.
func (q *questions) adopt(t *testing.T) {
	byHand := pullSecret(t, askedByHand, scenario.OldSecret, s.Registry, "second")
	must(t, s.Client.Create(t.Context(), byHand, client.FieldOwner("kubectl-create")))
	must(t, s.AttachByHand(t.Context(), askedByHand))
	q.plugin.ends(t, 0, []string{askedByHand, scenario.OldSecret, "a person (kubectl", "default", " yes"}, "adopt", s.Registry, "-n", askedByHand)
	q.plugin.ends(t, 2, []string{"no hand-made pull Secret for registry.nowhere.example"}, "adopt", "registry.nowhere.example", "-n", askedByHand)
	manifest, list, code := q.plugin.says(t, "adopt", s.Registry, "-n", askedByHand, "--vault-path", askedPath)
	if code != 0 || !strings.Contains(list, scenario.OldSecret) {
		t.Errorf("it exits with %d, and lists %s", code, list)
	}
	file := writeFile(t, manifest)
	q.plugin.ends(t, 0, []string{"would be created: 1 Adopt", askedByHand}, "plan", "-f", file)
	if now := secretIn(t, askedByHand, scenario.OldSecret); now.ResourceVersion != byHand.ResourceVersion {
		t.Error("the Secret was written before anybody applied the manifest")
	}
	var object v1alpha1.RegistryCredential
	must(t, yaml.Unmarshal([]byte(manifest), &object))
	createCredential(t, &object)
	await(t, 30*time.Second, func(ctx context.Context) error {
		var said struct {
			Secrets []struct{ Owner, Current string }
		}
		out, _, code := q.plugin.says(t, "adopt", s.Registry, "-n", askedByHand, "-o", "json")
		if code != 2 { // nothing is left to be taken over
			return fmt.Errorf("adopt exits with %d", code)
		}
		must(t, json.Unmarshal([]byte(out), &said))
		if len(said.Secrets) != 1 || said.Secrets[0].Owner != "regcred" || said.Secrets[0].Current != "Yes" {
			return fmt.Errorf("adopt says %+v", said.Secrets)
		}
		return nil
	})
	if now := secretIn(t, askedByHand, scenario.OldSecret); now.UID != byHand.UID {
		t.Error("rule 9: the Secret was recreated, and not updated in place")
	}
}

func secretIn(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &secret))
	return &secret
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// plan says what a changed manifest would do, and does nothing of it.
func (q *questions) plan(t *testing.T) {
	var object v1alpha1.RegistryCredential
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Name: asked}, &object))
	write := func(namespaces ...v1alpha1.NamespaceName) string {
		changed := v1alpha1.RegistryCredential{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential"},
			ObjectMeta: metav1.ObjectMeta{Name: asked}, Spec: *object.Spec.DeepCopy(),
		}
		changed.Spec.Target.Namespaces = namespaces
		text, err := yaml.Marshal(changed)
		must(t, err)
		return writeFile(t, string(text))
	}
	before := versionsOf(t, []string{asked, askedStuck})
	q.plugin.ends(t, 0, []string{"is the same already", "2 Keep"}, "plan", "-f", write(asked, askedStuck))
	q.plugin.ends(t, 0, []string{"would be changed", "1 Create, 2 Keep"}, "plan", "-f", write(asked, askedStuck, askedByHand))
	q.plugin.ends(t, 2, []string{"1 Remove, 1 Create, 1 Keep", "it is not selected any more", "error: namespaces would lose entries"}, "plan", "-f", write(asked, askedByHand))
	for namespace, version := range versionsOf(t, []string{asked, askedStuck}) {
		if version != before[namespace] {
			t.Errorf("plan had the Secret of %s written", namespace)
		}
	}
	var after v1alpha1.RegistryCredential
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Name: asked}, &after))
	if after.Generation != object.Generation {
		t.Error("plan wrote the RegistryCredential")
	}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: askedByHand, Name: "regcred"}, &corev1.Secret{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("plan had a Secret made: %v", err)
	}
}
