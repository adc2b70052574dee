package main

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/supportbundle"
)

const (
	// operatorLease is the lease of the operator's leader.
	operatorLease = "regcred.dev"
	// renewWithin is within what time a leader renews its lease, by far.
	renewWithin = 3 * time.Second
)

// gathering reads what is known of an installation with the rights of whoever calls.
type gathering struct {
	client    client.Client
	config    *rest.Config
	namespace string
	now       func() time.Time
	// server is the API server's version, empty where it does not say.
	server string
}

func (g *gathering) facts(ctx context.Context) (checkup.Facts, error) {
	f := checkup.Facts{Namespace: g.namespace}
	var err error
	if f.Kinds, err = g.kinds(); err != nil {
		return f, err
	}
	f.Missing, f.ClockOff = g.missing(ctx), g.askServer(ctx, g.config)
	f.Deployments = g.deployments(ctx)
	f.Lease = g.lease(ctx)
	f.Policies, f.Bindings, f.Owners = g.policies(ctx), g.bindings(ctx), g.owners(ctx)
	var connections v1alpha1.VaultConnectionList
	err = g.client.List(ctx, &connections)
	f.Connections = answered(err, "VaultConnections", connections.Items)
	var credentials v1alpha1.RegistryCredentialList
	err = g.client.List(ctx, &credentials)
	f.Credentials = answered(err, "RegistryCredentials", credentials.Items)
	f.Injection = g.injection(ctx, f.ClockOff.Value)
	f.Denied = g.denied(ctx)
	return f, nil
}

// answered is a value, or why it is not known.
func answered[T any](err error, what string, value T) checkup.Answer[T] {
	switch {
	case err == nil:
		return checkup.Answer[T]{Value: value}
	case apierrors.IsForbidden(err):
		return checkup.Answer[T]{Error: "you may not read " + what}
	case meta.IsNoMatchError(err):
		return checkup.Answer[T]{Error: "the API server does not know " + what}
	}
	return checkup.Answer[T]{Error: fmt.Sprintf("read %s: %v", what, err)}
}

// kinds asks the API server which kinds it knows, which everybody may.
func (g *gathering) kinds() ([]string, error) {
	var known []string
	for _, kind := range []string{"RegistryCredential", "VaultConnection"} {
		_, err := g.client.RESTMapper().RESTMapping(schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: kind}, v1alpha1.GroupVersion.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask the API server which kinds it knows: %w", err)
		}
		known = append(known, kind)
	}
	return known, nil
}

func (g *gathering) deployments(ctx context.Context) checkup.Answer[[]checkup.Deployment] {
	var list appsv1.DeploymentList
	err := g.client.List(ctx, &list, client.InNamespace(g.namespace), client.MatchingLabels{"app.kubernetes.io/name": "regcred"})
	var found []checkup.Deployment
	for i := range list.Items {
		object := &list.Items[i]
		d := checkup.Deployment{Name: object.Name, Wanted: 1, Available: object.Status.AvailableReplicas, Version: object.Labels["app.kubernetes.io/version"]}
		if object.Spec.Replicas != nil {
			d.Wanted = *object.Spec.Replicas
		}
		for _, container := range object.Spec.Template.Spec.Containers {
			d.Images, d.Flags = append(d.Images, foreign.Name(container.Image)), append(d.Flags, supportbundle.Flags(container.Args)...)
			for _, variable := range container.Env {
				d.Environment = append(d.Environment, foreign.Name(variable.Name))
			}
		}
		found = append(found, d)
	}
	return answered(err, "Deployments in namespace "+g.namespace, found)
}

// lease looks a second time where clocks seem to say that the lease is not renewed: they may differ.
func (g *gathering) lease(ctx context.Context) checkup.Answer[checkup.Lease] {
	first, err := g.readLease(ctx)
	found := leaseFacts(first, g.now())
	if err == nil && found.Holder != "" && (found.Age < 0 || found.Age > found.Lasts) {
		select {
		case <-ctx.Done():
		case <-time.After(renewWithin):
		}
		var second *coordinationv1.Lease
		second, err = g.readLease(ctx)
		found = leaseFacts(second, g.now())
		found.Renewed = first.ResourceVersion != second.ResourceVersion
	}
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return answered(err, "Leases in namespace "+g.namespace, found)
}

