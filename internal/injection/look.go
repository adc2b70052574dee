package injection

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	registrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Look reads policy and binding. The role of config/injection allows it.
func Look(registration registrationv1.AdmissionregistrationV1Interface) func(ctx context.Context, before State) State {
	return func(ctx context.Context, before State) State {
		policy, policyErr := registration.MutatingAdmissionPolicies().Get(ctx, v1alpha1.InjectionPolicy, metav1.GetOptions{})
		binding, bindingErr := registration.MutatingAdmissionPolicyBindings().Get(ctx, v1alpha1.InjectionPolicy, metav1.GetOptions{})
		return Judge(before, policy, policyErr, binding, bindingErr)
	}
}
