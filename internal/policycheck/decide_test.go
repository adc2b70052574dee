package policycheck

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestJudge(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	for _, test := range []struct {
		name string
		err  error
		want Answer
	}{
		{"a probe that would be done", nil, Missing},
		{"a probe that the policy refuses", apierrors.NewForbidden(secrets, "x", errors.New("ValidatingAdmissionPolicy 'regcred-secrets' with binding 'regcred-secrets' denied request: no")), Stands},
		{"a probe that another policy refuses", apierrors.NewForbidden(secrets, "x", errors.New("ValidatingAdmissionPolicy 'others' denied request: no")), Inapplicable},
		{"a probe that RBAC refuses", apierrors.NewForbidden(secrets, "x", errors.New("User cannot create")), Inapplicable},
		{"a probe of an object that is not there", apierrors.NewNotFound(secrets, "x"), Inapplicable},
		{"an API server that is busy", apierrors.NewTooManyRequests("later", 1), Unknown},
		{"an API server that does not answer", errors.New("connection refused"), Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Judge("regcred-secrets", test.err); got != test.want {
				t.Errorf("the answer is %d, wanted %d", got, test.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	stands, gone := State{Known: true}, State{Known: true, Missing: []string{"a"}}
	for _, test := range []struct {
		name    string
		before  State
		answers map[string]Answer
		want    State
	}{
		{"all stand", State{}, map[string]Answer{"a": Stands, "b": Inapplicable}, stands},
		{"one is missing", stands, map[string]Answer{"a": Missing, "b": Stands}, gone},
		{"one is missing and one is not known", stands, map[string]Answer{"a": Missing, "b": Unknown}, gone},
		{"one that was missing came back", gone, map[string]Answer{"a": Stands}, stands},
		{"an API server that is away stops no operator", stands, map[string]Answer{"a": Unknown, "b": Stands}, stands},
		{"an API server that is away opens nothing", gone, map[string]Answer{"a": Unknown}, gone},
		{"an API server that never answered opens nothing", State{}, map[string]Answer{"a": Unknown}, State{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Decide(test.before, test.answers)); diff != "" {
				t.Errorf("wanted (-) and decided (+):\n%s", diff)
			}
		})
	}
}
