package supportbundle

import (
	"regexp"
	"slices"
	"strings"

	"regcred.dev/regcred/internal/foreign"
)

// harmless are the flags of the operator whose values cannot hold a secret. Of others the name is kept.
var harmless = []string{
	"secret-names", "service-account-names", "protected-namespaces", "vault-service-account-names", "allow-loopback-registries", "require-fence", "namespace",
	"leader-elect", "metrics-bind-address", "metrics-cert-dir", "metrics-insecure", "health-probe-bind-address", "log-level", "log-development",
	"recovery-node-pulls-per-second", "recovery-node-burst", "recovery-namespace-pods-per-minute", "recovery-pods-per-minute", "recovery-owner-kinds", "successor-first",
}

// plainValue is what harmless values are made of: names, addresses, numbers and lists of them. In one that has more, another flag may stand.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9._,:*/\[\]-]*$`)

// flagName is what a flag can be called. What else stands there is no name alone, such as a name and a value in one argument.
var flagName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*`)

// Flags are the arguments of a container as they may be kept: "--name=value" of harmless flags, "--name" of others, and no other word.
func Flags(arguments []string) []string {
	var kept []string
	for _, argument := range arguments {
		name, value, valued := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		switch {
		case !strings.HasPrefix(argument, "-"):
		case valued && slices.Contains(harmless, name) && plainValue.MatchString(value):
			kept = append(kept, foreign.Name("--"+name+"="+value))
		default:
			kept = append(kept, foreign.Name("--"+flagName.FindString(name)))
		}
	}
	return kept
}
