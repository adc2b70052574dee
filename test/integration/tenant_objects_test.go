package integration

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

const (
	// escape clears a terminal and changes its title.
	escape = "\x1b[2J\x1b]0;owned\x07"
	// refusedPull leaves it open whether a credential would help: the operator asks the registry.
	refusedPull = `failed to pull and unpack image %q: failed to resolve image: pull access denied, repository does not exist or may require ` +
		`authorization: server message: insufficient_scope: authorization failed`
)

// largePod is one of the tenant's pods, near the 1.5 MiB that etcd takes, and what a kubelet says of its image.
func (r *tenantRun) largePod(i int) (pod *corev1.Pod, message string) {
	image := fmt.Sprintf("%s/hostile/app-%d:1", r.registry.Basic, i)
	pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenantHome, Name: fmt.Sprintf("large-%d", i)},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%d", i%10), AutomountServiceAccountToken: ptr.To(false),
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: v1alpha1.DefaultSecretName}},
			Containers:       []corev1.Container{{Name: "web", Image: image, Args: []string{strings.Repeat("x", 1_400_000)}}},
		},
	}
	container := &pod.Spec.Containers[0]
	switch i % 5 {
	case 1: // a text of 0.6 MB, once in the spec and once in the status
		container.Args, container.Image = nil, r.registry.Basic+"/"+strings.Repeat("a__b/", 120_000)+"c"
	case 2:
		container.Args = []string{strings.Repeat("x", 1_200_000)}
		for range 1999 {
			pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: v1alpha1.DefaultSecretName})
		}
	case 3: // a question that cannot be asked
		container.Image = r.registry.Basic + "/hostile/UPPER-" + strings.Repeat("Z", i) + ":1"
	case 4:
		container.Image = fmt.Sprintf("%s/hostile/app-%d:1", r.registry.Token, i)
	}
	return pod, fmt.Sprintf(refusedPull, container.Image)
}

// tenantSecrets are the forms that the tenant gives the Secret of its namespace.
var tenantSecrets = []func(r *tenantRun) *corev1.Secret{
	func(*tenantRun) *corev1.Secret { return ghostSecret(18_000) }, // more than the operator looks at
	func(*tenantRun) *corev1.Secret { return ghostSecret(9_000) },  // as many as it looks at
	func(*tenantRun) *corev1.Secret {
		secret := tenantSecret(tenantHome, map[string]any{})
		secret.Annotations = map[string]string{"meta.helm.sh/release-name": escape + strings.Repeat("A", 100_000)}
		return secret
	},
	func(r *tenantRun) *corev1.Secret {
		entry := map[string]string{"auth": "dTpw"}
		secret := tenantSecret(tenantHome, map[string]any{escape + strings.Repeat("b", 40_000): entry, "https://hub.docker.com/" + escape: entry, r.registry.Basic: entry})
		secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
		return secret
	},
}

// ghostSecret has many entries, which a RegistryCredential left that never was.
func ghostSecret(entries int) *corev1.Secret {
	auths, keys := map[string]any{}, make([]string, entries)
	for i := range keys {
		keys[i] = fmt.Sprintf("a.b/%d", i)
		auths[keys[i]] = map[string]string{"auth": "dTpw"}
	}
	secret := tenantSecret(tenantHome, auths)
	secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"ghost": {Keys: keys, Changed: metav1.Now()}}.String()}
	return secret
}

// forgedSecret claims to hold the entries of all credentials. As an immutable one it cannot be put right.
func forgedSecret(r *tenantRun, immutable bool) *corev1.Secret {
	secret, sources := tenantSecret(tenantYard, map[string]any{}), pullsecret.Sources{}
	for _, one := range r.credentials {
		sources[one.name] = pullsecret.Source{Revision: "1", Keys: []string{one.registry}, Changed: metav1.Now()}
	}
	secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: sources.String()}
	secret.Data["mine"], secret.Immutable = []byte("x"), &immutable
	return secret
}

func tenantSecret(namespace string, auths map[string]any) *corev1.Secret {
	data, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		panic("maps of strings always encode: " + err.Error())
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.DefaultSecretName},
		Type:       corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: data},
	}
}
