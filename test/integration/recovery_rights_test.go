package integration

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRepullNeedsARight: an operator that may not patch pods says so at the RegistryCredential and at every pod that misses this
// cure, whichever it tried first, and takes the next best one.
func TestRepullNeedsARight(t *testing.T) {
	t.Parallel()
	registry := startRegistry(t)
	rig := startRecovery(t, registry.prober, withoutPatch(t))
	p := rig.place(t, registry.here, repulls)
	p.deliver(t, "1")
	image := registry.image("shop/web")
	set := p.owner(t, "ReplicaSet")
	owned, bare, second := p.pod(t, set, ofImage(image)), p.pod(t, nil, ofImage(image)), p.pod(t, nil, ofImage(image))
	rig.hangs(t, owned, authFailed)
	rig.hangs(t, bare, authFailed)
	rig.hangs(t, second, authFailed)
	awaitNextSecond(t)
	p.publish(t, "2")
	rig.awaitRestart(t, owned)
	for _, object := range []client.Object{p.credential, bare, second} {
		await(t, "an event about "+object.GetName(), func() bool {
			for _, note := range rig.notes(t, object) {
				if note.Reason == "ActionForbidden" && strings.Contains(note.Note, "podRecovery.repull is not available") {
					return true
				}
			}
			return false
		})
	}
	for _, pod := range []*corev1.Pod{bare, second} {
		if now := rig.get(t, pod); now.Spec.Containers[0].Image != image || rig.restarted(t, pod) {
			t.Errorf("pod %s was touched: its image is %s", pod.Name, now.Spec.Containers[0].Image)
		}
	}
}

// withoutPatch gives the controller a user that may do everything to pods but patch them.
func withoutPatch(t *testing.T) func(*recoveryRig, *curing) {
	return func(rig *recoveryRig, controller *curing) {
		t.Helper()
		rig.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "pods"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "delete"}},
			{APIGroups: []string{"apps"}, Resources: []string{"*"}, Verbs: []string{"get"}}}})
		rig.create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "pods"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "pods"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "careful"}}})
		config := rest.CopyConfig(rig.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: "careful"}
		writer, err := client.New(config, client.Options{Scheme: rig.scheme})
		rig.must(t, err)
		controller.writer = writer
	}
}
