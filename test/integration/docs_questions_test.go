package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestQuestions asks what docs/questions.md asks, of a real operator after one rotation. One of its namespaces has a Secret of Helm, one is
// excluded, one was selected and is not any more, and a bare pod was created too early.
func TestQuestions(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	r.flags = []string{"--leader-elect"}
	namespaces := r.makeNamespaces(t, 3)
	for _, namespace := range []string{"sandbox", "former"} {
		vaultMust(t, r.makeNamespace(t.Context(), namespace))
	}
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[2], Name: v1alpha1.DefaultSecretName, Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"},
		Annotations: map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": namespaces[2]}}}
	vaultMust(t, r.admin.Create(t.Context(), foreign))
	for _, namespace := range []string{namespaces[0], "sandbox"} {
		r.stuckPod(t, namespace)
	}
	r.push(t, "shop/web:1")
	r.rotate(t, "first")
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"sandbox"}
	})
	awaitAPI(t, "three namespaces are served", func() error {
		return r.allHold(t.Context(), []string{namespaces[0], namespaces[1], "former"}, "first")
	})
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))

	asks := newReader(t, r.installation, "docs/questions.md", r.vault)
	p := pluginOf(t, r.installation)
	vaultMust(t, os.Symlink(p.path, filepath.Join(asks.folder, "kubectl-regcred"))) // where kubectl finds it
	r.writeChange(t, filepath.Join(asks.folder, "company.yaml"))
	r.readyDeployment(t)
	r.leave(t, "former")
	// Before the rotation: between its two halves the registry refuses what is published, and a look at the pod would tell of that.
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		if out := asks.do(t, "kubectl get events -n "+namespaces[0]); !strings.Contains(out, "BarePod") {
			return fmt.Errorf("no event tells why the pod is left alone: %s", out)
		}
		return nil
	})
	r.rotate(t, "second")
	asks.do(t, "kubectl regcred refresh company")
	awaitAPI(t, "two namespaces have the new value", func() error { return r.allHold(t.Context(), namespaces[:2], "second") })
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error {
		status := r.credential(t).Status
		if status.Credential == nil || !strings.HasPrefix(status.Credential.Revision, "2-") || status.Namespaces == nil || status.Namespaces.Synced != 2 {
			return fmt.Errorf("the status does not tell of the new value yet: %+v", status)
		}
		return r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)(ctx)
	})
	for _, block := range console.FindAllStringSubmatch(page(t, asks.page), -1) {
		asks.sees(t, block[1])
	}
	if asked := len(asks.noticed); asked < 20 {
		t.Errorf("the page shows the outputs of %d commands, want 20", asked)
	}
}

// leave has a namespace not be selected any more, and waits until its people are told.
func (r *operatorRun) leave(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	vaultMust(t, r.admin.Patch(t.Context(), namespace, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"served":null}}}`))))
	awaitWithin(t, 20*time.Second, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := r.admin.List(ctx, &events, client.InNamespace(name)); err != nil {
			return err
		}
		for i := range events.Items {
			if e := &events.Items[i]; e.Reason == v1alpha1.ReasonRemoved && e.Regarding.Kind == "Secret" && e.ReportingController == "regcred" {
				return nil
			}
		}
		return fmt.Errorf("no event in namespace %s tells of the removal: %+v", name, events.Items)
	})
}

// stuckPod makes a pod without an owner, which a kubelet tells that the registry wants a login.
func (r *operatorRun) stuckPod(t *testing.T, namespace string) {
	t.Helper()
	image := r.registry.Basic + "/shop/web:1"
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "early"}, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: new(bool), NodeName: "node-1", Containers: []corev1.Container{{Name: "web", Image: image}}}}
	vaultMust(t, r.admin.Create(t.Context(), pod))
	r.isRefused(t, pod)
}

// isRefused says of a pod what a kubelet would say whose pull was refused.
func (r *operatorRun) isRefused(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	name, image := pod.Spec.Containers[0].Name, pod.Spec.Containers[0].Image
	repository, tag, _ := strings.Cut(strings.TrimPrefix(image, r.registry.Basic+"/"), ":")
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: name, Image: image, State: waitsFor("ImagePullBackOff",
		`Back-off pulling image "`+image+`": ErrImagePull: failed to pull and unpack image "`+image+`": failed to resolve image: `+
			`unexpected status from HEAD request to https://`+r.registry.Basic+`/v2/`+repository+`/manifests/`+tag+`: 401 Unauthorized`)}}
	vaultMust(t, r.admin.Status().Update(t.Context(), pod))
}

// writeChange writes the RegistryCredential with another choice of namespaces into a file.
func (r *operatorRun) writeChange(t *testing.T, file string) {
	t.Helper()
	object := v1alpha1.RegistryCredential{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential"},
		ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: *r.credential(t).Spec.DeepCopy(),
	}
	object.Spec.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"team-01"}
	text, err := yaml.Marshal(object)
	vaultMust(t, err)
	vaultMust(t, os.WriteFile(file, text, 0o600))
}

// readyDeployment says of the operator's Deployment what its controller would say where kubelets run its pods.
func (r *operatorRun) readyDeployment(t *testing.T) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: r.home, Name: operatorName}, deployment))
	deployment.Status.Replicas, deployment.Status.ReadyReplicas, deployment.Status.AvailableReplicas = 2, 2, 2
	vaultMust(t, r.admin.Status().Update(t.Context(), deployment))
}
