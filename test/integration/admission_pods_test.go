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

const image = "registry.company.io/shop/web:1"

// pod is a bare pod with one container and no status, with changes.
func pod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-0"},
		Spec:       corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{Name: "web", Image: image}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

// stuck is a pod of a ReplicaSet whose container waits for its image, with changes.
func stuck(changes ...func(*corev1.Pod)) *corev1.Pod {
	return pod(append([]func(*corev1.Pod){ownedBy("apps/v1", "ReplicaSet"), container("web", waits("ImagePullBackOff"))}, changes...)...)
}

func ownedBy(apiVersion, kind string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "web", UID: "1", Controller: ptr.To(true)}}
	}
}

// container gives a container a state, and makes it where the pod has none of that name.
func container(name string, state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: image, State: state})
		if name != "web" {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: image})
		}
	}
}

func initContainer(name string, restart *corev1.ContainerRestartPolicy, state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name, Image: image, RestartPolicy: restart})
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: name, Image: image, State: state})
	}
}

func waits(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

var (
	runs = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	done = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.Now()}}
)

// ranBefore makes a pod one that ran, was restarted and cannot pull its image again: the phase stays Running.
func ranBefore(p *corev1.Pod) {
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0].RestartCount = 3
	p.Status.ContainerStatuses[0].LastTerminationState = done
}

func podDeleteAttempts() []attempt {
	const (
		noOwner   = "regcred deletes only pods that a ReplicaSet, StatefulSet, DaemonSet or ReplicationController recreates"
		runsStill = "regcred deletes no pod in which a container runs"
		noWait    = "regcred deletes only pods that wait for an image"
	)
	inState := func(state corev1.ContainerState) *corev1.Pod {
		return pod(ownedBy("apps/v1", "ReplicaSet"), container("web", state))
	}
	always := ptr.To(corev1.ContainerRestartPolicyAlways)
	return []attempt{
		// Pods that are recreated at no cost.
		{name: "a pod of a ReplicaSet in ImagePullBackOff", given: stuck(), do: remove},
		{name: "a pod of a ReplicaSet in ErrImagePull", given: inState(waits("ErrImagePull")), do: remove},
		{name: "a pod of a StatefulSet", given: stuck(ownedBy("apps/v1", "StatefulSet")), do: remove},
		{name: "a pod of a DaemonSet", given: stuck(ownedBy("apps/v1", "DaemonSet")), do: remove},
		{name: "a pod of a ReplicationController", given: stuck(ownedBy("v1", "ReplicationController")), do: remove},
		{name: "a pod whose init container waits", given: pod(ownedBy("apps/v1", "ReplicaSet"),
			initContainer("init", nil, waits("ImagePullBackOff")), container("web", waits("PodInitializing"))), do: remove},
		{name: "a pod whose init container is done and whose container waits", given: stuck(initContainer("init", nil, done)), do: remove},
		{name: "a pod that ran before and cannot pull again", given: stuck(ranBefore), do: remove},
		{name: "a pod with a pull Secret that the kubelet cannot parse", given: inState(waits("illegal base64 data at input byte 0")), do: remove},

		// Pods that are not.
		{name: "a pod with a running sidecar", given: stuck(container("sidecar", runs)), do: remove, refused: runsStill},
		{name: "a pod with a running native sidecar", given: stuck(initContainer("proxy", always, runs)), do: remove, refused: runsStill},
		{name: "a pod that somebody debugs", given: stuck(func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "debug", State: runs}}
		}), do: remove, refused: runsStill},
		{name: "a pod that runs", given: inState(runs), do: remove, refused: runsStill},
		{name: "a pod of a Job", given: stuck(ownedBy("batch/v1", "Job")), do: remove, refused: noOwner},
		{name: "a bare pod", given: pod(container("web", waits("ImagePullBackOff"))), do: remove, refused: noOwner},
		{name: "a static pod", given: stuck(ownedBy("v1", "Node")), do: remove, refused: noOwner},
		{name: "a pod whose owner is not its controller", given: stuck(func(p *corev1.Pod) { p.OwnerReferences[0].Controller = nil }), do: remove, refused: noOwner},
		{name: "a pod of a custom kind called ReplicaSet", given: stuck(ownedBy("example.com/v1", "ReplicaSet")), do: remove, refused: noOwner},
		{name: "a pod in CrashLoopBackOff", given: inState(waits("CrashLoopBackOff")), do: remove, refused: noWait},
		{name: "a pod that is being created", given: inState(waits("ContainerCreating")), do: remove, refused: noWait},
		{name: "a pod whose configuration is wrong", given: inState(waits("CreateContainerConfigError")), do: remove, refused: noWait},
		{name: "a pod whose image has an impossible name", given: inState(waits("InvalidImageName")), do: remove, refused: noWait},
		{name: "a pod that is done", given: inState(done), do: remove, refused: noWait},
		{name: "a pod without statuses", given: pod(ownedBy("apps/v1", "ReplicaSet")), do: remove, refused: noWait},
		{name: "a stuck pod in kube-system", namespace: metav1.NamespaceSystem, given: stuck(), do: remove,
			refused: "regcred deletes no pod in a protected namespace"},
		{name: "all stuck pods of a namespace at once", given: stuck(), do: removeAll, refused: "regcred deletes pods one by one"},
		{name: "a stuck pod by force", given: stuck(), do: removeNow, refused: "regcred forces no pod's deletion"},
	}
}

