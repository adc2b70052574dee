package diagnosis

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/foreign"
)

// injectedSidecars are the names under which well-known tools put a container into other people's pods: Istio, Linkerd, Kuma, Consul, Dapr,
// Vault's agent injector, OpenTelemetry's operator. The policy regcred-pod-delete has the same list.
var injectedSidecars = []string{"istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane", "daprd", "vault-agent", "otc-container"}

// sidecars are the names of the containers that only serve the others: init containers that go on, and those that well-known tools inject.
func sidecars(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.InitContainers {
		if policy := pod.Spec.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			names = append(names, pod.Spec.InitContainers[i].Name)
		}
	}
	for i := range pod.Spec.Containers {
		if slices.Contains(injectedSidecars, pod.Spec.Containers[i].Name) {
			names = append(names, pod.Spec.Containers[i].Name)
		}
	}
	return names
}

// neverStarted is the name of a container, no sidecar, that waits and never ran. A pod with one was never Ready: all its containers must
// be.
func neverStarted(pod *corev1.Pod, sidecars []string) string {
	for i := range pod.Spec.Containers {
		name := pod.Spec.Containers[i].Name
		status := statusOf(pod.Status.ContainerStatuses, name)
		if slices.Contains(sidecars, name) || status == nil || status.State.Waiting == nil {
			continue
		}
		if status.RestartCount == 0 && status.LastTerminationState.Terminated == nil {
			return name
		}
	}
	return ""
}

// onlySidecars says why a pod in which containers run loses nothing by a restart, empty where it may. It must lack a reference: where it
// has one the kubelet pulls again, and nobody need stop anything.
func (d *diagnosis) onlySidecars(running []string) string {
	helpers := sidecars(d.Pod)
	waits := neverStarted(d.Pod, helpers)
	lacks := slices.ContainsFunc(d.findings, func(f Finding) bool { return !f.Referenced })
	if waits == "" || !lacks || slices.ContainsFunc(running, func(name string) bool { return !slices.Contains(helpers, name) }) {
		return ""
	}
	return "only sidecars run (" + foreign.Text(strings.Join(running, ", "), 128) + "), and container " + foreign.Name(waits) +
		" never started, so that the pod was never Ready and loses nothing by a restart"
}
