package pullsecret

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestApplier(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string, after time.Duration) metav1.ManagedFieldsEntry {
		e := metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, Time: &metav1.Time{Time: time.Unix(0, 0).Add(after)}, FieldsV1: &metav1.FieldsV1{}}
		e.FieldsV1.SetRawBytes([]byte(fields))
		return e
	}
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	const openShift = "openshift.io/image-registry-pull-secrets_service-account-controller"
	const list = `{"f:imagePullSecrets":{},"f:metadata":{"f:labels":{}}}`
	for _, test := range []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		{"nobody wrote it", nil, ""},
		{"a chart that is applied", []metav1.ManagedFieldsEntry{entry("helm", apply, list, 0)}, "helm"},
		{"one who only updates meets no conflict", []metav1.ManagedFieldsEntry{entry("kubectl-edit", update, list, 0)}, ""},
		{"one who applies other fields", []metav1.ManagedFieldsEntry{entry("helm", apply, `{"f:metadata":{"f:annotations":{"f:imagePullSecrets":{}}},"f:secrets":{}}`, 0)}, ""},
		{"regcred itself", []metav1.ManagedFieldsEntry{entry("regcred", apply, list, 0)}, ""},
		{"of two the latest", []metav1.ManagedFieldsEntry{entry("argocd-controller", apply, list, time.Hour), entry("helm", apply, list, 0)}, "argocd-controller"},
		{"an updater beside the applier", []metav1.ManagedFieldsEntry{entry("kubectl-edit", update, list, time.Hour), entry("helm", apply, list, 0)}, "helm"},
		{"one that keeps what others write, as OpenShift's", []metav1.ManagedFieldsEntry{entry(openShift, apply, list, 0)}, ""},
		{"one that does not, beside one that does", []metav1.ManagedFieldsEntry{entry(openShift, apply, list, time.Hour), entry("helm", apply, list, 0)}, "helm"},
		{"fields that are no JSON", []metav1.ManagedFieldsEntry{entry("helm", apply, `{"f:imagePullSecrets"`, 0)}, ""},
		{"no fields", []metav1.ManagedFieldsEntry{{Manager: "helm", Operation: apply}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Applier(test.fields, "imagePullSecrets"); got != test.want {
				t.Errorf("%q applies it, want %q", got, test.want)
			}
		})
	}
}