func (g *gathering) readLease(ctx context.Context) (*coordinationv1.Lease, error) {
	var lease coordinationv1.Lease
	err := g.client.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: operatorLease}, &lease)
	return &lease, err
}

func leaseFacts(lease *coordinationv1.Lease, now time.Time) checkup.Lease {
	found := checkup.Lease{Exists: lease.Name != ""}
	if lease.Spec.HolderIdentity != nil {
		found.Holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.LeaseDurationSeconds != nil {
		found.Lasts = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	if lease.Spec.RenewTime != nil {
		found.Age = now.Sub(lease.Spec.RenewTime.Time)
	}
	return found
}

func (g *gathering) policies(ctx context.Context) checkup.Answer[map[string]checkup.Policy] {
	var list admissionv1.ValidatingAdmissionPolicyList
	err := g.client.List(ctx, &list)
	found := map[string]checkup.Policy{}
	for i := range list.Items {
		object := &list.Items[i]
		policy := checkup.Policy{Ignores: object.Spec.FailurePolicy != nil && *object.Spec.FailurePolicy == admissionv1.Ignore}
		if checked := object.Status.TypeChecking; checked != nil {
			for _, warning := range checked.ExpressionWarnings {
				policy.Warnings = append(policy.Warnings, warning.FieldRef+": "+warning.Warning)
			}
		}
		found[object.Name] = policy
	}
	return answered(err, "ValidatingAdmissionPolicies", found)
}

func (g *gathering) bindings(ctx context.Context) checkup.Answer[map[string]checkup.Binding] {
	var list admissionv1.ValidatingAdmissionPolicyBindingList
	err := g.client.List(ctx, &list)
	found := map[string]checkup.Binding{}
	for i := range list.Items {
		binding := checkup.Binding{Policy: list.Items[i].Spec.PolicyName}
		for _, action := range list.Items[i].Spec.ValidationActions {
			binding.Denies = binding.Denies || action == admissionv1.Deny
		}
		found[list.Items[i].Name] = binding
	}
	return answered(err, "ValidatingAdmissionPolicyBindings", found)
}

// needed are the rights that commands of the plugin need, and what grants them.
var needed = []struct {
	checkup.Right
	authorizationv1.ResourceAttributes
}{
	{checkup.Right{What: "list RegistryCredentials", Without: "status does not work", Role: "the ClusterRole regcred-viewer"},
		authorizationv1.ResourceAttributes{Verb: "list", Group: "regcred.dev", Resource: "registrycredentials"}},
	{checkup.Right{What: "patch RegistryCredentials", Without: "refresh does not work", Role: "the ClusterRole regcred-credential-editor, if you are to change them"},
		authorizationv1.ResourceAttributes{Verb: "patch", Group: "regcred.dev", Resource: "registrycredentials"}},
	{checkup.Right{What: "list events in namespace default", Without: "status NAME shows no events", Role: "the ClusterRole view in namespace default"},
		authorizationv1.ResourceAttributes{Verb: "list", Resource: "events", Namespace: metav1.NamespaceDefault}},
	{checkup.Right{What: "list Secrets in all namespaces", Without: "audit, adopt and verify see the Secrets of a namespace of yours alone, with -n, and status NAME does not tell which revision each namespace has", Role: "an administrator, if you are to see the Secrets of all namespaces"},
		authorizationv1.ResourceAttributes{Verb: "list", Resource: "secrets"}},
	{checkup.Right{What: "list pods in all namespaces", Without: "explain works with -n and a namespace of yours alone", Role: "the ClusterRole view, if you are to see all namespaces"},
		authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"}},
}

// denied are the rights that the user lacks. Nearly everybody may ask that.
func (g *gathering) denied(ctx context.Context) checkup.Answer[[]checkup.Right] {
	var denied []checkup.Right
	for _, n := range needed {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &n.ResourceAttributes}}
		if err := g.client.Create(ctx, review); err != nil {
			return checkup.Answer[[]checkup.Right]{Error: "ask the API server whether you may " + n.What + ": " + foreign.Message(err.Error())}
		}
		if !review.Status.Allowed {
			denied = append(denied, n.Right)
		}
	}
	return checkup.Answer[[]checkup.Right]{Value: denied}
}
