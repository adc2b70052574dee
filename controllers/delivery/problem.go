package delivery

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/pullsecret"
)

// problem is why a place is not right yet.
type problem struct {
	reason  string
	message string
	// account is true where the fault lies with a ServiceAccount.
	account bool
	// retry is set where the queue's back-off tries again; else a watch, or after, brings the place back.
	retry bool
	after time.Duration
	// conflict is true where somebody was faster: nothing to report.
	conflict bool
	// gone is true where the namespace is going away.
	gone bool
}

func (p *problem) ofAccount() *problem {
	p.account = true
	return p
}

// gravest picks the problem to tell: of several, the first that is more than a ServiceAccount that is still to come. What must be
// tried again is, whichever is told.
func gravest(problems ...*problem) *problem {
	var told *problem
	retry := false
	for _, p := range problems {
		if p == nil {
			continue
		}
		retry = retry || p.retry
		if told == nil || told.reason == v1alpha1.ReasonServiceAccountNotFound && p.reason != told.reason {
			told = p
		}
	}
	if told == nil {
		return nil
	}
	again := *told
	again.retry = retry
	return &again
}

// full is told to a RegistryCredential for whose entries there is no room.
var full = &problem{reason: v1alpha1.ReasonSecretFull, message: "the entries do not fit into the Secret (1 MiB) or its annotation (256 KiB) beside those of " +
	"older RegistryCredentials and what others have there already: list fewer registries, or choose another spec.target.secretName"}

func foreignOwner(f facts, owner pullsecret.Owner) *problem {
	message := fmt.Sprintf("Secret %s belongs to %s: %s", f.place.Name, owner.Manager, owner.Fix)
	switch {
	case owner.Adoptable:
		message = fmt.Sprintf("Secret %s was made by hand, by %s: %s", f.place.Name, owner.Manager, owner.Fix)
	case owner.Ours:
		message = fmt.Sprintf("Secret %s cannot be written: %s", f.place.Name, owner.Fix)
	}
	return &problem{reason: v1alpha1.ReasonForeignSecret, message: foreign.Message(message)}
}

func contested(object, rival, remedy string, wait time.Duration) *problem {
	by := "somebody who leaves no name"
	if rival != "" {
		by = "field manager " + foreign.Name(rival)
	}
	return &problem{reason: v1alpha1.ReasonContested, after: max(wait, time.Second), message: foreign.Message(fmt.Sprintf(
		"%s is changed back again and again by %s: %s, or exclude the namespace; regcred repairs it once in %d minutes until then",
		object, by, remedy, int(pullsecret.ContestWindow.Minutes())))}
}

// refusals are the ways in which the API server says no. The text of such an error may quote the Secret: only names that are
// picked out of it are passed on.
var refusals = []struct {
	says    *regexp.Regexp
	reason  string
	message string
}{
	{regexp.MustCompile(`exceeded quota: ([a-z0-9.-]+)`), v1alpha1.ReasonQuotaExceeded, "ResourceQuota %s is used up: raise it, or exclude the namespace"},
	{regexp.MustCompile(`failed quota: ([a-z0-9.-]+)`), v1alpha1.ReasonQuotaExceeded, "ResourceQuota %s does not allow it: change it, or exclude the namespace"},
	{regexp.MustCompile(`ValidatingAdmissionPolicy '(regcred-[a-z-]+)'.*in a protected namespace`), v1alpha1.ReasonProtected, "policy %s protects the namespace: take it out of spec.target.namespaces, or out of protectedNamespaces in the limits (chart or config/default/limits.yaml)"},
	{regexp.MustCompile(`ValidatingAdmissionPolicy '([A-Za-z0-9.-]+)'`), v1alpha1.ReasonForbidden, "ValidatingAdmissionPolicy %s refuses the write: allow it there, or exclude the namespace"},
	{regexp.MustCompile(`admission webhook "([A-Za-z0-9./-]+)" denied`), v1alpha1.ReasonWriteRefused, "admission webhook %s refuses the write: allow it there, or exclude the namespace"},
	{regexp.MustCompile(`failed calling webhook "([A-Za-z0-9./-]+)"`), v1alpha1.ReasonWriteRefused, "admission webhook %s does not answer: fix it, or exclude the namespace there"},
}

// failedWrite says why the API server did not take a write.
func failedWrite(object string, err error) *problem {
	if isNamespaceGone(err) {
		return &problem{gone: true}
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return &problem{conflict: true}
	}
	if errors.Is(err, policycheck.ErrNotFenced) {
		return &problem{retry: true, reason: v1alpha1.ReasonWriteFailed, message: object + ": " + policycheck.NextStep}
	}
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	for _, refusal := range refusals {
		if m := refusal.says.FindStringSubmatch(text); m != nil {
			return &problem{retry: true, reason: refusal.reason, message: object + ": " + fmt.Sprintf(refusal.message, m[1])}
		}
	}
	if apierrors.IsForbidden(err) {
		return &problem{retry: true, reason: v1alpha1.ReasonForbidden, message: object + ": the operator's role does not allow the write: add the name to the role"}
	}
	return &problem{retry: true, reason: v1alpha1.ReasonWriteFailed, message: fmt.Sprintf(
		"%s: the API server did not take the write (%s); it is tried again", object, kindOf(err))}
}

// isNamespaceGone reports whether a write failed because its namespace is going or gone.
func isNamespaceGone(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// kindOf names the kind of an error without its text.
func kindOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fmt.Sprintf("%d %s", status.Status().Code, status.Status().Reason)
	}
	return "no answer"
}
