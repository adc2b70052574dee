package recovery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
)

// everything is a pod with all that a diagnosis may look at, and more.
func everything() *corev1.Pod {
	const image = "registry.example.com/shop/model:1"
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: `failed to pull image "` + image + `": 401 Unauthorized`}}
	mounts := []corev1.VolumeMount{{Name: "model", MountPath: "/model"}, {Name: "data", MountPath: "/data"}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "prod", Name: "web-1", UID: "u", ResourceVersion: "7", CreationTimestamp: metav1.NewTime(start), DeletionTimestamp: ptr.To(metav1.NewTime(start.Add(time.Hour))),
			Labels:          map[string]string{"app": "web"},
			Annotations:     map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled, corev1.MirrorPodAnnotationKey: "m", "other": "x"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "r", Controller: ptr.To(true)}},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-1", ServiceAccountName: "builder", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}},
			InitContainers: []corev1.Container{{Name: "init", Image: image, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}}}},
			Containers:     []corev1.Container{{Name: "web", Image: "quay.io/web:1", VolumeMounts: mounts, Command: []string{"web"}}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debug", Image: "quay.io/debug:1", VolumeMounts: mounts}}},
			Volumes: []corev1.Volume{
				{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image}}},
				{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
		Status: corev1.PodStatus{
			Phase:                      corev1.PodPending,
			InitContainerStatuses:      []corev1.ContainerStatus{{Name: "init", State: waiting}},
			ContainerStatuses:          []corev1.ContainerStatus{{Name: "web", State: waiting, ContainerID: "c"}},
			EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "debug", State: waiting}},
		},
	}
}

func TestAStrippedPodIsDiagnosedLikeAWholeOne(t *testing.T) {
	full := everything()
	in, err := stripPod(full.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	stripped := in.(*corev1.Pod)
	if diff := cmp.Diff(diagnosis.Pulls(full), diagnosis.Pulls(stripped)); diff != "" || len(diagnosis.Pulls(full)) != 3 {
		t.Errorf("the failing pulls differ: %s", diff)
	}
	for _, change := range []func(*corev1.Pod){
		func(*corev1.Pod) {},
		func(p *corev1.Pod) { p.DeletionTimestamp = nil },
		func(p *corev1.Pod) { p.DeletionTimestamp, p.Annotations = nil, nil },
	} {
		whole, less := full.DeepCopy(), stripped.DeepCopy()
		change(whole)
		change(less)
		one, other := diagnosis.Diagnose(diagnosis.Facts{Now: start, Pod: whole}), diagnosis.Diagnose(diagnosis.Facts{Now: start, Pod: less})
		if one.Action != other.Action || one.Reason != other.Reason || one.Message != other.Message {
			t.Errorf("%s (%s) and %s (%s)", one.Action, one.Reason, other.Action, other.Reason)
		}
	}
	if stripped.ResourceVersion != "7" || stripped.UID != "u" || stripped.Spec.NodeName != "node-1" || metav1.GetControllerOf(stripped) == nil ||
		diagnosis.Pulling(stripped) != 2 || len(stripped.Spec.ImagePullSecrets) != 1 {
		t.Errorf("something is missing: %+v", stripped)
	}
	if stripped.Spec.InitContainers[0].Env != nil || stripped.Labels != nil || stripped.ManagedFields != nil || len(stripped.Annotations) != 2 || len(stripped.Spec.Volumes) != 1 {
		t.Errorf("something is left that nobody needs: %+v", stripped)
	}
}

func TestAnOwnerIsStrippedToItsOptOut(t *testing.T) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "r", Annotations: map[string]string{
		corev1.LastAppliedConfigAnnotation: "everything", v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled}}}
	if _, err := stripOwner(object); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(object.Annotations, map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled}) || object.UID != "r" {
		t.Errorf("left is %+v", object)
	}
}
