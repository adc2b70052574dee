package integration

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestStuckPods goes through the cures and the cases that are left alone, each in a namespace of its own.
func TestStuckPods(t *testing.T) {
	t.Parallel()
	rig := startRecovery(t)
	for _, kind := range []string{"ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"} {
		t.Run("a pod of a "+kind+" with a stale credential is restarted", func(t *testing.T) { staleCredential(t, rig, kind) })
		t.Run("a pod of a "+kind+" without the reference is restarted", func(t *testing.T) { missingReference(t, rig, kind) })
	}
	cases := []struct {
		name string
		run  func(*testing.T, *recoveryRig)
	}{
		{"rule 35: people are told before at the pod and after at its owner, once", toldOnce},
		{"rule 33: a pod that the credential does not help is not restarted again", notTwice},
		{"rule 21: the pods of a StatefulSet are restarted one at a time", oneOrdinalAtATime},
		{"rule 22: a pod of a Job is never deleted", jobPods},
		{"rule 23: a bare pod is never deleted", barePods},
		{"rule 24: a pod with a running container is never deleted", runningSidecar},
		{"rule 15: a pod with pull secrets of its own is left to people", ownPullSecrets},
		{"rule 31: an image that does not exist is left alone", missingImage},
		{"rule 35: an owner's annotation opts out", optedOutByOwner},
		{"rule 35: mode Report tells and does nothing, and mode Restart then acts", dryMode},
		{"rule 34: a protected namespace is served when it is named outright", protectedNamespace},
		{"rule 25: a pod that ran before is found after a change", runningPods},
		{"rule 27: a kubelet that gives no cause is looked up in the events", oldKubelet},
		{"the pods that are stuck are counted", counted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig) })
	}
}

func staleCredential(t *testing.T, rig *recoveryRig, kind string) {
	p := rig.place(t)
	p.deliver(t, "1")
	awaitNextSecond(t)
	awaitNextSecond(t) // a pod of the second after the change may have missed it
	pod := p.pod(t, p.owner(t, kind))
	if len(pod.Spec.ImagePullSecrets) != 1 {
		t.Fatalf("the pod should have inherited the pull secret, it has %v", pod.Spec.ImagePullSecrets)
	}
	rig.expect(t, "Wait/JudgingCredential", func() { rig.hangs(t, pod, authFailed) })
	p.accept(t)
	rig.expect(t, "Report/CredentialDidNotHelp", func() { rig.hangs(t, pod, authFailed+", again") })
	if rig.restarted(t, pod) {
		t.Fatal("the pod was restarted, though it had the credential from the start")
	}
	awaitNextSecond(t)
	p.publish(t, "2")
	rig.awaitRestart(t, pod)
}

func missingReference(t *testing.T, rig *recoveryRig, kind string) {
	p := rig.place(t)
	pod := p.pod(t, p.owner(t, kind))
	rig.expect(t, "Wait/NotPublished", func() { rig.hangs(t, pod, authFailed) })
	p.publish(t, "1")
	rig.awaitRestart(t, pod)
}

func toldOnce(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	deployment := p.deployment(t)
	set := p.owner(t, "ReplicaSet", func(set client.Object) {
		set.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(deployment, deployment.GroupVersionKind())})
	})
	pod := p.pod(t, set)
	rig.hangs(t, pod, authFailed)
	p.publish(t, "1")
	rig.awaitRestart(t, pod)
	await(t, "the events", func() bool { return len(rig.notes(t, pod)) > 0 && len(rig.notes(t, deployment)) > 0 })
	before, after := rig.notes(t, pod), rig.notes(t, deployment)
	if len(before) != 1 || before[0].Reason != "MissingReference" || before[0].Action != "Restart" || before[0].Type != corev1.EventTypeNormal {
		t.Errorf("at the pod: %+v", before)
	}
	if len(after) != 1 || !strings.Contains(after[0].Note, "pod "+pod.Name) {
		t.Errorf("at the Deployment: %+v", after)
	}
}

