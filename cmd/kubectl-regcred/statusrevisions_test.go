package main

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// The people of many namespaces can name as many revisions.
func TestThatRevisionsAreNotShownIsSaid(t *testing.T) {
	for secrets, want := range map[int]string{10: "", 12: "Revisions in the pull Secrets that are not shown: 2, each in no more namespaces than those that are."} {
		var objects []client.Object
		for i := range secrets {
			sources := pullsecret.Sources{"company": {Revision: fmt.Sprint(i), Keys: []string{"r.example"}}}
			objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("n", i), Name: "regcred", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
				Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()}}})
		}
		var r recorded
		found, note, err := (&status{client: r.client(objects...)}).revisions(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}, "9")
		if err != nil || note != want || len(found) != 10 || !found[0].InUse {
			t.Errorf("of %d: %q, %d, %v", secrets, note, len(found), err)
		}
	}
}
