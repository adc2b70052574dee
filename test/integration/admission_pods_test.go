package integration

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const webImage = "registry.company.io/shop/web:1"

// barePod is a pod without an owner, with one container and no status, with changes.
func barePod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-0"},
		Spec:       corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{Name: "web", Image: webImage}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

// stuckPod is a pod of a ReplicaSet whose container waits for its image, with changes.
func stuckPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	return barePod(append([]func(*corev1.Pod){ownedBy("apps/v1", "ReplicaSet"), containerIn("web", stateWaiting("ImagePullBackOff"))}, changes...)...)
}

func ownedBy(apiVersion, kind string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "web", UID: "1", Controller: ptr.To(true)}}
	}
}

// containerIn gives a container a state, and makes it where the pod has none of that name.
func containerIn(name string, state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: webImage, State: state})
		if name != "web" {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: webImage})
		}
	}
}

func initContainerIn(name string, restart *corev1.ContainerRestartPolicy, state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name, Image: webImage, RestartPolicy: restart})
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: name, Image: webImage, State: state})
	}
}

func stateWaiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

var (
	stateRunning = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	stateDone    = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.Now()}}
)

// ranBefore makes a pod one that ran, was restarted and cannot pull its image again: the phase stays Running.
func ranBefore(p *corev1.Pod) {
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0].RestartCount = 3
	p.Status.ContainerStatuses[0].LastTerminationState = stateDone
}

