package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"regcred.dev/regcred/api/v1alpha1"
)

// A group of others whose server is away is in the list of all groups, and nothing is known of it.
func TestAGroupOfOthersThatDoesNotAnswerKeepsNobodyFromAnAnswer(t *testing.T) {
	const regcred = "/apis/regcred.dev/v1alpha1"
	for _, test := range []struct {
		name  string
		lacks []string
		says  string
		finds string
	}{
		{"regcred is there", nil, "company", "the API server knows RegistryCredential and VaultConnection"},
		{"regcred is not there", []string{regcred}, "regcred is not installed here", "the API server does not know RegistryCredential and VaultConnection"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &apiServer{lacks: test.lacks}
			s.answers = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case strings.HasPrefix(r.URL.Path, "/apis/metrics.k8s.io"):
					refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request")
				case r.URL.Path == "/apis":
					groups := s.groups()
					one := metav1.GroupVersionForDiscovery{GroupVersion: "metrics.k8s.io/v1beta1", Version: "v1beta1"}
					groups.Groups = append(groups.Groups, metav1.APIGroup{Name: "metrics.k8s.io", Versions: []metav1.GroupVersionForDiscovery{one}, PreferredVersion: one})
					answer(w, http.StatusOK, groups)
				default:
					return false
				}
				return true
			}
			if test.lacks == nil {
				s.objects = map[string]runtime.Object{regcred + "/registrycredentials": &v1alpha1.RegistryCredentialList{Items: []v1alpha1.RegistryCredential{*requested("now")}},
					regcred + "/vaultconnections": &v1alpha1.VaultConnectionList{}}
			}
			var out bytes.Buffer
			if err := (&status{access: s.start(t)}).run(t.Context(), &out, nil); err != nil {
				out.WriteString(err.Error())
			}
			if !strings.Contains(out.String(), test.says) {
				t.Error(out.String())
			}
			var findings bytes.Buffer
			err := (&doctor{access: s.start(t), output: "text", operator: "regcred-system"}).run(t.Context(), &findings, &out)
			if exitCode(err) != exitProblem || !strings.Contains(findings.String(), test.finds) {
				t.Errorf("%v: %s", err, findings.String())
			}
		})
	}
}
