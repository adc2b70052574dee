package integration

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testPeople gives each role to somebody and looks at what they may do.
func testPeople(t *testing.T, c *installation) {
	t.Run("no role is added to view, edit or admin", func(t *testing.T) {
		var roles rbacv1.ClusterRoleList
		if err := c.admin.List(t.Context(), &roles, client.MatchingLabels{"app.kubernetes.io/part-of": "regcred"}); err != nil {
			t.Fatal(err)
		}
		if len(roles.Items) < 5 {
			t.Fatalf("%d ClusterRoles are installed, want the operator's, three for people and one for metrics", len(roles.Items))
		}
		for _, role := range roles.Items {
			for _, to := range []string{"view", "edit", "admin"} {
				if _, aggregated := role.Labels["rbac.authorization.k8s.io/aggregate-to-"+to]; aggregated {
					t.Errorf("ClusterRole %s is added to %s", role.Name, to)
				}
			}
		}
	})
	for _, role := range []string{"regcred-connection-admin", "regcred-credential-editor", "regcred-viewer"} {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "test-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "holder-of-" + role}},
		}
		if err := c.admin.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
		t.Run(role, func(t *testing.T) {
			testReviews(t, c, "holder-of-"+role, []string{"system:authenticated"}, peopleReviews(role))
		})
	}
}

// testManagerPod makes a pod from the Deployment's template in the operator's namespace, without keeping it.
func testManagerPod(t *testing.T, c *installation) {
	template := shippedDeployment(t, c).Spec.Template
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "probe"}, Spec: template.Spec}
	if err := c.admin.Create(t.Context(), p.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("must be admitted, and is not: %v", err)
	}
	p.Spec.Containers = slices.Clone(p.Spec.Containers)
	p.Spec.Containers[0].SecurityContext = nil
	if err := c.admin.Create(t.Context(), p, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("the namespace must refuse a container that may escalate privileges, and answers: %v", err)
	}
}
