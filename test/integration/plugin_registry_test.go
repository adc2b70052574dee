package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// createAll makes objects.
func (r *operatorRun) createAll(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := r.admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// deployment has a template with an image, and pull Secrets of its own.
func deployment(namespace, name, image string, pullSecrets ...string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	object := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}},
	}}
	for _, secret := range pullSecrets {
		object.Spec.Template.Spec.ImagePullSecrets = append(object.Spec.Template.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	return object
}

// podOf is a pod of a Deployment, as its ReplicaSet would make it.
func podOf(d *appsv1.Deployment) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-5d4c9-x2x7p", Labels: map[string]string{"pod-template-hash": "5d4c9"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: d.Name + "-5d4c9", UID: "1"}}},
		Spec: d.Spec.Template.Spec}
}

// pullSecretOf is a pull Secret that somebody created with kubectl.
func pullSecretOf(t *testing.T, namespace, name, registry, password string) *corev1.Secret {
	t.Helper()
	login, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: dockerconfig.Config{registry: login}.Render()}}
}

// testPluginVerify asks the real registry with what the operator delivered.
func testPluginVerify(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	r.push(t, "shop/web:1")
	web := deployment(namespaces[0], "web", r.registry.Basic+"/shop/web:1")
	r.createAll(t, web, podOf(web))
	trusting := []string{"--insecure-registries", r.registry.Basic, "--allow-loopback-registries"}
	verify := func(arguments ...string) []string {
		return append(append([]string{"verify", "company"}, arguments...), trusting...)
	}
	out, _, code := p.says(t, verify()...)
	if code != 0 || !strings.Contains(out, "PullAllowed") {
		t.Errorf("it exits with %d", code)
	}
	documented(t, "verify company", out)
	out, _, code = p.says(t, verify("--image", r.registry.Basic+"/shop/gone:1", "-o", "json")...)
	if code != 3 || !strings.Contains(out, "ImageNotFound") || strings.Contains(out, "second") {
		t.Errorf("for an image that is not there it exits with %d", code)
	}
	p.fails(t, 3, "no clear answer", "verify", "company") // this machine was not told that plain http is allowed
	p.fails(t, 1, "you may not read Secret regcred in all namespaces", verify("--as", "viewer")...)
	p.fails(t, 1, "regcred-viewer", verify("--as", "tenant")...)
	p.fails(t, 1, "there is no RegistryCredential other", append([]string{"verify", "other"}, trusting...)...)
	p.fails(t, 1, "there is no Secret regcred in namespace kube-system", verify("-n", "kube-system")...)
	if out, _, code := p.says(t, verify("-n", namespaces[1])...); code != 0 || !strings.Contains(out, "LoginAccepted") {
		t.Errorf("in a namespace without pods it exits with %d", code)
	}
}

// testPluginAudit looks at workloads whose images are opened in different ways, and one whose image is not.
func testPluginAudit(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	r.createAll(t, pullSecretOf(t, namespaces[1], "theirs", "quay.io", "canary"),
		deployment(namespaces[1], "api", r.registry.Basic+"/shop/api:1", "theirs"), deployment(namespaces[1], "tool", "quay.io/team/tool:1", "theirs"),
		deployment(namespaces[2], "proxy", "docker.io/library/nginx:1"))
	out, _, code := p.says(t, "audit", "-A")
	if code != 0 || !strings.Contains(out, "5 pulls of 5 images in all namespaces: 1 Fails, 1 Unproven, 2 Anonymous, 1 Accepted") {
		t.Errorf("it exits with %d", code)
	}
	documented(t, "audit -A", out)
	out, complaint, code := p.says(t, "audit", "-n", namespaces[1], "-o", "wide", "--exit-code")
	if code != 2 || !strings.Contains(complaint, "some pulls would fail, those with the result Fails: 1 Fails, 1 Unproven") {
		t.Errorf("where a pull would fail it exits with %d", code)
	}
	documented(t, "audit -n team-01 -o wide --exit-code", out+complaint)
	if out, _, code := p.says(t, "audit", "-n", namespaces[0], "--exit-code", "-o", "json"); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("where no pull would fail it exits with %d", code)
	}
	if out, _, code := p.says(t, "audit", "-A", "--as", "tenant"); code != 0 || strings.Count(out, "You may not") != 3 || !strings.Contains(out, "You may not read RegistryCredentials") {
		t.Errorf("who may read little is not told so; it exits with %d", code)
	}
	if out, _, _ := p.says(t, "audit", "-n", "default"); !strings.Contains(out, "There is no workload that you may list in namespace default. All namespaces: kubectl regcred audit -A") {
		t.Error("an empty namespace is not said to be one")
	}
	p.fails(t, 1, "there is no namespace nowhere", "audit", "-n", "nowhere")
}

