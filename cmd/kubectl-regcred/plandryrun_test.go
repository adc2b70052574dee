package main

import (
	"net/http"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// What admission refuses and what a person may not do have the same code and the same reason.
func TestWhatAdmissionRefusesIsNotTakenForAMissingRight(t *testing.T) {
	const missing = `registrycredentials.regcred.dev is forbidden: User "admission-team" cannot create resource "registrycredentials" in API group "regcred.dev" at the cluster scope`
	for _, test := range []struct {
		name, message string
		mayWrite      bool
		reviewed      bool
		refused       bool
	}{
		{"a policy", `registrycredentials.regcred.dev "company" is forbidden: ValidatingAdmissionPolicy 'ours' with binding 'ours' denied request: no`, true, true, true},
		{"a webhook", `admission webhook "ours" denied the request: no`, true, true, true},
		{"a quota", `registrycredentials.regcred.dev "company" is forbidden: exceeded quota`, true, true, true},
		{"a missing right", missing, false, true, false},
		{"an API server that does not say what one may do", missing, false, false, true},
	} {
		for _, exists := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				s := &apiServer{answers: func(w http.ResponseWriter, r *http.Request) bool {
					switch {
					case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") && test.reviewed:
						answer(w, http.StatusCreated, &authorizationv1.SelfSubjectAccessReview{TypeMeta: metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: "authorization.k8s.io/v1"},
							Status: authorizationv1.SubjectAccessReviewStatus{Allowed: test.mayWrite}})
					case r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/registrycredentials"):
						if r.URL.Query().Get("dryRun") != "All" {
							t.Errorf("it would write: %s", r.URL)
						}
						refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, test.message)
					default:
						return false
					}
					return true
				}}
				c, err := s.start(t).client()
				if err != nil {
					t.Fatal(err)
				}
				var before *v1alpha1.RegistryCredential
				after := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}
				if exists {
					before = &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company", ResourceVersion: "1"}}
				}
				l := &look{reader: c}
				err = l.dryRun(t.Context(), c, before, after)
				if (err != nil) != test.refused || err != nil && !strings.Contains(err.Error(), test.message) || (len(l.sorted()) == 1) == test.refused {
					t.Errorf("it ends with %v and notes %q", err, l.sorted())
				}
			})
		}
	}
}
