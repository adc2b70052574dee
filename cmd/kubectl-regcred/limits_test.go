package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/internal/preview"
)

// shipped is a policy of config/admission, with a text of it replaced.
func shipped(t *testing.T, file, old, instead string) *admissionv1.ValidatingAdmissionPolicy {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "admission", file))
	if err != nil {
		t.Fatal(err)
	}
	manifest, _, _ := strings.Cut(string(text), "\n---\n")
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	if err := yaml.UnmarshalStrict([]byte(strings.Replace(manifest, old, instead, 1)), policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestPlanLearnsTheLimitsFromThePolicies(t *testing.T) {
	const system = "kube-system,kube-public,kube-node-lease"
	secrets, accounts := shipped(t, "secrets.yaml", "'regcred'.split", "'a,b'.split"), shipped(t, "serviceaccounts.yaml", "'default'.split", "'default,ci'.split")
	for _, test := range []struct {
		name    string
		objects []client.Object
		forbids []string
		want    preview.Limits
		note    string
	}{
		{"as shipped, with more names", []client.Object{secrets, accounts}, nil,
			preview.Limits{SecretNames: []string{"a", "b"}, ServiceAccountNames: []string{"default", "ci"}, Protected: strings.Split(system, ",")}, ""},
		{"with a shorter list of protected namespaces", []client.Object{shipped(t, "secrets.yaml", system, "kube-public"), accounts}, nil,
			preview.Limits{SecretNames: []string{"regcred"}, ServiceAccountNames: []string{"default", "ci"}, Protected: []string{"kube-public"}}, ""},
		{"somebody wrote the list in another way", []client.Object{shipped(t, "secrets.yaml", "'"+system+"'.split(',')", "['kube-public']"), accounts}, nil,
			preview.Limits{SecretNames: []string{"regcred"}, ServiceAccountNames: []string{"default", "ci"}, Protected: strings.Split(system, ",")}, "does not say which namespaces are protected"},
		{"they may not be read", []client.Object{secrets, accounts}, []string{"ValidatingAdmissionPolicy"}, preview.Limits{Protected: strings.Split(system, ",")}, "may not read the policy regcred-secrets"},
		{"they are not there", nil, nil, preview.Limits{Protected: strings.Split(system, ",")}, "There is no policy regcred-secrets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recorded{forbids: test.forbids}
			l := &look{reader: r.client(test.objects...), operator: "regcred-system"}
			got, err := l.readLimits(t.Context())
			test.want.Own = "regcred-system"
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if said := strings.Join(l.sorted(), " "); !strings.Contains(said, test.note) || (test.note == "") != (said == "") {
				t.Errorf("it notes %q", said)
			}
		})
	}
}
