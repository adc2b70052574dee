package checkup

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// registries reports what the operator could not find out at registries: names that do not resolve, connections that fail, TLS, proxies. Only
// the operator sees them from where it runs, and says so in the condition Verified.
func registries(f Facts) []Finding {
	const check = "Registries"
	if f.Credentials.Error != "" {
		return unknown(check, f.Credentials.Error)
	}
	var found []Finding
	asked := 0
	for i := range f.Credentials.Value {
		object := &f.Credentials.Value[i]
		c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionVerified)
		if c == nil {
			continue
		}
		if c.Status != metav1.ConditionUnknown { // unknown is also what was not asked yet, or is not to be asked
			asked++
		}
		if c.Status == metav1.ConditionUnknown && (c.Reason == v1alpha1.ReasonHeld || c.Reason == v1alpha1.ReasonUnproven) {
			found = append(found, Finding{check, Warning, fmt.Sprintf("the operator got no clear answer for RegistryCredential %s: %s", object.Name, c.Message),
				"see whether the operator's pods reach the registry: DNS, NetworkPolicies, registries.cas and registries.proxies of the chart (flags --registry-ca, --registry-proxy)"})
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{check, OK, fmt.Sprintf("registries answered the operator for %d of %d RegistryCredentials; the others are not tested", asked, len(f.Credentials.Value)), ""})
	}
	return found
}

// clock reports a clock of this machine that differs from the API server's. The plugin goes by that one, and not everything else does.
func clock(f Facts) []Finding {
	const check = "Clock"
	switch off := f.ClockOff.Value; {
	case f.ClockOff.Error != "":
		return unknown(check, f.ClockOff.Error)
	case off > clockSkew || off < -clockSkew:
		direction := map[bool]string{true: "ahead of", false: "behind"}[off > 0]
		return []Finding{{check, Warning, fmt.Sprintf("this machine's clock is %s %s the API server's, by which this plugin goes; certificates and tokens can seem to have ended, or to begin later", strings.TrimPrefix(off.String(), "-"), direction), "set the clock of this machine or of the API server"}}
	}
	return []Finding{{check, OK, "this machine's clock and the API server's agree", ""}}
}
