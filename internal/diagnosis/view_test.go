package diagnosis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestAViewHoldsWhatADiagnosisNeedsAndNoMore: what a pod holds beyond that stays in memory with its View, for each pod of the cluster.
func TestAViewHoldsWhatADiagnosisNeedsAndNoMore(t *testing.T) {
	yes, always := true, corev1.ContainerRestartPolicyAlways
	env := []corev1.EnvVar{{Name: "A", Value: "large"}}
	mounted := []corev1.VolumeMount{{Name: "model", MountPath: "/model"}, {Name: "scratch", MountPath: "/tmp"}}
	volumes := []corev1.Volume{
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "quay.io/model:1", PullPolicy: corev1.PullAlways}}},
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "large"}}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "denied"}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}
	owners := []metav1.OwnerReference{{Kind: "Other", Name: "o"}, {APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "u2", Controller: &yes}}
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "prod", Name: "web-1", UID: "u1", ResourceVersion: "5", CreationTimestamp: metav1.NewTime(noon), DeletionTimestamp: &metav1.Time{Time: noon},
			Labels: map[string]string{"large": "label"}, OwnerReferences: owners, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "large"}},
			Annotations: map[string]string{v1alpha1.PodRecoveryAnnotation: "Disabled", v1alpha1.AttachAnnotation: "Disabled", corev1.MirrorPodAnnotationKey: "x", "other": "large"},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-1", ServiceAccountName: "default", Volumes: volumes,
			ImagePullSecrets:    []corev1.LocalObjectReference{{Name: "a"}, {Name: "b"}, {Name: "a"}},
			InitContainers:      []corev1.Container{{Name: "mesh", Image: "quay.io/mesh:1", RestartPolicy: &always, Env: env, VolumeMounts: mounted}},
			Containers:          []corev1.Container{{Name: "web", Image: image, Env: env, VolumeMounts: mounted}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "quay.io/debug:1", Env: env, VolumeMounts: mounted}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, Message: "large",
			InitContainerStatuses:      []corev1.ContainerStatus{{Name: "mesh", State: runs, ImageID: "large"}},
			ContainerStatuses:          []corev1.ContainerStatus{{Name: "web", State: waits, RestartCount: 2, LastTerminationState: ended}},
			EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "debug", State: ended}},
		},
	}
	kept := []corev1.VolumeMount{{Name: "model"}}
	want := &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "prod", Name: "web-1", UID: "u1", ResourceVersion: "5", CreationTimestamp: metav1.NewTime(noon), DeletionTimestamp: &metav1.Time{Time: noon},
			OwnerReferences: owners[1:],
			Annotations:     map[string]string{v1alpha1.PodRecoveryAnnotation: "Disabled", v1alpha1.AttachAnnotation: "Disabled", corev1.MirrorPodAnnotationKey: "x"},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-1", ServiceAccountName: "default",
			Volumes:             []corev1.Volume{{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "quay.io/model:1"}}}},
			ImagePullSecrets:    []corev1.LocalObjectReference{{Name: "a"}, {Name: "b"}},
			InitContainers:      []corev1.Container{{Name: "mesh", Image: "quay.io/mesh:1", RestartPolicy: &always, VolumeMounts: kept}},
			Containers:          []corev1.Container{{Name: "web", Image: image, VolumeMounts: kept}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "quay.io/debug:1", VolumeMounts: kept}}},
		},
		Status: corev1.PodStatus{
			Phase:                 corev1.PodPending,
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "mesh", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", State: waits, RestartCount: 2,
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}},
			EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "debug"}},
		},
	}
	view := View(pod)
	if diff := cmp.Diff(want, view); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(view, View(view)); diff != "" {
		t.Errorf("a View of a View is another one: %s", diff)
	}
}

