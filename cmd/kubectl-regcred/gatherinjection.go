package main

import (
	"cmp"
	"context"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/injection"
)

// writesWithin is within what time the operator writes the index after a change, by far.
const writesWithin = 2 * time.Second

// injection compares the InjectionIndex with what the RegistryCredentials ask for. Where they differ it looks a second time: the operator may
// be writing.
func (g *gathering) injection(ctx context.Context, clockOff time.Duration) checkup.Answer[checkup.Injection] {
	found, err := g.lookAtIndex(ctx, clockOff)
	if err == nil && found.Exists && !found.AsMeant {
		select {
		case <-ctx.Done():
		case <-time.After(writesWithin):
		}
		found, err = g.lookAtIndex(ctx, clockOff)
	}
	if err == nil && found.Asking > 0 {
		g.lookAtPolicy(ctx, &found)
	}
	return answered(err, "the InjectionIndex", found)
}

func (g *gathering) lookAtIndex(ctx context.Context, clockOff time.Duration) (checkup.Injection, error) {
	var credentials v1alpha1.RegistryCredentialList
	if err := g.client.List(ctx, &credentials); err != nil {
		return checkup.Injection{}, err
	}
	meant := injection.Build(credentials.Items)
	found := checkup.Injection{Asking: len(meant.Served), LeftOut: meant.LeftOut(), Bytes: meant.Bytes, Limit: injection.MaxIndex}
	var index v1alpha1.InjectionIndex
	err := g.client.Get(ctx, client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return found, nil
	}
	found.Exists, found.Empty = err == nil, len(index.Spec.Secrets) == 0
	found.AsMeant = equality.Semantic.DeepEqual(index.Spec, meant.Spec)
	if changed := injection.ChangedAt(&index); !changed.IsZero() {
		found.Age = time.Since(changed) - clockOff
	}
	return found, err
}

// lookAtPolicy notes what keeps the policy from working.
func (g *gathering) lookAtPolicy(ctx context.Context, found *checkup.Injection) {
	policy, binding := &admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{}
	key := client.ObjectKey{Name: v1alpha1.InjectionPolicy}
	policyErr, bindingErr := g.client.Get(ctx, key, policy), g.client.Get(ctx, key, binding)
	switch err := cmp.Or(policyErr, bindingErr); {
	case err == nil, apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		state := injection.Judge(injection.State{}, policy, policyErr, binding, bindingErr)
		if state.Fault != "" {
			found.Fault, found.Remedy = state.Fault, state.Remedy()
		}
	case apierrors.IsForbidden(err):
		found.PolicyUnread = "you may not read MutatingAdmissionPolicies"
	default:
		found.PolicyUnread = "read MutatingAdmissionPolicies: " + foreign.Message(err.Error())
	}
}
