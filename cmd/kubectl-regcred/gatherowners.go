package main

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/checkup"
)

// ownersRole lets the operator read owners of the kinds that its limits list.
const ownersRole = "regcred-owners"

// owners are the kinds of custom resources whose pods the operator is to restart, and whether it may read them.
func (g *gathering) owners(ctx context.Context) checkup.Answer[[]checkup.Owner] {
	var policy admissionv1.ValidatingAdmissionPolicy
	if err := g.client.Get(ctx, client.ObjectKey{Name: deletePolicy}, &policy); err != nil {
		return answered[[]checkup.Owner](client.IgnoreNotFound(err), "ValidatingAdmissionPolicies", nil) // its absence is the check Policies'
	}
	kinds := ownerKindsIn(&policy)
	if len(kinds) == 0 {
		return checkup.Answer[[]checkup.Owner]{}
	}
	var role rbacv1.ClusterRole
	if err := g.client.Get(ctx, client.ObjectKey{Name: ownersRole}, &role); err != nil && !apierrors.IsNotFound(err) {
		return answered[[]checkup.Owner](err, "ClusterRoles", nil)
	}
	var found []checkup.Owner
	for _, kind := range kinds {
		owner := checkup.Owner{Kind: kind.Group + "/" + kind.Kind}
		mapping, err := g.client.RESTMapper().RESTMapping(schema.GroupKind{Group: kind.Group, Kind: kind.Kind})
		if err != nil && !meta.IsNoMatchError(err) {
			return answered[[]checkup.Owner](err, "the kinds that the API server knows", nil)
		}
		if err == nil {
			owner.Served, owner.Readable = true, mayGet(role.Rules, mapping.Resource)
		}
		found = append(found, owner)
	}
	return checkup.Answer[[]checkup.Owner]{Value: found}
}

// mayGet reports whether rules allow to get all objects of a resource.
func mayGet(rules []rbacv1.PolicyRule, resource schema.GroupVersionResource) bool {
	has := func(list []string, one string) bool {
		return slices.Contains(list, one) || slices.Contains(list, rbacv1.ResourceAll)
	}
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return has(rule.APIGroups, resource.Group) && has(rule.Resources, resource.Resource) && has(rule.Verbs, "get") && len(rule.ResourceNames) == 0
	})
}
