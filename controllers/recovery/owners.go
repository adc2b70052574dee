package recovery

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// ownerKinds are the kinds whose metadata is in the manager's cache.
var ownerKinds = []schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	corev1.SchemeGroupVersion.WithKind("ReplicationController"),
	batchv1.SchemeGroupVersion.WithKind("Job"),
}

// template reads the pod template of an owner, where the answer can matter: the pod lists pull secrets, which are either its
// template's or come from its ServiceAccount. Few pods do and are stuck, so that templates are not worth a cache.
func (r *Reconciler) template(ctx context.Context, pod *corev1.Pod, ref *metav1.OwnerReference) (*diagnosis.Template, error) {
	if len(pod.Spec.ImagePullSecrets) == 0 {
		return nil, nil
	}
	key := client.ObjectKey{Namespace: pod.Namespace, Name: ref.Name}
	var spec *corev1.PodSpec
	var err error
	switch ref.Kind {
	case "ReplicaSet":
		var owner appsv1.ReplicaSet
		err, spec = r.Writer.Get(ctx, key, &owner), &owner.Spec.Template.Spec
	case "StatefulSet":
		var owner appsv1.StatefulSet
		err, spec = r.Writer.Get(ctx, key, &owner), &owner.Spec.Template.Spec
	case "DaemonSet":
		var owner appsv1.DaemonSet
		err, spec = r.Writer.Get(ctx, key, &owner), &owner.Spec.Template.Spec
	case "ReplicationController":
		var owner corev1.ReplicationController
		if err = r.Writer.Get(ctx, key, &owner); err == nil && owner.Spec.Template != nil {
			spec = &owner.Spec.Template.Spec
		}
	case "Job":
		var owner batchv1.Job
		err, spec = r.Writer.Get(ctx, key, &owner), &owner.Spec.Template.Spec
	}
	if err != nil || spec == nil {
		return nil, client.IgnoreNotFound(err)
	}
	template := &diagnosis.Template{}
	for _, secret := range spec.ImagePullSecrets {
		template.PullSecrets = append(template.PullSecrets, secret.Name)
	}
	return template, nil
}
