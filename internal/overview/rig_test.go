package overview_test

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type change func(*v1alpha1.RegistryCredential)

// healthy is a RegistryCredential with which all is well, at noon, and then changed.
func healthy(changes ...change) *v1alpha1.RegistryCredential {
	before := metav1.NewTime(noon.Add(-time.Hour))
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "company", Generation: 2, Annotations: map[string]string{v1alpha1.RefreshRequestedAtAnnotation: "now"}},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{"registry.company.io"},
			Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/company"}},
		},
		Status: v1alpha1.RegistryCredentialStatus{
			ObservedGeneration: 2, LastHandledRefresh: "now",
			Credential: &v1alpha1.CredentialStatus{Revision: "7", ChangeTime: &before, ProvenBy: "Pull"},
			Previous:   &v1alpha1.PreviousStatus{Revision: "6", ReplacedTime: &before, Registry: "Accepted"},
			Namespaces: &v1alpha1.NamespacesStatus{Selected: 13, Synced: 13},
			Pods:       &v1alpha1.PodsStatus{},
		},
	}
	for _, f := range append([]change{
		says(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "revision 7 is in all 13 selected namespaces"),
		says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionTrue, v1alpha1.ReasonRead, "the source gives a usable credential"),
		says(v1alpha1.ConditionVerified, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the registry lets the credential pull"),
		says(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonOldAccepted, "revision 6 may be revoked now"),
	}, changes...) {
		f(object)
	}
	return object
}

// says has a condition say something.
func says(kind string, status metav1.ConditionStatus, reason, message string) change {
	return func(object *v1alpha1.RegistryCredential) {
		c := metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(noon.Add(-time.Minute))}
		for i := range object.Status.Conditions {
			if object.Status.Conditions[i].Type == kind {
				object.Status.Conditions[i] = c
				return
			}
		}
		object.Status.Conditions = append(object.Status.Conditions, c)
	}
}

func fails(synced, failed int32, reasons ...string) change {
	return func(object *v1alpha1.RegistryCredential) {
		object.Status.Namespaces.Synced, object.Status.Namespaces.Failed = synced, failed
		for i, reason := range reasons {
			object.Status.Namespaces.Failures = append(object.Status.Namespaces.Failures, v1alpha1.NamespaceFailure{
				Namespace: "team-" + string(rune('a'+i)), Reason: reason, Message: "what to do",
			})
		}
	}
}

func ends(in time.Duration) change {
	return func(object *v1alpha1.RegistryCredential) {
		object.Status.Credential.ExpireTime = ptr.To(metav1.NewTime(noon.Add(in)))
	}
}

func delivering(object *v1alpha1.RegistryCredential) {
	says(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonDelivering, "the value in use is in 5 of 13 namespaces")(object)
}

func stalled(reason string) change {
	return says(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, "a person must act")
}

// unreadable has the source give nothing usable.
func unreadable(reason string) change {
	return says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionFalse, reason, "what to do")
}

// without takes a condition away.
func without(kind string) change {
	return func(object *v1alpha1.RegistryCredential) {
		object.Status.Conditions = slices.DeleteFunc(object.Status.Conditions, func(c metav1.Condition) bool { return c.Type == kind })
	}
}
