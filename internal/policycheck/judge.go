package policycheck

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/internal/foreign"
)

// How the API server says who refused a request. RBAC is asked first, then mutating webhooks, then ValidatingAdmissionPolicies, of which
// the first denial alone is told, then validating webhooks, and quotas last (k8s.io/apiserver: endpoints/handlers/responsewriters,
// pkg/admission/plugin/policy/validating, pkg/admission/plugin/webhook/errors; kube-apiserver: RecommendedPluginOrder). A webhook chooses the
// rest of its text, so the beginning counts.
var (
	byRBAC    = regexp.MustCompile(`^[^:]* is forbidden: User "`)
	byPolicy  = regexp.MustCompile(`^[^:]* is forbidden: ValidatingAdmissionPolicy '([^']*)'`)
	byWebhook = regexp.MustCompile(`^(?:Internal error occurred: )?(?:admission webhook "([^"]*)" |failed calling webhook "([^"]*)")`)
	byQuota   = regexp.MustCompile(`^[^:]* is forbidden: (?:exceeded quota: |failed quota: |status unknown for quota: )`)
)

// Judge says what an answer to a dry run tells of the policy that must refuse it.
func Judge(policy string, err error) Answer {
	if err == nil {
		return Answer{Kind: Missing}
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return Answer{Kind: Unknown}
	}
	said := status.Status()
	if m := byPolicy.FindStringSubmatch(said.Message); m != nil {
		if m[1] == policy {
			return Answer{Kind: Stands}
		}
		return Answer{By: "ValidatingAdmissionPolicy " + foreign.Name(m[1])}
	}
	if m := byWebhook.FindStringSubmatch(said.Message); m != nil {
		return Answer{By: "admission webhook " + foreign.Name(m[1]+m[2])}
	}
	switch {
	case byQuota.MatchString(said.Message):
		return Answer{Kind: Missing} // whatever comes before quotas let the probe pass
	case byRBAC.MatchString(said.Message), apierrors.IsNotFound(err):
		return Answer{Kind: Inapplicable}
	case said.Code >= http.StatusBadRequest && said.Code < http.StatusInternalServerError && said.Code != http.StatusUnauthorized && said.Code != http.StatusTooManyRequests:
		return Answer{By: fmt.Sprintf("something that gives no name (%d %s)", said.Code, foreign.Name(string(said.Reason)))}
	}
	return Answer{Kind: Unknown}
}
