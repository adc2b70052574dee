package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/test/inmemory"
)

func TestDoctorSeesWhichOwnersTheOperatorMayRead(t *testing.T) {
	const strimzi, kruise = "core.strimzi.io/StrimziPodSet", "apps.kruise.io/CloneSet"
	role := func(groups, resources, verbs, names []string) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ownersRole},
			Rules: []rbacv1.PolicyRule{{APIGroups: groups, Resources: resources, Verbs: verbs, ResourceNames: names}}}
	}
	one := func(text string) []string { return []string{text} }
	for _, test := range []struct {
		name    string
		objects []client.Object
		want    []checkup.Owner
	}{
		{"no kind is listed", []client.Object{shippedPolicy(t, "")}, nil},
		{"there is no policy", nil, nil},
		{"there is no role", []client.Object{shippedPolicy(t, strimzi)}, []checkup.Owner{{Kind: strimzi, Served: true}}},
		{"the role is for it", []client.Object{shippedPolicy(t, strimzi), role(one("core.strimzi.io"), one("strimzipodsets"), one("get"), nil)},
			[]checkup.Owner{{Kind: strimzi, Served: true, Readable: true}}},
		{"the role is the shipped one", []client.Object{shippedPolicy(t, strimzi), role(one("none.regcred.dev"), one("none"), one("get"), nil)},
			[]checkup.Owner{{Kind: strimzi, Served: true}}},
		{"the role is for another resource", []client.Object{shippedPolicy(t, strimzi), role(one("core.strimzi.io"), one("kafkas"), one("get"), nil)},
			[]checkup.Owner{{Kind: strimzi, Served: true}}},
		{"the role has another verb", []client.Object{shippedPolicy(t, strimzi), role(one("core.strimzi.io"), one("*"), one("list"), nil)},
			[]checkup.Owner{{Kind: strimzi, Served: true}}},
		{"the role names one object", []client.Object{shippedPolicy(t, strimzi), role(one("*"), one("*"), one("*"), one("x"))},
			[]checkup.Owner{{Kind: strimzi, Served: true}}},
		{"the cluster does not know a kind", []client.Object{shippedPolicy(t, strimzi+","+kruise), role(one("*"), one("*"), one("*"), nil)},
			[]checkup.Owner{{Kind: strimzi, Served: true, Readable: true}, {Kind: kruise}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			known := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "core.strimzi.io", Version: "v1"}})
			known.Add(schema.GroupVersionKind{Group: "core.strimzi.io", Version: "v1", Kind: "StrimziPodSet"}, meta.RESTScopeNamespace)
			g := &gathering{client: inmemory.ClusterOf(scheme).WithRESTMapper(known).WithObjects(test.objects...).Build()}
			got := g.owners(t.Context())
			if diff := cmp.Diff(test.want, got.Value); diff != "" || got.Error != "" {
				t.Errorf("%s %s", got.Error, diff)
			}
		})
	}
}