// TestAViewHasBoundsAndShowsWhatExceedsThem: one thing more than is looked at is kept, so that the pod is seen to be too large.
func TestAViewHasBoundsAndShowsWhatExceedsThem(t *testing.T) {
	long := strings.Repeat("x", 5000)
	large := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AttachAnnotation: long}}}
	var mounted []corev1.VolumeMount
	for i := range 100 {
		name := fmt.Sprint(i, long)
		large.Spec.Volumes = append(large.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("v", i), VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: name}}})
		mounted = append(mounted, corev1.VolumeMount{Name: "v0"})
		large.Spec.Containers = append(large.Spec.Containers, corev1.Container{Name: name, Image: name})
		large.Spec.InitContainers = append(large.Spec.InitContainers, corev1.Container{Name: name, Image: name})
		large.Spec.EphemeralContainers = append(large.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: name}})
		large.Spec.ImagePullSecrets = append(large.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		large.Status.ContainerStatuses = append(large.Status.ContainerStatuses, waiting(name, long, long))
	}
	large.Spec.Containers[0].VolumeMounts = mounted
	view := View(large)
	spec := &view.Spec
	for what, sizes := range map[string][2]int{
		"containers":             {len(spec.Containers), 65},
		"init containers":        {len(spec.InitContainers), 65},
		"ephemeral containers":   {len(spec.EphemeralContainers), 65},
		"statuses":               {len(view.Status.ContainerStatuses), 65},
		"pull secrets":           {len(spec.ImagePullSecrets), 17},
		"image volumes":          {len(spec.Volumes), 17},
		"mounts":                 {len(spec.Containers[0].VolumeMounts), 17},
		"an image":               {len(spec.Containers[0].Image), 513},
		"an init image":          {len(spec.InitContainers[0].Image), 513},
		"an ephemeral image":     {len(spec.EphemeralContainers[0].Image), 513},
		"the image of a volume":  {len(spec.Volumes[0].Image.Reference), 513},
		"a name":                 {len(spec.Containers[0].Name), 512},
		"an ephemeral name":      {len(spec.EphemeralContainers[0].Name), 512},
		"the name of a Secret":   {len(spec.ImagePullSecrets[0].Name), 512},
		"the name of a status":   {len(view.Status.ContainerStatuses[0].Name), 512},
		"a reason":               {len(view.Status.ContainerStatuses[0].State.Waiting.Reason), 512},
		"a kubelet's message":    {len(view.Status.ContainerStatuses[0].State.Waiting.Message), 4096},
		"an annotation":          {len(view.Annotations[v1alpha1.AttachAnnotation]), 512},
		"what fits is not cut":   {len(cut("12345", 5)), 5},
		"nor is a short pod":     {len(View(&corev1.Pod{}).Spec.Containers), 0},
		"without an annotation":  {len(View(&corev1.Pod{}).Annotations), 0},
		"volumes of other sorts": {len(View(&corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "x"}}}}).Spec.Volumes), 0},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s: %d, want %d", what, sizes[0], sizes[1])
		}
	}
}

func TestWhatIsJustSmallEnoughIsLookedAt(t *testing.T) {
	volumes := func(count int) change {
		return func(f *Facts) {
			for i := range count {
				f.Pod.Spec.Volumes = append(f.Pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint(i), VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "quay.io/x:1"}}})
			}
		}
	}
	secrets := func(count int) change {
		return func(f *Facts) {
			for i := range count {
				f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint(i)})
			}
		}
	}
	containers := func(count int) change {
		return func(f *Facts) {
			f.Pod.Spec.InitContainers = make([]corev1.Container, count)
		}
	}
	ephemeral := func(count int) change {
		return func(f *Facts) { f.Pod.Spec.EphemeralContainers = make([]corev1.EphemeralContainer, count) }
	}
	longImage := func(size int) change {
		return func(f *Facts) { f.Pod.Spec.Containers[0].Image = host + "/" + strings.Repeat("a", size-len(host)-1) }
	}
	check(t, []rule{
		{"16 image volumes", []change{volumes(16)}, Restart, StaleCredential},
		{"17 are too many", []change{volumes(17)}, Report, TooLarge},
		{"16 pull secrets", []change{secrets(15)}, Restart, StaleCredential},
		{"17 are too many", []change{secrets(16)}, Report, TooLarge},
		{"64 init containers", []change{containers(64)}, Restart, StaleCredential},
		{"65 are too many", []change{containers(65)}, Report, TooLarge},
		{"64 ephemeral containers", []change{ephemeral(64)}, Restart, StaleCredential},
		{"65 are too many", []change{ephemeral(65)}, Report, TooLarge},
		{"512 bytes may be an image", []change{longImage(512)}, Report, NoCredential},
		{"513 are none", []change{longImage(513)}, Report, InvalidImageName},
	})
	for name, test := range map[string]struct {
		change change
		says   string
	}{
		"containers":    {containers(65), "the pod has more than 64 containers of a sort: it is too large to look at, and is left alone"},
		"image volumes": {volumes(17), "the pod has more than 16 image volumes: it is too large to look at, and is left alone"},
		"pull secrets":  {secrets(17), "the pod refers to more than 16 pull secrets: it is too large to look at, and is left alone"},
		"a Secret": {secret("regcred", func(s *Secret) { s.TooLarge = true }),
			"Secret regcred has more than 500 entries or 256 KiB, or its namespace more Secrets than are kept: it is too large to look at, and is left alone"},
		"two things: the first is said": {func(f *Facts) {
			containers(65)(f)
			secret("regcred", func(s *Secret) { s.TooLarge = true })(f)
		}, "the pod has more than 64 containers of a sort: it is too large to look at, and is left alone"},
	} {
		if verdict := Diagnose(stuck(test.change)); verdict.Message != test.says || verdict.Advice != "use fewer of them" {
			t.Errorf("%s: %q, %q", name, verdict.Message, verdict.Advice)
		}
	}
}