func podUpdateAttempts() []attempt {
	const (
		onlyUpdates = "regcred creates no pod, uses no subresource of a pod and touches no pod in a protected namespace"
		onlyDigests = "regcred changes the image of a container only from X to X@sha256:<digest>"
		onlyWaiting = "regcred changes the image only of a container that waits for it"
		onlyImages  = "regcred changes nothing of a pod but an image"
	)
	digest := "sha256:" + strings.Repeat("0a", 32)
	running := pod(ownedBy("apps/v1", "ReplicaSet"), container("web", runs))
	gated := pod(func(p *corev1.Pod) {
		p.Spec.NodeName, p.Spec.SchedulingGates = "", []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
	})
	return []attempt{
		// Ending the wait of a container by the digest of the same image.
		{name: "the digest of the image that a container waits for", given: stuck(), do: setImage("web", image+"@"+digest)},
		{name: "the digest in a bare pod", given: pod(container("web", waits("ErrImagePull"))), do: setImage("web", image+"@"+digest)},
		{name: "the digest of the image that an init container waits for", given: pod(ownedBy("batch/v1", "Job"),
			initContainer("init", nil, waits("ImagePullBackOff")), container("web", waits("PodInitializing"))), do: setImage("init", image+"@"+digest)},
		{name: "an update that changes nothing", given: stuck(), do: setImage("web", image)},

		// What a stolen token might be used for.
		{name: "another image", given: stuck(), do: setImage("web", "evil.example/miner:1"), refused: onlyDigests},
		{name: "another tag", given: stuck(), do: setImage("web", "registry.company.io/shop/web:2"), refused: onlyDigests},
		{name: "the digest of another image", given: stuck(), do: setImage("web", "evil.example/miner@"+digest), refused: onlyDigests},
		{name: "something longer than a digest", given: stuck(), do: setImage("web", image+"@"+digest+"0a"), refused: onlyDigests},
		{name: "another digest", given: stuck(func(p *corev1.Pod) { p.Spec.Containers[0].Image = image + "@" + digest }),
			do: setImage("web", image+"@sha256:"+strings.Repeat("0b", 32)), refused: onlyDigests},
		{name: "the image of a container that runs", given: running, do: setImage("web", image+"@"+digest), refused: onlyWaiting},
		{name: "the image of a container that runs beside one that waits", given: stuck(container("sidecar", runs)), do: setImage("sidecar", image+"@"+digest), refused: onlyWaiting},
		{name: "the image of an init container that is done", given: stuck(initContainer("init", nil, done)), do: setImage("init", image+"@"+digest), refused: onlyWaiting},
		{name: "a label, which would take the pod into a Service", given: stuck(), do: patch(`{"metadata":{"labels":{"app":"bank"}}}`), refused: onlyImages},
		{name: "an annotation", given: stuck(), do: patch(`{"metadata":{"annotations":{"note":"x"}}}`), refused: onlyImages},
		{name: "a finalizer", given: stuck(), do: patch(`{"metadata":{"finalizers":["regcred.dev/hold"]}}`), refused: onlyImages},
		{name: "no owner any more", given: stuck(), do: patch(`{"metadata":{"ownerReferences":null}}`), refused: onlyImages},
		{name: "a deadline", given: stuck(), do: patch(`{"spec":{"activeDeadlineSeconds":1}}`), refused: onlyImages},
		{name: "a toleration", given: stuck(), do: patch(`{"spec":{"tolerations":[{"operator":"Exists"}]}}`), refused: onlyImages},
		{name: "no scheduling gate any more", given: gated, do: patch(`{"spec":{"schedulingGates":null}}`), refused: onlyImages},
		{name: "a node selector while the pod is gated", given: gated, do: patch(`{"spec":{"nodeSelector":{"pool":"secret"}}}`), refused: onlyImages},
		{name: "a stuck pod in kube-system", namespace: metav1.NamespaceSystem, given: stuck(), do: setImage("web", image+"@"+digest), refused: onlyUpdates},
		{name: "a new pod", fresh: pod(), do: create, refused: onlyUpdates},
		{name: "the status", given: stuck(), do: subresource("status", `{"status":{"phase":"Failed"}}`), refused: onlyUpdates},
		{name: "a debug container", given: running, do: subresource("ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"debug","image":"evil.example/shell:1"}]}}`), refused: onlyUpdates},
		{name: "the size of a container", given: running, do: subresource("resize", `{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"1m"}}}]}}`), refused: onlyUpdates},
		{name: "an eviction", given: stuck(), do: evict, refused: onlyUpdates},
		{name: "a binding to a node", given: pod(func(p *corev1.Pod) { p.Spec.NodeName = "" }), do: bind, refused: onlyUpdates},
		{name: "a command in a container", given: running, do: connect("exec"), refused: onlyUpdates},
		{name: "a connection to a container", given: running, do: connect("portforward"), refused: onlyUpdates},
	}
}

func removeNow(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.Delete(ctx, object, client.GracePeriodSeconds(0))
}

// setImage updates one container's image in the pod that was looked at.
func setImage(container, image string) func(context.Context, client.Client, client.Object) error {
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

func subresource(name, body string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.SubResource(name).Patch(ctx, object, client.RawPatch("application/strategic-merge-patch+json", []byte(body)))
	}
}

func evict(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.SubResource("eviction").Create(ctx, object, &policyv1.Eviction{})
}

func bind(ctx context.Context, operator client.Client, object client.Object) error {
	return operator.SubResource("binding").Create(ctx, object, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node1"}})
}

// connect opens a stream to a pod. There is no kubelet: the request ends at the API server.
func connect(name string) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, operator client.Client, object client.Object) error {
		return operator.SubResource(name).Create(ctx, object, &corev1.Pod{})
	}
}
