package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// Namespaces of the attachment by admission policy: one is selected from the start, the other is relabelled.
const attached, relabelled = "attached", "relabelled"

// TestPodsAreAttachedByThePolicy has a real kubelet pull for pods that name the Secret by config/injection alone: of every kind, under a
// ServiceAccount that the operator was not given, and with lists of their own. All pull at the first try.
func TestPodsAreAttachedByThePolicy(t *testing.T) {
	must(t, s.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "injection")))
	for _, namespace := range []string{attached, relabelled} {
		makeNamespace(t, namespace)
		must(t, s.Client.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "runner"}}))
	}
	cases := attachedCases()
	pushAttached(t, cases)
	label(t, attached, `"attached"`)
	createCredential(t, credential(attached, "platform/registries/"+attached, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Registries, spec.PodRecovery = []v1alpha1.Registry{v1alpha1.Registry(s.Registry + "/" + attached)}, nil
		spec.Target.Attach = v1alpha1.AttachPods
		spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"e2e": attached}}
	}))
	await(t, time.Minute, injectedIn(attached))
	pace := time.NewTicker(time.Second) // more at once, and the kubelet's own limit fails pulls
	defer pace.Stop()
	for _, c := range cases {
		must(t, s.Client.Create(t.Context(), c.workload(t, c)))
		<-pace.C
	}
	await(t, 2*time.Minute, func(ctx context.Context) error { return allPulled(ctx, cases) }) // a CronJob begins at a full minute
	noPullFailed(t)
	t.Run("a namespace that is relabelled", relabel)
}

func attachedCases() []stuckCase {
	runner := func(spec *corev1.PodSpec) { spec.ServiceAccountName = "runner" }
	cases := []stuckCase{
		{name: "plain", workload: deployment()}, {name: "own", workload: deployment(lists("mine"))}, {name: "runner", workload: deployment(runner)},
		{name: "mesh", workload: deployment(withNativeSidecar, withSidecar)}, {name: "db", workload: statefulSet}, {name: "agent", workload: daemonSet},
		{name: "job", workload: job(0)}, {name: "cron", workload: cronJob}, {name: "bare", workload: bare},
	}
	for i := range cases {
		cases[i].namespace = attached
	}
	return cases
}

func withNativeSidecar(spec *corev1.PodSpec) {
	spec.InitContainers = []corev1.Container{{Name: "mesh", Image: publicImage(), RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
}

func pushAttached(t *testing.T, cases []stuckCase) {
	t.Helper()
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: attached, Password: "0", Pull: []string{attached + "/"}}))
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", "platform/registries/"+attached, map[string]any{"username": attached, "password": "0"})
	must(t, err)
	waits, err := box.Image(s.Pause, box.ImageOptions{Salt: attached})
	must(t, err)
	ends, err := box.Image(programThatEnds(t), box.ImageOptions{Salt: attached})
	must(t, err)
	must(t, s.Box.Registry.Push(t.Context(), "regcred/public:1", waits))
	must(t, s.Box.Registry.Push(t.Context(), attached+"/later:1", waits))
	for _, c := range cases {
		image := waits
		if c.name == "job" || c.name == "cron" {
			image = ends
		}
		must(t, s.Box.Registry.Push(t.Context(), c.namespace+"/"+c.name+":1", image))
	}
}

// label sets the label that selects a namespace, or takes it off with null.
func label(t *testing.T, namespace, value string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	must(t, s.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"e2e":`+value+`}}}`))))
}

// injectedIn reports whether a namespace has the Secret and new pods get its name.
func injectedIn(namespace string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &corev1.Secret{}); err != nil {
			return err
		}
		return injects(ctx, namespace, true)
	}
}

// injects compares whether a pod that is created now names the Secret. None is.
func injects(ctx context.Context, namespace string, want bool) error {
	template := scenario.Template("probe", publicImage(), "mine")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}, Spec: template.Spec}
	if err := client.NewDryRunClient(s.Client).Create(ctx, pod); err != nil {
		return err
	}
	if got := namesSecret(pod); got != want {
		return fmt.Errorf("a new pod in %s names %v", namespace, pod.Spec.ImagePullSecrets)
	}
	return nil
}

func namesSecret(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "regcred"})
}

// allPulled reports whether every case has a pod that names the Secret and runs, or has ended well.
func allPulled(ctx context.Context, cases []stuckCase) error {
	for _, c := range cases {
		pods, err := s.Pods(ctx, c.namespace, c.name)
		if err != nil {
			return err
		}
		pulled := slices.ContainsFunc(pods, func(pod corev1.Pod) bool {
			return namesSecret(&pod) && (pod.Status.Phase == corev1.PodRunning || pod.Status.Phase == corev1.PodSucceeded)
		})
		if !pulled {
			return fmt.Errorf("%s has not pulled: %d pods", c, len(pods))
		}
	}
	return nil
}

// noPullFailed fails the test where a kubelet did not get an image at the first try.
func noPullFailed(t *testing.T) {
	t.Helper()
	var events corev1.EventList
	must(t, s.Client.List(t.Context(), &events, client.InNamespace(attached)))
	for _, event := range events.Items {
		if event.Reason == "Failed" || event.Reason == "BackOff" {
			t.Errorf("%s: %s", event.InvolvedObject.Name, event.Message)
		}
	}
	if len(events.Items) == 0 {
		t.Error("there are no events: that none tells of a failure proves nothing")
	}
}

// relabel: a pod that was there before its namespace was selected is restarted, also beside a sidecar that runs, and a namespace that is left gets nothing any more.
func relabel(t *testing.T) {
	image := s.Registry + "/" + attached + "/later:1"
	template := scenario.Template("later", image, "mine")
	withNativeSidecar(&template.Spec)
	must(t, s.Client.Create(t.Context(), scenario.Deployment(relabelled, "later", template)))
	await(t, time.Minute, s.Stuck("later", "ImagePull", relabelled))
	label(t, relabelled, `"attached"`)
	took := await(t, time.Minute, s.Running("later", image, relabelled))
	t.Logf("measured: from the label to the pod running: %s", took)
	label(t, relabelled, "null")
	await(t, time.Minute, func(ctx context.Context) error { return injects(ctx, relabelled, false) })
}
