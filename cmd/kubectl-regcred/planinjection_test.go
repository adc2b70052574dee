package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/inmemory"
)

func TestAPlanTellsWhatKeepsPodsFromTheirSecret(t *testing.T) {
	name := metav1.ObjectMeta{Name: v1alpha1.InjectionPolicy}
	policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: name}
	policy.Spec.FailurePolicy = new(admissionv1.Ignore)
	policy.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "InjectionIndex"}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: name}
	binding.Spec.PolicyName, binding.Spec.ParamRef = v1alpha1.InjectionPolicy, &admissionv1.ParamRef{Name: v1alpha1.InjectionIndexName}
	for _, test := range []struct {
		name    string
		objects []client.Object
		err     error
		want    string
	}{
		{name: "the policy stands", objects: []client.Object{policy, binding}},
		{name: "the policy is not installed", want: "MutatingAdmissionPolicy regcred-injection is not there"},
		{name: "its binding is not there", objects: []client.Object{policy}, want: "MutatingAdmissionPolicyBinding regcred-injection is not there"},
		{name: "the API server is too old for it", err: &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "MutatingAdmissionPolicy"}},
			want: "the API server does not serve MutatingAdmissionPolicy of admissionregistration.k8s.io/v1"},
		{name: "it may not be read", err: apierrors.NewForbidden(admissionv1.Resource("mutatingadmissionpolicies"), name.Name, errors.New("no")), want: "could not be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := inmemory.ClusterOf(scheme).WithObjects(test.objects...).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
					if test.err != nil {
						return test.err
					}
					return c.Get(ctx, key, into, options...)
				}}).Build()
			l := &look{}
			l.lookAtInjection(t.Context(), c)
			notes := strings.Join(l.sorted(), " ")
			if !strings.Contains(notes, test.want) || (notes == "") != (test.want == "") {
				t.Errorf("it notes %q", notes)
			}
		})
	}
}