// testPluginAdopt finds Secrets that somebody made by hand, and has its manifest checked by plan.
func testPluginAdopt(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	const registry = "registry.company.io"
	helm := pullSecretOf(t, namespaces[2], "company-pull", registry, "canary-new")
	helm.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	r.createAll(t, pullSecretOf(t, namespaces[0], "company-pull", registry, "canary-new"), pullSecretOf(t, namespaces[1], "company-pull", registry, "canary-old"), helm)
	for _, namespace := range namespaces[:2] {
		awaitAPI(t, "the ServiceAccount is changed", func() error {
			var account corev1.ServiceAccount
			if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
				return err
			}
			account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: "company-pull"})
			return r.admin.Update(t.Context(), &account)
		})
	}
	p.fails(t, 2, "no hand-made pull Secret for registry.company.io to take over", "adopt", registry) // the operator was not given the name
	r.kubectl(t, "apply", "-k", writeOverlay(t, strings.Replace(deliveryOverlay, `"regcred,registry-creds", list: [regcred, registry-creds]`, `"regcred,company-pull", list: [regcred, company-pull]`, 1)))
	out, _, code := p.says(t, "adopt", registry, "--current", namespaces[0]+"/company-pull")
	if code != 0 || strings.Contains(out, "canary") {
		t.Errorf("it exits with %d, or shows a password", code)
	}
	documented(t, "adopt registry.company.io --current team-00/company-pull", out)
	out, list, code := p.says(t, "adopt", registry, "--vault-path", "platform/registries/company")
	if code != 0 || !strings.Contains(list, "company-pull") || strings.Contains(list, "kind: RegistryCredential") {
		t.Errorf("it exits with %d, and the list is not on standard error", code)
	}
	documented(t, "adopt registry.company.io --vault-path platform/registries/company", out)
	if out, _, code := p.says(t, "plan", "-f", writeManifest(t, out)); code != 0 || !strings.Contains(out, "2 Adopt") {
		t.Errorf("plan of the manifest exits with %d", code)
	}
	out, _, _ = p.says(t, "adopt", r.registry.Basic, "-o", "json")
	var found struct {
		Secrets []struct{ Namespace, Owner, Current string }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Secrets) != 3 || found.Secrets[0].Owner != "regcred" || found.Secrets[0].Current != "Yes" {
		t.Errorf("%v: what regcred wrote is not found, or not known to be in use: %+v", err, found)
	}
	p.fails(t, 2, "no hand-made pull Secret for other.company.io", "adopt", "other.company.io")
	p.fails(t, 1, "name a registry", "adopt", "https://registry company")
	p.fails(t, 1, "you may not list Secrets in namespace team-00", "adopt", registry, "-n", namespaces[0], "--as", "tenant")
	if out, _, _ := p.says(t, "adopt", registry, "--as", "tenant"); !strings.Contains(out, "You may not list Secrets in") {
		t.Error("who may not read Secrets is not told so")
	}
	r.forget(t, namespaces)
	awaitAPI(t, "the ServiceAccount is as it was", func() error {
		var account corev1.ServiceAccount
		if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespaces[1], Name: "default"}, &account); err != nil {
			return err
		}
		account.ImagePullSecrets = slices.DeleteFunc(account.ImagePullSecrets, func(ref corev1.LocalObjectReference) bool { return ref.Name == "company-pull" })
		return r.admin.Update(t.Context(), &account)
	})
}

// testPluginExplain asks about a pod whose own list of pull Secrets keeps it from the one of regcred.
func testPluginExplain(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	pod := podOf(deployment(namespaces[1], "api", r.registry.Basic+"/shop/api:1", "theirs"))
	r.createAll(t, pod)
	r.isRefused(t, pod)
	out, _, code := p.says(t, "explain", "pod", pod.Name, "-n", namespaces[1])
	if code != 0 || !strings.Contains(out, "OwnPullSecrets") {
		t.Errorf("it exits with %d", code)
	}
	documented(t, "explain pod api-5d4c9-x2x7p -n team-01", out)
	p.fails(t, 1, "nobody", "explain", "pod", "nobody", "-n", namespaces[1])
}

// testPluginBundle looks for every secret of the installation in a bundle.
func testPluginBundle(t *testing.T, r *operatorRun, p *plugin) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if _, complaint, code := p.says(t, "doctor", "--support-bundle", file); code != 0 || !strings.Contains(complaint, "read it before you give it away") {
		t.Errorf("it exits with %d", code)
	}
	p.fails(t, 1, "is there already", "doctor", "--support-bundle", file)
	archive, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	plain, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range r.secrets(t) {
		if bytes.Contains(text, secret) {
			t.Errorf("the bundle holds %q", secret)
		}
	}
	server, err := kubernetes.NewForConfigOrDie(r.config).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"registrycredentials.json", "platform/registries/company", "Published", server.GitVersion} {
		if !bytes.Contains(text, []byte(words)) {
			t.Errorf("the bundle lacks %q", words)
		}
	}
}

// secrets are all values of all Secrets, and the passwords in them.
func (r *operatorRun) secrets(t *testing.T) [][]byte {
	t.Helper()
	var list corev1.SecretList
	if err := r.admin.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	found := [][]byte{[]byte("canary"), []byte("robot:")}
	for i := range list.Items {
		for _, value := range list.Items[i].Data {
			if len(value) > 7 {
				found = append(found, value)
			}
		}
	}
	return found
}

// forget removes what only one part of the test needs.
func (r *operatorRun) forget(t *testing.T, namespaces []string) {
	t.Helper()
	var account corev1.ServiceAccount
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error {
		if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespaces[0], Name: "default"}, &account); err != nil {
			return err
		}
		account.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "of-others"}, {Name: v1alpha1.DefaultSecretName}}
		if err := r.admin.Update(ctx, &account); err != nil {
			return fmt.Errorf("not yet: %w", err)
		}
		return nil
	})
}
