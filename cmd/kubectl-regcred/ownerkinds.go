package main

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/foreign"
)

const (
	// deletePolicy limits which pods the operator deletes. Its variable ownerKindsVariable has the kinds of the limits that its flag has, too.
	deletePolicy, ownerKindsVariable = "regcred-pod-delete", "ownerKinds"
)

// readOwnerKinds learns from the operator's admission policy which kinds of custom resources recreate pods, where it matters for one of these.
func (l *look) readOwnerKinds(ctx context.Context, pods []corev1.Pod) error {
	asked := ""
	for i := range pods {
		if ref := metav1.GetControllerOf(&pods[i]); ref != nil && strings.Contains(ref.APIVersion, ".") {
			asked = ref.Kind
			break
		}
	}
	if asked == "" {
		return nil
	}
	var policy admissionv1.ValidatingAdmissionPolicy
	err := l.reader.Get(ctx, client.ObjectKey{Name: deletePolicy}, &policy)
	switch {
	case apierrors.IsForbidden(err):
		l.note("You may not read the policy " + deletePolicy + ": whether regcred restarts pods of " + foreign.Name(asked) + " and other custom resources is not known.")
		return nil
	case err != nil:
		return client.IgnoreNotFound(fmt.Errorf("read policy %s: %w", deletePolicy, err))
	}
	l.owners.Chosen = ownerKindsIn(&policy)
	return nil
}

// ownerKindsIn are the kinds that a policy lists. One that cannot be read is none: somebody changed the policy by hand.
func ownerKindsIn(policy *admissionv1.ValidatingAdmissionPolicy) diagnosis.OwnerKinds {
	kinds, err := diagnosis.ParseOwnerKinds(listIn(policy, ownerKindsVariable))
	if err != nil {
		return nil
	}
	return kinds
}
