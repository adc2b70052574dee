package policycheck

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestJudge(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	forbidden := func(why string) error { return apierrors.NewForbidden(secrets, "x", errors.New(why)) }
	webhook := func(code int32, text string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: metav1.StatusReason(http.StatusText(int(code))), Message: text}}
	}
	const ours = "ValidatingAdmissionPolicy 'regcred-secrets' with binding 'regcred-secrets' denied request: no"
	for _, test := range []struct {
		name string
		err  error
		want Answer
	}{
		{"a probe that would be done", nil, Answer{Kind: Missing}},
		{"a probe that the policy refuses", forbidden(ours), Answer{Kind: Stands}},
		{"a probe that another policy refuses", forbidden("ValidatingAdmissionPolicy 'others' with binding 'b' denied request: no"), Answer{By: "ValidatingAdmissionPolicy others"}},
		{"a probe that another policy refuses, which quotes ours", forbidden("ValidatingAdmissionPolicy 'others' denied request: " + ours), Answer{By: "ValidatingAdmissionPolicy others"}},
		{"a probe that RBAC refuses", forbidden(`User "system:serviceaccount:regcred-system:regcred" cannot create resource "secrets" in API group ""`), Answer{Kind: Inapplicable}},
		{"a probe of an object that is not there", apierrors.NewNotFound(secrets, "x"), Answer{Kind: Inapplicable}},
		{"a probe that a webhook refuses", webhook(403, `admission webhook "validate.kyverno.svc" denied the request: labels`), Answer{By: "admission webhook validate.kyverno.svc"}},
		{"a probe that a webhook refuses as if the object were not there", webhook(404, `admission webhook "w" denied the request: no`), Answer{By: "admission webhook w"}},
		{"a probe that a webhook refuses in the words of our policy", webhook(403, `admission webhook "w" denied the request: x is forbidden: `+ours), Answer{By: "admission webhook w"}},
		{"a probe that a webhook refuses in the words of RBAC", webhook(403, `admission webhook "w" denied the request: x is forbidden: User "u" cannot`), Answer{By: "admission webhook w"}},
		{"a webhook that takes no dry run", webhook(400, `admission webhook "w" does not support dry run`), Answer{By: "admission webhook w"}},
		{"a webhook that does not answer", webhook(500, `Internal error occurred: failed calling webhook "w": timeout`), Answer{By: "admission webhook w"}},
		{"a plugin of the API server that refuses", forbidden("unable to create new content in namespace x because it is being terminated"), Answer{By: "something that gives no name (403 Forbidden)"}},
		{"a quota, which is asked after the policy", forbidden("exceeded quota: q, requested: secrets=1"), Answer{Kind: Missing}},
		{"an API server that is busy", apierrors.NewTooManyRequests("later", 1), Answer{}},
		{"an API server that is broken", apierrors.NewInternalError(errors.New("etcd")), Answer{}},
		{"a token that ran out", apierrors.NewUnauthorized("no"), Answer{}},
		{"an API server that does not answer", errors.New("connection refused"), Answer{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Judge("regcred-secrets", test.err); got != test.want {
				t.Errorf("the answer is %+v, wanted %+v", got, test.want)
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
		{"all stand", State{}, map[string]Answer{"a": {Kind: Stands}, "b": {Kind: Inapplicable}}, stands},
		{"one is missing", stands, map[string]Answer{"a": {Kind: Missing}, "b": {Kind: Stands}}, gone},
		{"one is missing and one is not known", stands, map[string]Answer{"a": {Kind: Missing}, "b": {}}, gone},
		{"one that was missing came back", gone, map[string]Answer{"a": {Kind: Stands}}, stands},
		{"an API server that is away stops no operator", stands, map[string]Answer{"a": {}, "b": {Kind: Stands}}, stands},
		{"an API server that is away opens nothing", gone, map[string]Answer{"a": {}}, gone},
		{"an API server that never answered opens nothing", State{}, map[string]Answer{"a": {}}, State{}},
		{"a webhook that hides two opens nothing", State{}, map[string]Answer{"b": {By: "w"}, "a": {By: "w"}, "c": {Kind: Stands}},
			State{Hidden: []string{"a", "b"}, HiddenBy: []string{"w"}}},
		{"a webhook that hides one stops no operator", stands, map[string]Answer{"a": {By: "w"}}, State{Known: true, Hidden: []string{"a"}, HiddenBy: []string{"w"}}},
		{"a webhook that hides one does not close a case", gone, map[string]Answer{"a": {By: "w"}},
			State{Known: true, Missing: []string{"a"}, Hidden: []string{"a"}, HiddenBy: []string{"w"}}},
		{"a webhook does not hide what is missing", State{}, map[string]Answer{"a": {Kind: Missing}, "b": {By: "w"}},
			State{Known: true, Missing: []string{"a"}, Hidden: []string{"b"}, HiddenBy: []string{"w"}}},
		{"who hides is told also while the API server is away", State{Hidden: []string{"a"}, HiddenBy: []string{"w"}}, map[string]Answer{"a": {}},
			State{Hidden: []string{"a"}, HiddenBy: []string{"w"}}},
		{"only who hides something now is told", State{Hidden: []string{"a"}, HiddenBy: []string{"v"}}, map[string]Answer{"a": {Kind: Stands}, "b": {By: "w"}},
			State{Hidden: []string{"b"}, HiddenBy: []string{"w"}}},
		{"a webhook that exempts the operator hides nothing any more", State{Hidden: []string{"a"}, HiddenBy: []string{"w"}}, map[string]Answer{"a": {Kind: Stands}}, stands},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Decide(test.before, test.answers)); diff != "" {
				t.Errorf("wanted (-) and decided (+):\n%s", diff)
			}
		})
	}
}
