package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"regcred.dev/regcred/internal/foreign"
)

const (
	// unsureAgain is how soon the API server is asked again whether it takes a successor, when it did not say, and refusedAgain when it
	// refused one.
	unsureAgain, refusedAgain = 10 * time.Second, 5 * time.Minute
	// maxRefusal is how much of a refusal is read, in bytes, and maxShownRefusal how much of it is shown.
	maxRefusal, maxShownRefusal = 4 << 10, 300
)

// Foresee turns a restart into what is to be done after a dry run of its successor's creation: nothing else than the restart where the API
// server takes the successor and it names the Secrets that the pod lacks. Admitted is what the API server made of the successor, err its
// answer. Before and asked are the pod as it is and the successor as it was asked for: the pod is still counted in a quota.
func (v Verdict) Foresee(before, asked, admitted *corev1.Pod, err error, now time.Time) Verdict {
	switch {
	case err == nil:
		return v.lacking(admitted, now)
	case apierrors.IsAlreadyExists(err), frees(before, asked, err):
		return v
	case refuses(err):
		v.Action, v.Reason, v.RecheckAfter = Report, SuccessorRefused, refusedAgain
		v.Message = foreign.Message(fmt.Sprintf("%s; the pod is not restarted, because the API server would refuse its successor: %s", v.Message, reasonIn(err)))
		v.Advice = "let the successor pass, or change the owner's template; the pod is looked at again every 5 minutes"
	default:
		v.Action, v.Reason, v.RecheckAfter = Wait, SuccessorUnknown, unsureAgain
		v.Message = foreign.Message(fmt.Sprintf("%s; the pod is not restarted before the API server says whether it takes its successor: %s", v.Message, reasonIn(err)))
	}
	return v
}

// lacking waits where a successor would lack a Secret that the pod lacks, too: admission goes by caches, or something removes the name.
func (v Verdict) lacking(admitted *corev1.Pod, now time.Time) Verdict {
	for _, finding := range v.Findings {
		if finding.Secret == "" || refersTo(admitted, finding.Secret) {
			continue
		}
		if now.Sub(v.Change) < time.Minute {
			v.Action, v.Reason, v.RecheckAfter = Wait, AdmissionLag, time.Second
			v.Message = foreign.Message(fmt.Sprintf("%s; a new pod would not name Secret %s yet", v.Message, finding.Secret))
			return v
		}
		v.Action, v.Reason, v.RecheckAfter = Report, ReferenceNotAdded, refusedAgain
		v.Message = foreign.Message(fmt.Sprintf("%s; the pod is not restarted, because a new one would not name Secret %s either", v.Message, finding.Secret))
		v.Advice = "look what keeps the name from new pods: a webhook, a list in the owner's template, or an annotation"
		return v
	}
	return v
}

// refuses reports whether an answer is about the pod, and not about the moment. Webhooks choose the code of their refusals.
func refuses(err error) bool {
	status, ok := err.(apierrors.APIStatus) //nolint:errorlint // the answer itself, which nothing wraps
	if !ok {
		return false
	}
	code := status.Status().Code
	return code >= 400 && code < 500 && !slices.Contains(momentary, code)
}

// momentary are the HTTP status codes of refusals that say nothing of the pod: no login, not found, timeout, conflict, too many requests.
var momentary = []int32{401, 404, 408, 409, 429}

func reasonIn(err error) string { return foreign.Text(err.Error(), maxShownRefusal) }

// exceeded is how the API server says that a pod does not fit into a quota (pkg/quota, admission).
var exceeded = regexp.MustCompile(`exceeded quota: [^,]+, requested: (\S+), used: (\S+), limited: (\S+)$`)

// frees reports whether a quota is full only because the pod is still there: the successor asks for no more than the pod holds, and no more
// is used than allowed. The quota is asked last, so that everything else has taken the successor.
func frees(before, asked *corev1.Pod, err error) bool {
	if !apierrors.IsForbidden(err) || before == nil || demandsMore(before, asked) {
		return false
	}
	found := exceeded.FindStringSubmatch(cut(err.Error(), maxRefusal))
	if found == nil {
		return false
	}
	used, limited := quantities(found[2]), quantities(found[3])
	if len(limited) == 0 {
		return false
	}
	for name, limit := range limited {
		if use, ok := used[name]; !ok || use.Cmp(limit) > 0 {
			return false
		}
	}
	return true
}

// quantities reads "pods=1,requests.cpu=500m", nil where it is something else.
func quantities(text string) map[string]resource.Quantity {
	read := map[string]resource.Quantity{}
	for _, one := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(one, "=")
		quantity, err := resource.ParseQuantity(value)
		if err != nil {
			return nil
		}
		read[name] = quantity
	}
	return read
}

// demandsMore reports whether a successor may count for more in a quota than the pod does. What a template leaves out is filled in by
// admission, as it was for the pod.
func demandsMore(before, asked *corev1.Pod) bool {
	if len(asked.Spec.Containers) > len(before.Spec.Containers) || len(asked.Spec.InitContainers) > len(before.Spec.InitContainers) ||
		asked.Spec.Resources != nil || before.Spec.Resources != nil {
		return true
	}
	held := map[string]corev1.ResourceRequirements{}
	for _, c := range append(before.Spec.InitContainers[:len(before.Spec.InitContainers):len(before.Spec.InitContainers)], before.Spec.Containers...) {
		held[c.Name] = c.Resources
	}
	for _, c := range append(asked.Spec.InitContainers[:len(asked.Spec.InitContainers):len(asked.Spec.InitContainers)], asked.Spec.Containers...) {
		has, known := held[c.Name]
		if !known || beyond(c.Resources.Requests, has.Requests) || beyond(c.Resources.Limits, has.Limits) {
			return true
		}
	}
	return false
}

func beyond(asked, held corev1.ResourceList) bool {
	for name, quantity := range asked {
		if has, ok := held[name]; !ok || quantity.Cmp(has) > 0 {
			return true
		}
	}
	return false
}
