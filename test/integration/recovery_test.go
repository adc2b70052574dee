package integration

import (
	"testing"
)

func TestAPodWithAStaleCredentialIsRestarted(t *testing.T) {
	rig := startRecovery(t)
	credential := rig.credential(t)
	namespace := rig.namespace(t, nil)
	rig.publish(t, credential, "1")
	rig.awaitDelivered(t, credential, namespace, "1")
	owner := rig.replicaSet(t, namespace, "web")
	awaitNextSecond(t)
	pod := rig.pod(t, namespace, "web-1", &owner)
	if len(pod.Spec.ImagePullSecrets) != 1 {
		t.Fatalf("the pod should have inherited the pull secret, it has %v", pod.Spec.ImagePullSecrets)
	}
	rig.hangs(t, pod, authFailed)
	rig.awaitVerdict(t, "Report/CredentialDidNotHelp")

	awaitNextSecond(t)
	rig.publish(t, credential, "2")
	rig.awaitRestart(t, pod)
}

func TestAPodWithoutTheReferenceIsRestarted(t *testing.T) {
	rig := startRecovery(t)
	credential := rig.credential(t)
	namespace := rig.namespace(t, nil)
	owner := rig.replicaSet(t, namespace, "web")
	pod := rig.pod(t, namespace, "web-1", &owner)
	rig.hangs(t, pod, authFailed)
	rig.awaitVerdict(t, "Wait/NotPublished")
	rig.publish(t, credential, "1")
	rig.awaitRestart(t, pod)
}
