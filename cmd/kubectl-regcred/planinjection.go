package main

import (
	"cmp"
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/injection"
)

// lookAtInjection notes what keeps the admission policy from adding the Secret to pods.
func (l *look) lookAtInjection(ctx context.Context, c client.Reader) {
	policy, binding := &admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{}
	key := client.ObjectKey{Name: v1alpha1.InjectionPolicy}
	policyErr, bindingErr := c.Get(ctx, key, policy), c.Get(ctx, key, binding)
	switch err := cmp.Or(policyErr, bindingErr); {
	case err == nil, apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		if fault := injection.Judge(injection.State{}, policy, policyErr, binding, bindingErr).Message(); fault != "" {
			l.note(fault)
		}
	default:
		l.note("Whether the admission policy that adds the Secret to pods is in effect could not be read: " + foreign.Message(err.Error()))
	}
}
