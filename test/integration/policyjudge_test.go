package integration

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	registration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/policycheck"
)

const probedPolicy = "regcred-records"

// TestARefusalOfOthersIsNotTakenForOneOfOurPolicies has a real API server refuse the operator's dry run in every way that it knows: the
// answer is read by its text.
func TestARefusalOfOthersIsNotTakenForOneOfOurPolicies(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	operator := client.NewDryRunClient(newAPIClient(t, c.withToken(t)))
	is := func(want policycheck.Answer) {
		t.Helper()
		awaitAPI(t, fmt.Sprintf("the answer is %+v", want), func() error {
			err := operator.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "regcred.dev-probe"}})
			if got := policycheck.Judge(probedPolicy, err); got != want {
				return fmt.Errorf("it is %+v: %w", got, err)
			}
			return nil
		})
	}
	is(policycheck.Answer{Kind: policycheck.Stands})
	url, ca := refusingWebhook(t)
	c.with(t, []client.Object{webhookOfOthers(url, ca)}, func() { is(policycheck.Answer{By: "admission webhook first.others.example"}) })
	is(policycheck.Answer{Kind: policycheck.Stands})
	c.kubectl(t, "delete", "validatingadmissionpolicybinding", probedPolicy)
	is(policycheck.Answer{Kind: policycheck.Missing})
	c.with(t, policyOfOthers(), func() { is(policycheck.Answer{By: "ValidatingAdmissionPolicy others"}) })
	is(policycheck.Answer{Kind: policycheck.Missing})
	c.with(t, []client.Object{quotaOfNone(t, c)}, func() {
		awaitAPI(t, "the quota refuses, which is asked last", func() error {
			err := operator.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "regcred.dev-probe"}})
			if got := policycheck.Judge(probedPolicy, err); err == nil || got.Kind != policycheck.Missing {
				return fmt.Errorf("it is %+v: %w", got, err)
			}
			return nil
		})
	})
	c.kubectl(t, "-n", operatorNamespace, "delete", "rolebinding", "regcred")
	is(policycheck.Answer{Kind: policycheck.Inapplicable})
}

// with makes objects, and takes them away after f.
func (c *installation) with(t *testing.T, objects []client.Object, f func()) {
	t.Helper()
	for _, object := range objects {
		if err := c.admin.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		defer func() {
			if err := c.admin.Delete(context.Background(), object); err != nil {
				t.Error(err)
			}
		}()
	}
	f()
}

// refusingWebhook serves a webhook that refuses everything in the words of our policy, with the status of something that is not there.
func refusingWebhook(t *testing.T) (url string, ca []byte) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var review admissionv1.AdmissionReview
		if json.NewDecoder(request.Body).Decode(&review) != nil || review.Request == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		text := "secrets \"x\" is forbidden: ValidatingAdmissionPolicy '" + probedPolicy + "' denied request"
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: text}}
		review.Request = nil
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func webhookOfOthers(url string, ca []byte) client.Object {
	return &registration.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "first.others.example"},
		Webhooks: []registration.MutatingWebhook{{
			Name: "first.others.example", ClientConfig: registration.WebhookClientConfig{URL: ptr.To(url), CABundle: ca}, Rules: []registration.RuleWithOperations{everySecret()},
			NamespaceSelector: onlyNamespace(operatorNamespace), SideEffects: ptr.To(registration.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

func policyOfOthers() []client.Object {
	rule := registration.NamedRuleWithOperations{RuleWithOperations: everySecret()}
	return []client.Object{
		&registration.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "others"},
			Spec: registration.ValidatingAdmissionPolicySpec{
				MatchConstraints: &registration.MatchResources{ResourceRules: []registration.NamedRuleWithOperations{rule}, NamespaceSelector: onlyNamespace(operatorNamespace)},
				Validations:      []registration.Validation{{Expression: "false", Message: "no Secret without an owner"}},
			},
		},
		&registration.ValidatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "others"},
			Spec:       registration.ValidatingAdmissionPolicyBindingSpec{PolicyName: "others", ValidationActions: []registration.ValidationAction{registration.Deny}},
		},
	}
}

// quotaOfNone lets nobody make a Secret. No controller runs here that would count them.
func quotaOfNone(t *testing.T, c *installation) client.Object {
	t.Helper()
	none := corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: none}}
	if err := c.admin.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	if err := c.admin.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	return &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "none"}}
}