func notTwice(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	owner := p.owner(t, "ReplicaSet")
	pod := p.pod(t, owner)
	rig.hangs(t, pod, authFailed)
	p.deliver(t, "1")
	rig.awaitRestart(t, pod)
	awaitNextSecond(t)
	successor := p.pod(t, owner)
	p.accept(t)
	rig.expect(t, "Report/CredentialDidNotHelp", func() { rig.hangs(t, successor, authFailed) })
	// The kubelet goes on trying and writes the status each time: that is no reason to look differently at it.
	for attempt := range 5 {
		rig.hangs(t, successor, fmt.Sprintf("%s, attempt %d", authFailed, attempt))
	}
	await(t, "the event", func() bool { return len(rig.notes(t, successor)) > 0 })
	if notes := rig.notes(t, successor); len(notes) != 1 || rig.restarted(t, successor) {
		t.Errorf("the successor was restarted: %t, events: %+v", rig.restarted(t, successor), notes)
	}
}

func oneOrdinalAtATime(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	set := p.owner(t, "StatefulSet")
	named := func(i int) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.GenerateName, pod.Name = "", fmt.Sprint(set.Name, "-", i) }
	}
	var pods []*corev1.Pod
	for i := range 3 {
		pods = append(pods, p.pod(t, set, named(i)))
		rig.hangs(t, pods[i], authFailed)
	}
	p.publish(t, "1")
	for served := range 3 {
		var restarted []int
		await(t, "the next restart", func() bool {
			restarted = nil
			for i, pod := range pods {
				if pod != nil && rig.restarted(t, pod) {
					restarted = append(restarted, i)
				}
			}
			return len(restarted) > 0
		})
		if served < 2 {
			rig.awaitCount(t, "Wait/OrdinalInProgress")
		}
		if len(restarted) != 1 {
			t.Fatalf("the ordinals %v were restarted at once", restarted)
		}
		i := restarted[0]
		rig.letGo(t, pods[i])
		successor := p.pod(t, set, named(i))
		rig.runs(t, successor)
		pods[i] = nil
	}
}

func jobPods(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	job := p.owner(t, "Job")
	without := p.pod(t, job)
	rig.hangs(t, without, authFailed)
	rig.expect(t, "Report/JobPod", func() { p.deliver(t, "1") })
	with := p.pod(t, job)
	awaitNextSecond(t)
	p.deliver(t, "2")
	rig.expect(t, "Wait/KubeletRetries", func() { rig.hangs(t, with, authFailed) })
	if rig.restarted(t, without) || rig.restarted(t, with) {
		t.Error("a pod of a Job was deleted")
	}
	await(t, "the event", func() bool { return len(rig.notes(t, without)) > 0 })
	if note := rig.notes(t, without)[0]; note.Type != corev1.EventTypeWarning || !strings.Contains(note.Note, "suspend") {
		t.Errorf("people are told %+v", note)
	}
}

func barePods(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	pod := p.pod(t, nil)
	rig.hangs(t, pod, authFailed)
	rig.expect(t, "Report/BarePod", func() { p.deliver(t, "1") })
	if rig.restarted(t, pod) {
		t.Error("a bare pod was deleted")
	}
}

func runningSidecar(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	pod := p.pod(t, p.owner(t, "ReplicaSet"), func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "proxy", Image: "quay.io/proxy:1"})
	})
	rig.hangs(t, pod, authFailed, func(status *corev1.PodStatus) {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{Name: "proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
	})
	rig.expect(t, "Report/ContainerRuns", func() { p.deliver(t, "1") })
	if rig.restarted(t, pod) {
		t.Error("a pod was deleted in which a container runs")
	}
}

func ownPullSecrets(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	owner := p.owner(t, "ReplicaSet", func(object client.Object) {
		templateOf(object).ImagePullSecrets = []corev1.LocalObjectReference{{Name: "old"}}
	})
	pod := p.pod(t, owner, func(pod *corev1.Pod) { pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "old"}} })
	rig.hangs(t, pod, authFailed)
	rig.expect(t, "Report/OwnPullSecrets", func() { p.deliver(t, "1") })
	if rig.restarted(t, pod) {
		t.Error("a pod was restarted that would not get the reference")
	}
}

func missingImage(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	pod := p.pod(t, p.owner(t, "ReplicaSet"))
	rig.expect(t, "Report/ImageNotFound", func() { rig.hangs(t, pod, notFound) })
	// Another pod of the same owner shows when the change has been looked at.
	witness := p.pod(t, p.owner(t, "ReplicaSet"))
	rig.hangs(t, witness, authFailed)
	p.deliver(t, "1")
	rig.awaitRestart(t, witness)
	if rig.restarted(t, pod) {
		t.Error("a pod was restarted whose image does not exist")
	}
}

