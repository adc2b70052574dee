package named

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestOfManagedFieldsThoseOfOthersAreKept(t *testing.T) {
	fields := func(managers ...string) (all []metav1.ManagedFieldsEntry) {
		for _, name := range managers {
			all = append(all, metav1.ManagedFieldsEntry{Manager: name})
		}
		return all
	}
	for _, test := range []struct {
		name         string
		before, want []metav1.ManagedFieldsEntry
	}{
		{"the operator alone", fields(v1alpha1.FieldManager, v1alpha1.FieldManager), nil},
		{"a tool beside it", fields("helm", v1alpha1.FieldManager, "kubectl"), fields("helm", "kubectl")},
		{"nobody", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			stripped, err := stripOwnFields(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: test.before}})
			if err != nil {
				t.Fatal(err)
			}
			got := stripped.(*corev1.Secret).ManagedFields
			if len(got) != len(test.want) {
				t.Fatalf("%+v is kept, want %+v", got, test.want)
			}
			for i := range got {
				if got[i].Manager != test.want[i].Manager {
					t.Errorf("%s is kept, want %s", got[i].Manager, test.want[i].Manager)
				}
			}
		})
	}
	if other, err := stripOwnFields("a tombstone"); err != nil || other != "a tombstone" {
		t.Errorf("%v, %v", other, err)
	}
}
