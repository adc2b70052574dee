package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// settleOfRemovals is how long losses are gathered before a removal is decided.
	settleOfRemovals = 30 * time.Second
	// recoveryDelay is how long a stuck pod may wait for its restart once the Secret is right: a question to the registry, and the
	// turns of its neighbours.
	recoveryDelay = 15 * time.Second
)

// runApps has a pod run in each namespace, and one of the other registry in some.
func (r *tenantRun) runApps(t *testing.T) {
	t.Helper()
	r.push(t, "shop/app:1")
	for i, namespace := range r.teams {
		r.runApp(t, r.app(namespace, r.registry.Basic))
		if i < 3 {
			r.runApp(t, r.app(namespace, r.registry.Token))
		}
	}
}

func (r *tenantRun) runApp(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), pod))
	pod.Status.Phase = corev1.PodRunning
	vaultMust(t, r.admin.Status().Update(t.Context(), pod))
}

func (r *tenantRun) app(namespace, registry string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "app-"},
		Spec: corev1.PodSpec{
			NodeName: "node-of-" + namespace, AutomountServiceAccountToken: ptr.To(false),
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: v1alpha1.DefaultSecretName}},
			Containers:       []corev1.Container{{Name: "web", Image: registry + "/shop/app:1"}},
		},
	}
}

// makeVictims has a pod hang in each of five namespaces: the next password cures it, once the registry was asked about its image.
func (r *tenantRun) makeVictims(t *testing.T) []*corev1.Pod {
	t.Helper()
	var victims []*corev1.Pod
	for _, namespace := range r.teams[:5] {
		labels := map[string]string{"app": "web"}
		set := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "web-"},
			Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(labels)},
		}
		vaultMust(t, r.admin.Create(t.Context(), set))
		pod := r.app(namespace, r.registry.Basic)
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		vaultMust(t, r.admin.Create(t.Context(), pod))
		pod.Status.Phase = corev1.PodPending
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: waitsFor("ErrImagePull", fmt.Sprintf(refusedPull, pod.Spec.Containers[0].Image))}}
		vaultMust(t, r.admin.Status().Update(t.Context(), pod))
		victims = append(victims, pod)
	}
	awaitNextSecond(t) // a pod of the second of the change counts as one that had the new value
	return victims
}

// awaitVictims waits until all of them were restarted.
func (r *tenantRun) awaitVictims(t *testing.T, victims []*corev1.Pod) {
	t.Helper()
	for _, pod := range victims {
		awaitWithin(t, recoveryDelay, func(ctx context.Context) error {
			var now corev1.Pod
			err := r.admin.Get(ctx, client.ObjectKeyFromObject(pod), &now)
			if client.IgnoreNotFound(err) != nil || err == nil && now.DeletionTimestamp == nil {
				return fmt.Errorf("pod %s/%s was not restarted: %w", pod.Namespace, pod.Name, err)
			}
			return nil
		})
	}
}

// shrink has a credential lose most of its namespaces while the tenant claims to hold it, too: that waits for a person.
func (r *tenantRun) shrink(t *testing.T) {
	t.Helper()
	object, err := r.read(t.Context(), "shrinking")
	vaultMust(t, err)
	before := object.DeepCopy()
	object.Spec.Target.Namespaces = object.Spec.Target.Namespaces[:2]
	vaultMust(t, r.admin.Patch(t.Context(), object, client.MergeFrom(before)))
	for i := range r.credentials {
		if one := &r.credentials[i]; one.name == object.Name {
			one.selected = one.selected[:1]
		}
	}
	awaitWithin(t, settleOfRemovals+statusPatience, func(ctx context.Context) error {
		object, err := r.read(ctx, object.Name)
		if err == nil && object.Status.PendingRemoval == nil {
			err = fmt.Errorf("no removal waits for a person: %+v", object.Status.Namespaces)
		}
		return err
	})
}

// leave deletes a credential: the namespaces lose its entry, whatever the tenant claims.
func (r *tenantRun) leave(t *testing.T) {
	t.Helper()
	at := len(r.credentials) - 1
	gone := r.credentials[at]
	r.credentials = r.credentials[:at]
	vaultMust(t, r.admin.Delete(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: gone.name}}))
	awaitWithin(t, settleOfRemovals+statusPatience, func(context.Context) error {
		for _, namespace := range gone.holding {
			if r.secrets.holds(namespace, gone.registry) {
				return fmt.Errorf("namespace %s holds the entry of %s", namespace, gone.name)
			}
		}
		return nil
	})
}
