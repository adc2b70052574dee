package injection

import (
	"context"
	"encoding/json"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	registrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Look reads policy and binding. The role of config/injection allows it. Without that role the API server refuses the read also where it has no
// such policies, so it is asked which kinds it serves.
func Look(registration registrationv1.AdmissionregistrationV1Interface) func(ctx context.Context, before State) State {
	return func(ctx context.Context, before State) State {
		policy, policyErr := registration.MutatingAdmissionPolicies().Get(ctx, v1alpha1.InjectionPolicy, metav1.GetOptions{})
		binding, bindingErr := registration.MutatingAdmissionPolicyBindings().Get(ctx, v1alpha1.InjectionPolicy, metav1.GetOptions{})
		if apierrors.IsForbidden(policyErr) && !mayServe(ctx, registration) {
			policyErr = &meta.NoKindMatchError{GroupKind: admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy").GroupKind()}
		}
		return Judge(before, policy, policyErr, binding, bindingErr)
	}
}

// mayServe is false where the API server lists its kinds, as it does for everybody, and the policy's is not among them.
func mayServe(ctx context.Context, registration registrationv1.AdmissionregistrationV1Interface) bool {
	answer, err := registration.RESTClient().Get().AbsPath("/apis", admissionv1.SchemeGroupVersion.String()).
		SetHeader("Accept", "application/json").DoRaw(ctx)
	var kinds metav1.APIResourceList
	if err != nil || json.Unmarshal(answer, &kinds) != nil || len(kinds.APIResources) == 0 {
		return true // not known
	}
	return slices.ContainsFunc(kinds.APIResources, func(r metav1.APIResource) bool { return r.Name == "mutatingadmissionpolicies" })
}
