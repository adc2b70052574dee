package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/preview"
)

const (
	// secretsPolicy and accountsPolicy bound what the operator writes. Their variables have the names of the limits that its flags have, too.
	secretsPolicy, accountsPolicy = "regcred-secrets", "regcred-serviceaccounts"
	secretNamesVariable           = "secretNames"
	accountNamesVariable          = "serviceAccountNames"
	protectedVariable             = "protectedNamespaces"
)

// splitText is how a policy holds a list of the limits.
var splitText = regexp.MustCompile(`^'([^']*)'\.split\(','\)$`)

// listIn is a list of the limits in a variable of a policy, empty where somebody changed the policy by hand.
func listIn(policy *admissionv1.ValidatingAdmissionPolicy, variable string) []string {
	for _, v := range policy.Spec.Variables {
		if found := splitText.FindStringSubmatch(v.Expression); v.Name == variable && found != nil && found[1] != "" {
			return strings.Split(found[1], ",")
		}
	}
	return nil
}

// readLimits learns from the admission policies what the operator may write. Where they may not or cannot be read, the shipped protected namespaces
// are assumed, and no name is known to be refused.
func (l *look) readLimits(ctx context.Context) (preview.Limits, error) {
	limits := preview.Limits{Protected: slices.Clone(protected), Own: l.operator}
	secrets, err := l.policy(ctx, secretsPolicy)
	if err != nil || secrets == nil {
		return limits, err
	}
	limits.SecretNames = listIn(secrets, secretNamesVariable)
	if named := listIn(secrets, protectedVariable); len(named) > 0 {
		limits.Protected = named
	} else {
		l.note("The policy " + secretsPolicy + " does not say which namespaces are protected, as far as this version of the plugin can read it: those are assumed that regcred is shipped with.")
	}
	accounts, err := l.policy(ctx, accountsPolicy)
	if err != nil || accounts == nil {
		return limits, err
	}
	limits.ServiceAccountNames = listIn(accounts, accountNamesVariable)
	return limits, nil
}

// policy reads an admission policy, nil where it is not there or may not be read.
func (l *look) policy(ctx context.Context, name string) (*admissionv1.ValidatingAdmissionPolicy, error) {
	var policy admissionv1.ValidatingAdmissionPolicy
	switch err := l.reader.Get(ctx, client.ObjectKey{Name: name}, &policy); {
	case apierrors.IsForbidden(err):
		l.note("You may not read the policy " + name + ": whether the operator may write these names, and which namespaces are protected, is not known.")
		return nil, nil
	case apierrors.IsNotFound(err):
		l.note("There is no policy " + name + ": which namespaces are protected is not known. See: kubectl regcred doctor")
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read policy %s: %w", name, err)
	}
	return &policy, nil
}
