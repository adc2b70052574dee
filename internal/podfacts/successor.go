package podfacts

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// podTemplate reads the pod template of an owner, nil where its kind has none, and the volumes that a StatefulSet adds to it.
func (o *Owners) podTemplate(ctx context.Context, objects client.Reader, namespace string, ref *metav1.OwnerReference) (*corev1.PodTemplateSpec, []corev1.PersistentVolumeClaim, error) {
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	if !slices.Contains(OwnerKinds, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)) {
		return o.customTemplate(ctx, objects, key, ref)
	}
	switch ref.Kind {
	case "ReplicaSet":
		var owner appsv1.ReplicaSet
		err := objects.Get(ctx, key, &owner)
		return &owner.Spec.Template, nil, err
	case "StatefulSet":
		var owner appsv1.StatefulSet
		err := objects.Get(ctx, key, &owner)
		return &owner.Spec.Template, owner.Spec.VolumeClaimTemplates, err
	case "DaemonSet":
		var owner appsv1.DaemonSet
		err := objects.Get(ctx, key, &owner)
		return &owner.Spec.Template, nil, err
	case "ReplicationController":
		var owner corev1.ReplicationController
		err := objects.Get(ctx, key, &owner)
		return owner.Spec.Template, nil, err
	case "Job":
		var owner batchv1.Job
		err := objects.Get(ctx, key, &owner)
		return &owner.Spec.Template, nil, err
	}
	return nil, nil, nil
}

// customTemplate reads what most kinds of custom resources that make pods have alike: spec.template, and for some volumeClaimTemplates.
func (o *Owners) customTemplate(ctx context.Context, objects client.Reader, key client.ObjectKey, ref *metav1.OwnerReference) (*corev1.PodTemplateSpec, []corev1.PersistentVolumeClaim, error) {
	if !o.Chosen.Has(ref.APIVersion, ref.Kind) {
		return nil, nil, nil
	}
	kind, err := o.versioned(ref)
	if err != nil {
		return nil, nil, err
	}
	owner := &unstructured.Unstructured{}
	owner.SetGroupVersionKind(kind)
	if err := objects.Get(ctx, key, owner); err != nil {
		return nil, nil, err
	}
	var read struct {
		Spec struct {
			Template             corev1.PodTemplateSpec         `json:"template"`
			VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
		} `json:"spec"`
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(owner.Object, &read)
	if err != nil || len(read.Spec.Template.Spec.Containers) == 0 {
		return nil, nil, nil //nolint:nilerr // its spec.template is something else than a pod template
	}
	return &read.Spec.Template, read.Spec.VolumeClaimTemplates, nil
}

// revisionLabels are what controllers add to the labels of a template. Policies may select by them.
var revisionLabels = []string{appsv1.ControllerRevisionHashLabelKey, appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel, appsv1.DefaultDeploymentUniqueLabelKey}

// Successor is the pod that the controller of a pod would create in its place, from its template as it is now, fit for a dry run. It is nil
// where the pod has no controller of a known kind, or that one has no pod template.
func (o *Owners) Successor(ctx context.Context, objects client.Reader, pod *corev1.Pod) (*corev1.Pod, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return nil, nil
	}
	template, claims, err := o.podTemplate(ctx, objects, pod.Namespace, ref)
	if err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", ref.Kind, pod.Namespace, ref.Name, err)
	}
	if template == nil {
		return nil, nil
	}
	successor := &corev1.Pod{Spec: *template.Spec.DeepCopy()}
	successor.Namespace, successor.GenerateName = pod.Namespace, ref.Name+"-"
	successor.Labels, successor.Annotations, successor.Finalizers = maps.Clone(template.Labels), template.Annotations, template.Finalizers
	for _, label := range revisionLabels {
		if value, ok := pod.Labels[label]; ok {
			if successor.Labels == nil {
				successor.Labels = map[string]string{}
			}
			successor.Labels[label] = value
		}
	}
	// Without blockOwnerDeletion, which asks for a right to the owner where OwnerReferencesPermissionEnforcement is on.
	successor.OwnerReferences = []metav1.OwnerReference{{APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, UID: ref.UID, Controller: ptr.To(true)}}
	for _, claim := range claims {
		successor.Spec.Volumes = append(withoutVolume(successor.Spec.Volumes, claim.Name), corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + pod.Name}}})
	}
	return successor, nil
}

// withoutVolume: a StatefulSet's claim takes the place of a volume of that name.
func withoutVolume(volumes []corev1.Volume, name string) []corev1.Volume {
	var kept []corev1.Volume
	for _, volume := range volumes {
		if volume.Name != name {
			kept = append(kept, volume)
		}
	}
	return kept
}
