// Package injection looks whether the admission policy stands that adds pull Secrets to pods, for spec.target.attach: Pods. The API server
// carries it out, so the operator can only see whether it is there.
package injection

import (
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// Install says how the policy is installed.
	Install = "set injection.enabled=true in the values of the chart. Without the chart, run: kubectl apply -k config/injection"
	// Instead says what to do where it cannot be installed.
	Instead = "set spec.target.attach to ServiceAccounts or None, or upgrade Kubernetes"
	// Shorten says what to do where the index is full.
	Shorten = "select by a label instead of by many names, or set spec.target.attach to ServiceAccounts"
)

// State of the policy as far as it is known. The zero value knows nothing.
type State struct {
	// Known is true once the API server answered.
	Known bool
	// Fault says what is missing. Empty where the policy stands.
	Fault string
	// Unserved says that the API server has no such policies, so that it cannot be installed.
	Unserved bool
	// Full says that the InjectionIndex has no room.
	Full bool
	// Unseen says that the fault is one of the operator alone, which could not look or write: what new pods got before they may get all the
	// time.
	Unseen bool
	// Since is a time before which new pods did not get the Secret, by the API server's clock: then the policy, its binding, or what the
	// InjectionIndex holds was created. Zero where that is not known.
	Since time.Time
}

// Standing reports whether new pods get their pull Secrets.
func (s State) Standing() bool { return s.Known && s.Fault == "" }

// Message tells people what is missing and what to do. Empty where nothing is known to be missing.
func (s State) Message() string {
	if s.Fault == "" {
		return ""
	}
	return "spec.target.attach is Pods, and new pods get the pull Secret only where their ServiceAccount still names it, because " + s.Fault + ": " + s.Remedy()
}

// Remedy says what to do about a fault.
func (s State) Remedy() string {
	switch {
	case s.Unserved:
		return Instead
	case s.Full:
		return Shorten
	}
	return Install
}

// Judge says what the answers to a look at policy and binding mean. A right to look that is not there counts as missing: the role comes
// with the policy. Where the API server did not answer, the state stays as it was.
func Judge(before State, policy *admissionv1.MutatingAdmissionPolicy, policyErr error, binding *admissionv1.MutatingAdmissionPolicyBinding, bindingErr error) State {
	for _, looked := range []struct {
		kind string
		err  error
	}{{"MutatingAdmissionPolicy", policyErr}, {"MutatingAdmissionPolicyBinding", bindingErr}} {
		switch {
		case unserved(looked.err):
			return State{Known: true, Unserved: true, Fault: "the API server does not serve " + looked.kind + " of admissionregistration.k8s.io/v1, as Kubernetes does from 1.36 on"}
		case apierrors.IsNotFound(looked.err):
			return State{Known: true, Fault: fmt.Sprintf("%s %s is not there", looked.kind, v1alpha1.InjectionPolicy)}
		case apierrors.IsForbidden(looked.err):
			return State{Known: true, Unseen: true, Fault: fmt.Sprintf("the role %s, with which the operator sees the policy, is not there", v1alpha1.InjectionPolicy)}
		case looked.err != nil:
			return before
		}
	}
	since := policy.CreationTimestamp.UTC()
	if bound := binding.CreationTimestamp.UTC(); bound.After(since) {
		since = bound
	}
	return State{Known: true, Fault: fault(policy, binding), Since: since}
}

// unserved reports whether the API server has no such kind: it then answers with a 404 of its own, not with one about the object.
func unserved(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// fault says why policy and binding are not those of config/injection. Who narrows their match on purpose is not contradicted.
func fault(policy *admissionv1.MutatingAdmissionPolicy, binding *admissionv1.MutatingAdmissionPolicyBinding) string {
	kind, ref := policy.Spec.ParamKind, binding.Spec.ParamRef
	switch {
	case policy.DeletionTimestamp != nil || binding.DeletionTimestamp != nil:
		return "the policy is being deleted"
	case kind == nil || kind.APIVersion != v1alpha1.GroupVersion.String() || kind.Kind != "InjectionIndex":
		return "MutatingAdmissionPolicy " + v1alpha1.InjectionPolicy + " does not read the InjectionIndex of " + v1alpha1.GroupVersion.String()
	case policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy != admissionv1.Ignore:
		return "failurePolicy of MutatingAdmissionPolicy " + v1alpha1.InjectionPolicy + " is not Ignore, and pods of namespaces that are not selected are refused"
	case binding.Spec.PolicyName != v1alpha1.InjectionPolicy:
		return "MutatingAdmissionPolicyBinding " + v1alpha1.InjectionPolicy + " binds another policy"
	case ref == nil || ref.Selector == nil && ref.Name != v1alpha1.InjectionIndexName:
		return "MutatingAdmissionPolicyBinding " + v1alpha1.InjectionPolicy + " does not refer to the InjectionIndex " + v1alpha1.InjectionIndexName
	}
	return ""
}