func podDeleteAttempts() []admissionAttempt {
	const (
		noOwner   = "regcred deletes only pods that a ReplicaSet, StatefulSet, DaemonSet, ReplicationController or an owner of a kind in the limits recreates"
		runsStill = "regcred deletes no pod in which a container runs, save sidecars of one that was never Ready"
		noWait    = "regcred deletes only pods that wait for an image"
	)
	inState := func(state corev1.ContainerState) *corev1.Pod {
		return barePod(ownedBy("apps/v1", "ReplicaSet"), containerIn("web", state))
	}
	always := ptr.To(corev1.ContainerRestartPolicyAlways)
	return []admissionAttempt{
		// Pods that are recreated at no cost.
		{name: "a pod of a ReplicaSet in ImagePullBackOff", given: stuckPod(), do: doDelete},
		{name: "a pod of a ReplicaSet in ErrImagePull", given: inState(stateWaiting("ErrImagePull")), do: doDelete},
		{name: "a pod of a StatefulSet", given: stuckPod(ownedBy("apps/v1", "StatefulSet")), do: doDelete},
		{name: "a pod of a DaemonSet", given: stuckPod(ownedBy("apps/v1", "DaemonSet")), do: doDelete},
		{name: "a pod of a ReplicationController", given: stuckPod(ownedBy("v1", "ReplicationController")), do: doDelete},
		{name: "a pod whose init container waits", given: barePod(ownedBy("apps/v1", "ReplicaSet"),
			initContainerIn("init", nil, stateWaiting("ImagePullBackOff")), containerIn("web", stateWaiting("PodInitializing"))), do: doDelete},
		{name: "a pod whose init container is done and whose container waits", given: stuckPod(initContainerIn("init", nil, stateDone)), do: doDelete},
		{name: "a pod that ran before and cannot pull again", given: stuckPod(ranBefore), do: doDelete},
		{name: "a pod with a pull Secret that the kubelet cannot parse", given: inState(stateWaiting("illegal base64 data at input byte 0")), do: doDelete},

		{name: "a pod that never started, with a running native sidecar", given: stuckPod(initContainerIn("proxy", always, stateRunning)), do: doDelete},
		{name: "a pod that never started, with a proxy of a mesh", given: stuckPod(containerIn("istio-proxy", stateRunning)), do: doDelete},

		// Pods that are not.
		{name: "a pod with a running sidecar", given: stuckPod(containerIn("sidecar", stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod with a running init container", given: stuckPod(initContainerIn("proxy", nil, stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod that ran before, with a running native sidecar", given: stuckPod(ranBefore, initContainerIn("proxy", always, stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod that ran before, with a proxy of a mesh", given: stuckPod(ranBefore, containerIn("istio-proxy", stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod with a running sidecar beside one that may stop", given: stuckPod(initContainerIn("proxy", always, stateRunning), containerIn("sidecar", stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod whose sidecar is stuck and whose container runs", given: barePod(ownedBy("apps/v1", "ReplicaSet"), containerIn("web", stateRunning),
			containerIn("istio-proxy", stateWaiting("ImagePullBackOff"))), do: doDelete, refused: runsStill},
		{name: "a pod whose sidecars alone are stuck", given: barePod(ownedBy("apps/v1", "ReplicaSet"), containerIn("web", stateDone),
			containerIn("istio-proxy", stateWaiting("ImagePullBackOff")), containerIn("daprd", stateRunning)), do: doDelete, refused: runsStill},
		{name: "a pod that somebody debugs", given: stuckPod(func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "debug", State: stateRunning}}
		}), do: doDelete, refused: runsStill},
		{name: "a pod that runs", given: inState(stateRunning), do: doDelete, refused: runsStill},
		{name: "a pod of a Job", given: stuckPod(ownedBy("batch/v1", "Job")), do: doDelete, refused: noOwner},
		{name: "a bare pod", given: barePod(containerIn("web", stateWaiting("ImagePullBackOff"))), do: doDelete, refused: noOwner},
		{name: "a static pod", given: stuckPod(ownedBy("v1", "Node")), do: doDelete, refused: noOwner},
		{name: "a pod whose owner is not its controller", given: stuckPod(func(p *corev1.Pod) { p.OwnerReferences[0].Controller = nil }), do: doDelete, refused: noOwner},
		{name: "a pod of a kind that is not in the limits", given: stuckPod(ownedBy("core.strimzi.io/v1", "StrimziPodSet")), do: doDelete, refused: noOwner},
		{name: "a pod of a custom kind called ReplicaSet", given: stuckPod(ownedBy("example.com/v1", "ReplicaSet")), do: doDelete, refused: noOwner},
		{name: "a pod in CrashLoopBackOff", given: inState(stateWaiting("CrashLoopBackOff")), do: doDelete, refused: noWait},
		{name: "a pod that is being created", given: inState(stateWaiting("ContainerCreating")), do: doDelete, refused: noWait},
		{name: "a pod whose configuration is wrong", given: inState(stateWaiting("CreateContainerConfigError")), do: doDelete, refused: noWait},
		{name: "a pod whose image has an impossible name", given: inState(stateWaiting("InvalidImageName")), do: doDelete, refused: noWait},
		{name: "a pod that is done", given: inState(stateDone), do: doDelete, refused: noWait},
		{name: "a pod without statuses", given: barePod(ownedBy("apps/v1", "ReplicaSet")), do: doDelete, refused: noWait},
		{name: "a stuck pod in kube-system", namespace: metav1.NamespaceSystem, given: stuckPod(), do: doDelete,
			refused: "regcred deletes no pod in a protected namespace"},
		{name: "all stuck pods of a namespace at once", given: stuckPod(), do: doDeleteAll, refused: "regcred deletes pods one by one"},
		{name: "a stuck pod by force", given: stuckPod(), do: doDeleteNow, refused: "regcred forces no pod's deletion"},
	}
}

func podUpdateAttempts() []admissionAttempt {
	const (
		onlyUpdates = "regcred creates no pod that is kept, uses no subresource of a pod and touches no pod in a protected namespace"
		onlyDigests = "regcred changes the image of a container only from X to X@sha256:<digest>"
		onlyWaiting = "regcred changes the image only of a container that waits for it"
		onlyImages  = "regcred changes nothing of a pod but an image"
	)
	digest := "sha256:" + strings.Repeat("0a", 32)
	running := barePod(ownedBy("apps/v1", "ReplicaSet"), containerIn("web", stateRunning))
	gated := barePod(func(p *corev1.Pod) {
		p.Spec.NodeName, p.Spec.SchedulingGates = "", []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
	})
	return []admissionAttempt{
		// Ending the wait of a container by the digest of the same image.
		{name: "the digest of the image that a container waits for", given: stuckPod(), do: doSetImage("web", webImage+"@"+digest)},
		{name: "the digest in a bare pod", given: barePod(containerIn("web", stateWaiting("ErrImagePull"))), do: doSetImage("web", webImage+"@"+digest)},
		{name: "the digest of the image that an init container waits for", given: barePod(ownedBy("batch/v1", "Job"),
			initContainerIn("init", nil, stateWaiting("ImagePullBackOff")), containerIn("web", stateWaiting("PodInitializing"))), do: doSetImage("init", webImage+"@"+digest)},
		{name: "an update that changes nothing", given: stuckPod(), do: doSetImage("web", webImage)},

		// What a stolen token might be used for.
		{name: "another image", given: stuckPod(), do: doSetImage("web", "evil.example/miner:1"), refused: onlyDigests},
		{name: "another tag", given: stuckPod(), do: doSetImage("web", "registry.company.io/shop/web:2"), refused: onlyDigests},
		{name: "the digest of another image", given: stuckPod(), do: doSetImage("web", "evil.example/miner@"+digest), refused: onlyDigests},
		{name: "something longer than a digest", given: stuckPod(), do: doSetImage("web", webImage+"@"+digest+"0a"), refused: onlyDigests},
		{name: "another digest", given: stuckPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = webImage + "@" + digest }),
			do: doSetImage("web", webImage+"@sha256:"+strings.Repeat("0b", 32)), refused: onlyDigests},
		{name: "the image of a container that runs", given: running, do: doSetImage("web", webImage+"@"+digest), refused: onlyWaiting},
		{name: "the image of a container that runs beside one that waits", given: stuckPod(containerIn("sidecar", stateRunning)), do: doSetImage("sidecar", webImage+"@"+digest), refused: onlyWaiting},
		{name: "the image of an init container that is done", given: stuckPod(initContainerIn("init", nil, stateDone)), do: doSetImage("init", webImage+"@"+digest), refused: onlyWaiting},
		{name: "a label, which would take the pod into a Service", given: stuckPod(), do: doPatch(`{"metadata":{"labels":{"app":"bank"}}}`), refused: onlyImages},
		{name: "an annotation", given: stuckPod(), do: doPatch(`{"metadata":{"annotations":{"note":"x"}}}`), refused: onlyImages},
		{name: "a finalizer", given: stuckPod(), do: doPatch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: onlyImages},
		{name: "no owner any more", given: stuckPod(), do: doPatch(`{"metadata":{"ownerReferences":null}}`), refused: onlyImages},
		{name: "a deadline", given: stuckPod(), do: doPatch(`{"spec":{"activeDeadlineSeconds":1}}`), refused: onlyImages},
		{name: "a toleration", given: stuckPod(), do: doTolerate, refused: onlyImages},
		{name: "no scheduling gate any more", given: gated, do: doPatch(`{"spec":{"schedulingGates":null}}`), refused: onlyImages},
		{name: "a node selector while the pod is gated", given: gated, do: doPatch(`{"spec":{"nodeSelector":{"pool":"secret"}}}`), refused: onlyImages},
		{name: "a stuck pod in kube-system", namespace: metav1.NamespaceSystem, given: stuckPod(), do: doSetImage("web", webImage+"@"+digest), refused: onlyUpdates},
		{name: "a dry run of a new pod", fresh: barePod(), do: doDryCreate},
		{name: "a dry run of a new pod in kube-system", namespace: metav1.NamespaceSystem, fresh: barePod(), do: doDryCreate, refused: onlyUpdates},
		{name: "a new pod", fresh: barePod(), do: doCreate, refused: onlyUpdates},
		{name: "the status", given: stuckPod(), do: doPatchSubresource("status", `{"status":{"phase":"Failed"}}`), refused: onlyUpdates},
		{name: "a debug container", given: running, do: doPatchSubresource("ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"debug","image":"evil.example/shell:1"}]}}`), refused: onlyUpdates},
		{name: "an eviction", given: stuckPod(), do: doEvict, refused: onlyUpdates},
		{name: "a binding to a node", given: barePod(func(p *corev1.Pod) { p.Spec.NodeName = "" }), do: doBind, refused: onlyUpdates},
		{name: "a command in a container", given: running, do: doConnect("exec"), refused: onlyUpdates},
		{name: "a connection to a container", given: running, do: doConnect("portforward"), refused: onlyUpdates},
	}
}

func doDryCreate(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Create(ctx, object, client.DryRunAll)
}

func doDeleteNow(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Delete(ctx, object, client.GracePeriodSeconds(0))
}

// doSetImage updates one container's image in the pod that was looked at.
func doSetImage(container, image string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		pod := object.(*corev1.Pod)
		for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
			for i := range list {
				if list[i].Name == container {
					list[i].Image = image
				}
			}
		}
		return operator.Update(ctx, pod)
	}
}

func doTolerate(ctx context.Context, operator client.Client, object client.Object) error {
	pod := object.(*corev1.Pod)
	pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists})
	return operator.Update(ctx, pod)
}

func doPatchSubresource(name, body string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.SubResource(name).Patch(ctx, object, client.RawPatch("application/strategic-merge-patch+json", []byte(body)))
	}
}

func doEvict(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.SubResource("eviction").Create(ctx, object, &policyv1.Eviction{})
}

func doBind(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.SubResource("binding").Create(ctx, object, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node1"}})
}

// doConnect opens a stream to a pod. There is no kubelet: the request ends at the API server.
func doConnect(name string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.SubResource(name).Create(ctx, object, &corev1.Pod{})
	}
}
