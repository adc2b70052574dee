package charttest

import (
	"strings"
	"testing"
)

// all turns on what is optional and has a role, a policy or an object of its own.
const all = `
secretNames: ["*"]
serviceAccountNames: ["*"]
podRecovery: {repull: true, successorFirst: true, ownerKinds: [{group: core.strimzi.io, kind: StrimziPodSet, resource: strimzipodsets}]}
injection: {enabled: true}
namespaceLabels: {enabled: true}
metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}, reader: {namespace: monitoring, name: prometheus}}
`

// TestASwitchHoldsForAllOfItsKind: whoever turns roles off keeps them himself, and does not want those of an option either.
func TestASwitchHoldsForAllOfItsKind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, off string }{
		{"rbac: {create: false}", "Role RoleBinding ClusterRole ClusterRoleBinding"},
		{"serviceAccount: {create: false}\nvault: {createServiceAccounts: false}", "ServiceAccount"},
		{"crds: {enabled: false}", "CustomResourceDefinition"},
		{"networkPolicy: {enabled: false}", "NetworkPolicy"},
		{"podDisruptionBudget: {enabled: false}", "PodDisruptionBudget"},
	} {
		t.Run(test.values, func(t *testing.T) {
			t.Parallel()
			kinds := func(text string) map[string]int {
				counts := map[string]int{}
				for _, o := range parse(t, []byte(text)) {
					kind, _ := o["kind"].(string)
					counts[kind]++
				}
				return counts
			}
			on, err := template(t, image+all)
			if err != nil {
				t.Fatal(err)
			}
			off, err := template(t, image+all, setJSON(t, test.values)...)
			if err != nil {
				t.Fatal(err)
			}
			before, after := kinds(on), kinds(off)
			for kind := range strings.FieldsSeq(test.off) {
				if before[kind] == 0 || after[kind] != 0 {
					t.Errorf("%d of the kind %s, and %d where it is turned off", before[kind], kind, after[kind])
				}
				delete(before, kind)
			}
			for kind := range before {
				if after[kind] != before[kind] {
					t.Errorf("%s is turned off, and instead of %d there are %d of the kind %s", test.values, before[kind], after[kind], kind)
				}
			}
		})
	}
}
