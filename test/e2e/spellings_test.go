package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// Other names of the box's registry with basic auth, which its containerd knows.
const (
	secondName = "registry-1.box.example"
	upperCase  = "REGISTRY.BOX.EXAMPLE"
)

// A key of a Google service account, as it is downloaded and as it is sent.
const (
	keyAsDownloaded = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n\"\n}\n"
	keyOnOneLine    = `{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}`
)

// spellingCase is how a registry is written, and what is stored for it.
type spellingCase struct {
	name       string
	registries []v1alpha1.Registry
	per        v1alpha1.EntryPer
	host       string
	key        string // that the Secret is to have
	user       box.User
	stored     map[string]any
	username   string
}

func spellingCases() []spellingCase {
	return []spellingCase{
		{
			name: "second-name", registries: []v1alpha1.Registry{secondName}, host: secondName, key: secondName,
			user: box.User{Name: "second", Password: "pw"}, stored: map[string]any{"username": "second", "password": "pw"},
		},
		{
			name: "upper-case", registries: []v1alpha1.Registry{upperCase}, host: upperCase, key: upperCase,
			user: box.User{Name: "upper", Password: "pw"}, stored: map[string]any{"username": "upper", "password": "pw"},
		},
		{
			name: "google-key", registries: []v1alpha1.Registry{v1alpha1.Registry(s.Registry)}, host: s.Registry, key: s.Registry,
			user: box.User{Name: "_json_key", Password: keyOnOneLine}, stored: map[string]any{"password": keyAsDownloaded}, username: "_json_key",
		},
		{
			name: "entry-per-host", registries: []v1alpha1.Registry{v1alpha1.Registry(s.Registry + "/entry-per-host")}, per: v1alpha1.EntryPerHost, host: s.Registry, key: s.Registry,
			user: box.User{Name: "host", Password: "pw"}, stored: map[string]any{"username": "host", "password": "pw"},
		},
	}
}

// TestWhatPeopleWriteAndStoreIsPulledWith has a node pull images whose registries are spelt in ways that a kubelet tells apart, and with
// what people store.
func TestWhatPeopleWriteAndStoreIsPulledWith(t *testing.T) {
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: "spellings"})
	must(t, err)
	for _, test := range spellingCases() {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			test.user.Pull = []string{test.name + "/"}
			must(t, s.Box.Registry.SetUser(ctx, test.user))
			must(t, s.Box.Registry.Push(ctx, test.name+"/app:1", image))
			_, err := s.Box.Vault.WriteKV2(ctx, "secret", "platform/registries/"+test.name, test.stored)
			must(t, err)
			must(t, s.CreateNamespace(ctx, test.name, nil))
			must(t, s.Client.Create(ctx, test.credential()))
			reference := fmt.Sprintf("%s/%s/app:1", test.host, test.name)
			must(t, s.Client.Create(ctx, scenario.Deployment(test.name, "app", scenario.Template("app", reference))))
			await(t, 3*time.Minute, s.Running("app", reference, test.name))
			var secret corev1.Secret
			must(t, s.Client.Get(ctx, client.ObjectKey{Namespace: test.name, Name: "regcred"}, &secret))
			if secret.Labels["controller.devfile.io/devworkspace_pullsecret"] != "true" {
				t.Errorf("the Secret has the labels %v", secret.Labels)
			}
			if keys := keysOf(t, &secret); len(keys) != 1 || keys[0] != test.key {
				t.Errorf("the Secret has the keys %q, want %q", keys, test.key)
			}
		})
	}
}

func keysOf(t *testing.T, secret *corev1.Secret) []string {
	t.Helper()
	entries, err := dockerconfig.ParseRaw(secret.Data[corev1.DockerConfigJsonKey])
	must(t, err)
	return slices.Sorted(maps.Keys(entries))
}

// credential verifies where the operator, too, reaches the registry by the name: only the node knows the others.
func (c spellingCase) credential() *v1alpha1.RegistryCredential {
	verification := &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled}
	if c.host == s.Registry {
		verification = &v1alpha1.Verification{Images: []string{c.host + "/" + c.name + "/app:1"}}
	}
	return &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: c.name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:   c.registries,
			Source:       v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/registries/" + c.name, Username: c.username}},
			Verification: verification,
			Target: v1alpha1.Target{
				Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(c.name)}, EntryPer: c.per,
				SecretLabels: map[string]v1alpha1.LabelValue{"controller.devfile.io/devworkspace_pullsecret": "true"},
			},
		},
	}
}