func optedOutByOwner(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	owner := p.owner(t, "DaemonSet", func(object client.Object) {
		object.SetAnnotations(map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled})
	})
	pod := p.pod(t, owner)
	rig.expect(t, "None/OptedOut", func() { rig.hangs(t, pod, authFailed) })
	p.deliver(t, "1")
	witness := p.pod(t, p.owner(t, "ReplicaSet"), func(pod *corev1.Pod) { pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "regcred"}} })
	rig.hangs(t, witness, authFailed)
	awaitNextSecond(t)
	p.publish(t, "2")
	rig.awaitRestart(t, witness)
	if rig.restarted(t, pod) {
		t.Error("a pod was restarted whose owner opts out")
	}
}

func dryMode(t *testing.T, rig *recoveryRig) {
	p := rig.place(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.PodRecovery = &v1alpha1.PodRecovery{Mode: v1alpha1.RecoveryReport}
	})
	pod := p.pod(t, p.owner(t, "ReplicaSet"))
	rig.hangs(t, pod, authFailed)
	rig.expect(t, "Report/ReportOnly", func() { p.deliver(t, "1") })
	if rig.restarted(t, pod) {
		t.Fatal("a pod was restarted in mode Report")
	}
	await(t, "the change of the mode", func() bool {
		current := &v1alpha1.RegistryCredential{}
		rig.must(t, rig.admin.Get(t.Context(), client.ObjectKeyFromObject(p.credential), current))
		current.Spec.PodRecovery.Mode = v1alpha1.RecoveryRestart
		return rig.admin.Update(t.Context(), current) == nil
	})
	rig.awaitRestart(t, pod)
}

func protectedNamespace(t *testing.T, rig *recoveryRig) {
	everywhere := rig.place(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{"kube-public"}}}}
	})
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "default"}})
	public := &place{rig: rig, name: "kube-public", registry: rigRegistry}
	pod := public.pod(t, public.owner(t, "ReplicaSet"))
	t.Cleanup(func() { _ = rig.admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)) })
	rig.expect(t, "None/ProtectedNamespace", func() { rig.hangs(t, pod, authFailed) })
	everywhere.deliver(t, "1")
	if rig.restarted(t, pod) {
		t.Fatal("a pod was restarted in a protected namespace that a selector selects")
	}
	named := rig.place(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.Namespaces = append(c.Spec.Target.Namespaces, "kube-public")
	})
	named.deliver(t, "1")
	rig.awaitRestart(t, pod)
}

func runningPods(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	p.deliver(t, "1")
	owner := p.owner(t, "ReplicaSet")
	running, witness := p.pod(t, owner), p.pod(t, nil) // nothing is done about a bare pod
	rig.hangs(t, running, authFailed, func(status *corev1.PodStatus) { status.Phase = corev1.PodRunning })
	// That something hangs for want of the old value is what makes the change worth a look at all running pods.
	awaitNextSecond(t)
	rig.hangs(t, witness, authFailed)
	await(t, "the count of stuck pods", func() bool { return rig.tally.Stuck(p.credential.Name) > 0 })
	p.publish(t, "2")
	rig.awaitRestart(t, running)
}

func oldKubelet(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	p.deliver(t, "1")
	pod := p.pod(t, p.owner(t, "ReplicaSet"))
	rig.create(t, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: p.name, Name: pod.Name + ".1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: p.name, Name: pod.Name, UID: pod.UID},
		Reason:         "Failed", Type: corev1.EventTypeWarning, Message: fmt.Sprintf("Failed to pull image %q: %s", rigImage, authFailed),
		LastTimestamp: metav1.Now(),
	})
	rig.hangs(t, pod, "", func(status *corev1.PodStatus) {
		status.ContainerStatuses[0].State = waitsFor("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q", rigImage))
	})
	awaitNextSecond(t)
	p.publish(t, "2")
	rig.awaitRestart(t, pod)
}

func counted(t *testing.T, rig *recoveryRig) {
	p := rig.place(t)
	pod, other := p.pod(t, nil), p.pod(t, nil)
	rig.hangs(t, pod, authFailed)
	rig.hangs(t, other, notFound)
	await(t, "one pod to be counted", func() bool { return rig.tally.Stuck(p.credential.Name) == 1 })
	rig.runs(t, pod)
	await(t, "no pod to be counted", func() bool { return rig.tally.Stuck(p.credential.Name) == 0 })
}
