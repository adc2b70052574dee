package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/policycheck"
)

// probeName names what dry runs would make, and marks what they would change.
const probeName = "regcred.dev-probe"

// marked is a change that no policy lets pass.
var marked = client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+probeName+`":"true"}}}`))

// checkPolicies adds what asks for the policies, and tells people what it finds.
func (p *parts) checkPolicies() error {
	return p.Manager.Add(&policycheck.Runner{
		Gate: p.gate, Probes: p.probes(), TooWide: p.tooWide,
		Changed: func(state policycheck.State) {
			p.metrics.PoliciesStand(state.Standing())
			if state.Standing() {
				p.WakeAll() // what was refused by the gate
			}
			var list v1alpha1.VaultConnectionList
			if p.Manager.GetClient().List(context.Background(), &list) != nil {
				return // each connection is looked at once a minute in any case
			}
			for i := range list.Items {
				p.Troubled.Notify(list.Items[i].Name)
			}
		},
	})
}

// unfenced says what people should know of the policies, or nothing while they stand or are not known yet.
func (p *parts) unfenced() string { return policycheck.Message(p.gate.State(), p.gate.Required) }

// probes are requests that the shipped role allows and that nobody but a thief would send. All are dry runs.
func (p *parts) probes() []policycheck.Probe {
	dry := client.NewDryRunClient(p.Writer)
	own := metav1.ObjectMeta{Namespace: p.options.namespace, Name: probeName}
	here := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.options.namespace, Name: podName()}}
	return []policycheck.Probe{
		{Policy: "regcred-secrets", Ask: func(ctx context.Context) error {
			return dry.Apply(ctx, applycorev1.Secret(orDefault(p.options.secretNames, v1alpha1.DefaultSecretName), metav1.NamespaceDefault).
				WithLabels(map[string]string{probeName: "true"}), client.FieldOwner(probeName))
		}},
		{Policy: "regcred-records", Ask: func(ctx context.Context) error { return dry.Create(ctx, &corev1.Secret{ObjectMeta: own}) }},
		{Policy: "regcred-serviceaccounts", Ask: func(ctx context.Context) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
				Namespace: metav1.NamespaceDefault, Name: orDefault(p.options.serviceAccountNames, v1alpha1.DefaultServiceAccount),
			}}
			return dry.Patch(ctx, account, marked)
		}},
		{Policy: "regcred-tokens", Ask: func(ctx context.Context) error {
			return askToken(ctx, p.Clientset, p.options.namespace, orDefault(p.options.vaultAccounts, v1alpha1.DefaultVaultServiceAccount))
		}},
		{Policy: "regcred-leases", Ask: func(ctx context.Context) error { return dry.Create(ctx, &coordinationv1.Lease{ObjectMeta: own}) }},
		{Policy: "regcred-events", Ask: func(ctx context.Context) error {
			return dry.Create(ctx, &eventsv1.Event{
				ObjectMeta: own, EventTime: metav1.NowMicro(), ReportingController: probeName, ReportingInstance: probeName, Action: "Probe",
				Reason: "Probe", Type: corev1.EventTypeNormal, Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: own.Namespace, Name: here.Name},
			})
		}},
		{Policy: "regcred-kinds", Ask: p.askKinds},
		// Our own pod runs: no policy lets it be deleted or changed.
		{Policy: "regcred-pod-delete", Ask: func(ctx context.Context) error { return dry.Delete(ctx, here.DeepCopy()) }},
		{Policy: "regcred-pod-update", Ask: func(ctx context.Context) error { return dry.Patch(ctx, here.DeepCopy(), marked) }},
	}
}

// askKinds would label a RegistryCredential. Where there is none, there is nothing to protect yet.
func (p *parts) askKinds(ctx context.Context) error {
	var list v1alpha1.RegistryCredentialList
	if err := p.Manager.GetClient().List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	name := probeName
	if len(list.Items) > 0 {
		name = list.Items[0].Name
	}
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return client.NewDryRunClient(p.Writer).Patch(ctx, object, marked)
}

// askToken would request a token that the API server takes. The API server makes none in a dry run.
func askToken(ctx context.Context, clientset kubernetes.Interface, namespace, account string) error {
	_, err := clientset.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// tooWide finds a role that grants Secrets or ServiceAccounts of any name where the limits list names: to RBAC, an empty list of names
// is every name, and no admission policy can refuse a read.
func (p *parts) tooWide(ctx context.Context) (string, error) {
	for _, limited := range []struct {
		resource string
		names    []string
	}{{"secrets", p.options.secretNames}, {"serviceaccounts", p.options.serviceAccountNames}} {
		if slices.Contains(limited.names, named.Any) {
			continue
		}
		for _, verb := range tooMuch {
			granted, err := p.grants(ctx, verb, limited.resource)
			if err != nil {
				return "", err
			}
			if granted {
				return "the role grants " + limited.resource + " of any name (" + verb + "), and the limits list names", nil
			}
		}
	}
	return "", nil
}

// tooMuch are the verbs that the role grants for listed names only.
var tooMuch = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

func (p *parts) grants(ctx context.Context, verb, resource string) (bool, error) {
	review, err := p.Clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: resource}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask for the right to %s all %s: %w", verb, resource, err)
	}
	return review.Status.Allowed, nil
}

func orDefault(names []string, otherwise string) string {
	if len(names) == 0 || names[0] == named.Any {
		return otherwise
	}
	return names[0]
}

// podName is that of the pod that the operator runs in: its host name.
func podName() string {
	name, err := os.Hostname()
	if err != nil {
		return probeName
	}
	return name
}
