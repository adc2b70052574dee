package delivery

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/pullsecret"
)

const quoted = "s3cr3t-of-the-robot"

func forbids(text string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "regcred", errors.New(text+" "+quoted))
}

// The reasons are those of docs/registrycredential.md, "SecretsSynced and ServiceAccountsAttached".
func TestWhatIsSaidOfARefusedWrite(t *testing.T) {
	terminating := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "regcred", errors.New("being terminated"))
	terminating.ErrStatus.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}}
	for _, test := range []struct {
		name           string
		err            error
		reason, says   string
		conflict, gone bool
	}{
		{"the namespace is being deleted", terminating, "", "", false, true},
		{"the namespace is gone", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"), "", "", false, true},
		{"the Secret is gone: somebody was faster", apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "regcred"), "", "", true, false},
		{"something is gone, and it is not said what", &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonNotFound}}, "", "", true, false},
		{"it changed", apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "regcred", errors.New("x")), "", "", true, false},
		{"it is there already", apierrors.NewAlreadyExists(schema.GroupResource{Resource: "secrets"}, "regcred"), "", "", true, false},
		{"the operator's policies are missing", &url.Error{Op: "Put", URL: "https://api/", Err: policycheck.ErrNotFenced}, v1alpha1.ReasonWriteFailed, "Secret regcred: " + policycheck.NextStep, false, false},
		{"a quota is used up", forbids("exceeded quota: team-quota, requested: secrets=1"), v1alpha1.ReasonQuotaExceeded, "Secret regcred: ResourceQuota team-quota is used up", false, false},
		{"a quota does not allow it", forbids("failed quota: team-quota: must specify x"), v1alpha1.ReasonQuotaExceeded, "ResourceQuota team-quota does not allow it", false, false},
		{"regcred's policy protects the namespace", forbids("ValidatingAdmissionPolicy 'regcred-secrets' with binding 'x' denied\nrequest: in a protected namespace"), v1alpha1.ReasonProtected, "policy regcred-secrets protects the namespace", false, false},
		{"regcred's policy refuses for another reason", forbids("ValidatingAdmissionPolicy 'regcred-secrets' with binding 'x' denied"), v1alpha1.ReasonForbidden, "ValidatingAdmissionPolicy regcred-secrets refuses the write", false, false},
		{"a webhook denies it", forbids(`admission webhook "no.example" denied the request`), v1alpha1.ReasonWriteRefused, "admission webhook no.example refuses the write", false, false},
		{"a webhook does not answer", apierrors.NewInternalError(errors.New(`failed calling webhook "no.example": timeout ` + quoted)), v1alpha1.ReasonWriteRefused, "admission webhook no.example does not answer", false, false},
		{"the role does not allow it", forbids("cannot update"), v1alpha1.ReasonForbidden, "the operator's role does not allow the write", false, false},
		{"the API server is ill", apierrors.NewInternalError(errors.New(quoted)), v1alpha1.ReasonWriteFailed, "did not take the write (500 InternalError); it is tried again", false, false},
		{"nobody answers", errors.New(quoted), v1alpha1.ReasonWriteFailed, "did not take the write (no answer); it is tried again", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := failedWrite("Secret regcred", fmt.Errorf("write: %w", test.err))
			if p.reason != test.reason || p.conflict != test.conflict || p.gone != test.gone || !strings.Contains(p.message, test.says) {
				t.Errorf("%+v", p)
			}
			if p.retry != (test.reason != "") {
				t.Errorf("it is tried again: %t", p.retry)
			}
			if strings.Contains(p.message, quoted) {
				t.Errorf("the text of the answer is told: %s", p.message)
			}
		})
	}
}

func TestOfSeveralProblemsTheGravestIsToldAndTheOthersAreTriedAgainAllTheSame(t *testing.T) {
	missing := &problem{reason: v1alpha1.ReasonServiceAccountNotFound, account: true}
	quota, failed := &problem{reason: v1alpha1.ReasonQuotaExceeded}, &problem{reason: v1alpha1.ReasonWriteFailed, retry: true}
	for _, test := range []struct {
		name     string
		problems []*problem
		reason   string
		retry    bool
	}{
		{"none", nil, "", false},
		{"none of two", []*problem{nil, nil}, "", false},
		{"one", []*problem{nil, quota}, v1alpha1.ReasonQuotaExceeded, false},
		{"the first", []*problem{quota, failed}, v1alpha1.ReasonQuotaExceeded, true},
		{"the first, which is tried again", []*problem{failed, quota}, v1alpha1.ReasonWriteFailed, true},
		{"a ServiceAccount that is still to come is the least", []*problem{missing, quota}, v1alpha1.ReasonQuotaExceeded, false},
		{"two that are still to come", []*problem{missing, missing}, v1alpha1.ReasonServiceAccountNotFound, false},
		{"it is tried again though the first and the last are not", []*problem{missing, {reason: v1alpha1.ReasonServiceAccountNotFound, retry: true}, quota}, v1alpha1.ReasonQuotaExceeded, true},
		{"it is tried again though another one is told", []*problem{{reason: v1alpha1.ReasonServiceAccountNotFound, retry: true}, quota}, v1alpha1.ReasonQuotaExceeded, true},
	} {
		told := gravest(test.problems...)
		if (told == nil) != (test.reason == "") || told != nil && (told.reason != test.reason || told.retry != test.retry) {
			t.Errorf("%s: %+v, want %s, again %t", test.name, told, test.reason, test.retry)
		}
	}
	if told := gravest(&problem{reason: v1alpha1.ReasonServiceAccountNotFound, message: "first"}, missing); told.message != "first" {
		t.Errorf("of two that are still to come the first is not told: %+v", told)
	}
	if quota.retry {
		t.Error("the problem itself was changed")
	}
}

func TestWhoseSecretIsInTheWayIsTold(t *testing.T) {
	f := facts{}
	f.place.Name = "regcred"
	for want, owner := range map[string]pullsecret.Owner{
		"Secret regcred belongs to Helm release web: fix":       {Manager: "Helm release web", Fix: "fix"},
		"Secret regcred was made by hand, by a person: fix":     {Manager: "a person", Fix: "fix", Adoptable: true},
		"Secret regcred cannot be written: it was made so: fix": {Ours: true, Fix: "it was made so: fix"},
	} {
		if p := foreignOwner(f, owner); p.reason != v1alpha1.ReasonForeignSecret || p.message != want || p.retry {
			t.Errorf("%+v, want %q", p, want)
		}
	}
	for rival, by := range map[string]string{"": "by somebody who leaves no name: stop it", "argocd-controller": "by field manager argocd-controller: stop it"} {
		p := contested("Secret regcred", rival, "stop it", time.Millisecond)
		if p.reason != v1alpha1.ReasonContested || p.after != time.Second || !strings.Contains(p.message, by) || !strings.Contains(p.message, "once in 10 minutes") {
			t.Errorf("%+v", p)
		}
	}
	for _, p := range []*problem{
		contested("Secret regcred", "x", strings.Repeat("\x1by ", 3000), 0), applied("default", strings.Repeat("x", 3000), nil),
		foreignOwner(f, pullsecret.Owner{Manager: "x", Fix: strings.Repeat("\x1by ", 3000)}),
	} {
		if len(p.message) > 1024 || strings.Contains(p.message, "\x1b") {
			t.Errorf("%d bytes are told: %.200q", len(p.message), p.message)
		}
	}
	if p := contested("Secret regcred", "x", "stop it", time.Minute); p.after != time.Minute {
		t.Errorf("looked at again after %s", p.after)
	}
}
