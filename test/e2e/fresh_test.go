package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	// freshPods are measured for each way of attachment, unless the environment variable freshPodsVariable says another number.
	freshPods, freshPodsVariable = 30, "REGCRED_E2E_FRESH_PODS"
	// freshBatch pods are applied at once: fewer than a kubelet pulls at once by default.
	freshBatch = 6
)

// freshNamespace is what people apply together with workloads.
const freshNamespace = `apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {e2e: LABEL}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: NAMESPACE}
---
`

// Workloads of freshBatch pods. Those of the first are of all kinds; those of the second have an owner that makes them again.
const (
	freshMixed = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: SPEC}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: NAMESPACE}
spec: {backoffLimit: 0, template: {metadata: {labels: {app: once}}, spec: ONCE}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare-0, namespace: NAMESPACE}
spec: SPEC
---
apiVersion: v1
kind: Pod
metadata: {name: bare-1, namespace: NAMESPACE}
spec: SPEC
`
	freshOwned = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec: {replicas: 6, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: SPEC}}
`
)

// fresh is one way of attachment.
type fresh struct {
	attach v1alpha1.AttachMode
	// name of the RegistryCredential, of the user at the registry, and of the label that selects.
	name, workloads string
}

// TestPodsOfANewNamespaceRunAtOnce applies namespaces together with all that is in them, and measures what regcred takes of the time until
// their pods run, beside a plain client and beside pods whose Secret was there before: see freshReport.
func TestPodsOfANewNamespaceRunAtOnce(t *testing.T) {
	must(t, s.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "injection")))
	count := freshPods
	if text := os.Getenv(freshPodsVariable); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		must(t, err)
	}
	for _, way := range []fresh{
		{attach: v1alpha1.AttachPods, name: "fresh-pods", workloads: freshMixed},
		// A bare pod and one of a Job that were created too early are nobody's to make again: docs/attach.md says to attach by pods there.
		{attach: v1alpha1.AttachServiceAccounts, name: "fresh-accounts", workloads: freshOwned},
	} {
		t.Run(string(way.attach), func(t *testing.T) {
			way.provide(t)
			before := way.name + "-before"
			must(t, way.apply(t, before, freshNamespace))
			way.cleanUp(t, before)
			await(t, time.Minute, way.ready(before))
			var measured freshReport
			for i := 0; len(measured.news)*freshBatch < count; i++ {
				if i%3 == 0 {
					measured.pull = append(measured.pull, way.run(t, before, way.workloads).took()...)
				}
				namespace := fmt.Sprint(way.name, "-", i)
				way.cleanUp(t, namespace)
				measured.news = append(measured.news, way.run(t, namespace, freshNamespace+way.workloads))
			}
			measured.tell(t)
		})
	}
}

// cleanUp removes a namespace after the test.
func (f *fresh) cleanUp(t *testing.T, namespace string) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Client.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
}

// provide has a RegistryCredential for namespaces with the label, and waits until it works.
func (f *fresh) provide(t *testing.T) {
	t.Helper()
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: f.name, Password: "0", Pull: []string{f.name + "/"}}))
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", "platform/registries/"+f.name, map[string]any{"username": f.name, "password": "0"})
	must(t, err)
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: f.name})
	must(t, err)
	must(t, s.Box.Registry.Push(t.Context(), f.name+"/app:1", image))
	createCredential(t, credential(f.name, "platform/registries/"+f.name, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Registries, spec.PodRecovery = []v1alpha1.Registry{v1alpha1.Registry(s.Registry + "/" + f.name)}, nil
		spec.Target.Attach = f.attach
		spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"e2e": f.name}}
	}))
}

// ready reports whether a namespace has the Secret, and a new pod without a list names it.
func (f *fresh) ready(namespace string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &corev1.Secret{}); err != nil {
			return err
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}, Spec: scenario.Template("probe", publicImage()).Spec}
		if err := client.NewDryRunClient(s.Client).Create(ctx, pod); err != nil {
			return err
		}
		if !namesSecret(pod) {
			return fmt.Errorf("a new pod in %s names %v", namespace, pod.Spec.ImagePullSecrets)
		}
		return nil
	}
}

// apply applies a manifest for a namespace, as people do.
func (f *fresh) apply(t *testing.T, namespace, manifest string) error {
	t.Helper()
	spec := `{dnsPolicy: Default, terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, RESTART` +
		`containers: [{name: app, image: "` + s.Registry + "/" + f.name + `/app:1", imagePullPolicy: Always}]}`
	text := strings.NewReplacer("NAMESPACE", namespace, "LABEL", f.name, "ONCE", strings.Replace(spec, "RESTART", "restartPolicy: Never, ", 1),
		"SPEC", strings.Replace(spec, "RESTART", "", 1)).Replace(manifest)
	file := filepath.Join(t.TempDir(), "all.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return s.Kubectl(t.Context(), "apply", "--server-side", "-f", file)
}

// run applies workloads, and returns what became of their pods. They are removed again.
func (f *fresh) run(t *testing.T, namespace, manifest string) *freshTimes {
	t.Helper()
	w := watchFresh(t, f.attach, namespace)
	defer w.stop()
	must(t, f.apply(t, namespace, manifest))
	times := w.times(t)
	f.remove(t, namespace)
	return times
}

// remove takes all workloads of a namespace away.
func (f *fresh) remove(t *testing.T, namespace string) {
	t.Helper()
	for _, kind := range []client.Object{&appsv1.Deployment{}, &batchv1.Job{}, &corev1.Pod{}} {
		must(t, s.Client.DeleteAllOf(t.Context(), kind, client.InNamespace(namespace), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	await(t, 30*time.Second, func(ctx context.Context) error {
		var left corev1.PodList
		if err := s.Client.List(ctx, &left, client.InNamespace(namespace)); err != nil || len(left.Items) == 0 {
			return err
		}
		return fmt.Errorf("%d pods are left", len(left.Items))
	})
}
