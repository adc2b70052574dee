package delivery

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
)

// problem is why a place is not right yet.
type problem struct {
	reason  string
	message string
	// account is true where the fault lies with a ServiceAccount.
	account bool
	// retry is set where the queue's back-off tries again; else a watch, or after, brings the place back.
	retry error
	after time.Duration
	// lag is true where the cache was only behind: nothing to report.
	lag bool
	// gone is true where the namespace is going away.
	gone bool
}

// waits reports whether the problem is that something does not exist yet, which is less than a fault.
func (p *problem) waits() bool { return p.reason == v1alpha1.ReasonServiceAccountNotFound }

func (p *problem) ofAccount() *problem {
	p.account = true
	return p
}

// outcome is what became of one place.
type outcome struct {
	secret  *corev1.Secret
	taken   []pullsecret.Taken
	problem *problem
	retry   error
	after   time.Duration
}

func (o outcome) with(p *problem) outcome {
	if p == nil {
		return o
	}
	o.problem, o.retry, o.after = p, p.retry, p.after
	if p.lag {
		o.after = lookAgain
	}
	return o
}

// deliveries says, for each RegistryCredential that selects the place, what became of it.
func (o outcome) deliveries(f facts) map[string]publish.Delivery {
	if o.problem != nil && o.problem.gone {
		return nil
	}
	written := pullsecret.Sources{}
	if o.secret != nil {
		written = pullsecret.SourcesOf(o.secret.Annotations)
	}
	deliveries := map[string]publish.Delivery{}
	for _, credential := range f.selecting {
		d := publish.Delivery{Revision: written[credential.Name].Revision}
		if o.problem != nil {
			d.Reason, d.Message, d.ServiceAccounts = o.problem.reason, o.problem.message, o.problem.account
		}
		for _, taken := range o.taken {
			if taken.Credential == credential.Name {
				d.TakenBy = taken.Winner
			}
		}
		deliveries[credential.Name] = d
	}
	return deliveries
}

func foreign(f facts, owner pullsecret.Owner) *problem {
	return &problem{reason: v1alpha1.ReasonForeignSecret, message: fmt.Sprintf(
		"Secret %s belongs to %s: %s", f.place.Name, owner.Manager, owner.Fix)}
}

func contested(object, rival string, wait time.Duration) *problem {
	return &problem{reason: v1alpha1.ReasonContested, after: max(wait, time.Second), message: fmt.Sprintf(
		"%s is changed back again and again by %s: let it go there, or exclude the namespace; regcred repairs it once in %d minutes until then",
		object, rival, int(pullsecret.ContestWindow.Minutes()))}
}

var (
	quotaName   = regexp.MustCompile(`exceeded quota: ([a-z0-9.-]+)`)
	webhookName = regexp.MustCompile(`admission webhook "([A-Za-z0-9./-]+)" denied`)
	policyName  = regexp.MustCompile(`ValidatingAdmissionPolicy '([A-Za-z0-9.-]+)'`)
)

// failedWrite says why the API server did not take a write. The text of such an error may quote the Secret: only names that
// are picked out of it are passed on.
func failedWrite(object string, err error) *problem {
	if isNamespaceGone(err) {
		return &problem{gone: true}
	}
	if isLag(err) {
		return &problem{lag: true, reason: v1alpha1.ReasonProgressing, message: object + " was just changed by somebody; looking again"}
	}
	p := &problem{reason: v1alpha1.ReasonWriteFailed, message: fmt.Sprintf("%s: the API server did not take the write (%s); it is tried again", object, kindOf(err))}
	text := err.Error()
	if m := quotaName.FindStringSubmatch(text); m != nil {
		p.reason, p.message = v1alpha1.ReasonQuotaExceeded, fmt.Sprintf("%s: ResourceQuota %s is used up: raise it, or exclude the namespace", object, m[1])
	} else if m := policyName.FindStringSubmatch(text); m != nil {
		p.reason, p.message = v1alpha1.ReasonForbidden, fmt.Sprintf("%s: ValidatingAdmissionPolicy %s refuses the write", object, m[1])
	} else if m := webhookName.FindStringSubmatch(text); m != nil {
		p.reason, p.message = v1alpha1.ReasonWriteRefused, fmt.Sprintf("%s: admission webhook %s refuses the write: allow it there, or exclude the namespace", object, m[1])
	} else if apierrors.IsForbidden(err) {
		p.reason, p.message = v1alpha1.ReasonForbidden, fmt.Sprintf("%s: the operator's role does not allow the write: add the name to the role", object)
	}
	p.retry = fmt.Errorf("%s: %s", p.reason, p.message)
	return p
}

// kindOf names the kind of an error without its text.
func kindOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fmt.Sprintf("%d %s", status.Status().Code, status.Status().Reason)
	}
	return "no answer"
}
