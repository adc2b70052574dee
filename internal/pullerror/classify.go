package pullerror

import (
	"regexp"
	"slices"
	"strings"
)

// Classify says what the message of a failed pull means. It takes the waiting message of a container or the text of
// an event, wrapped as kubelets wrap it or bare.
//
// A pod with several matching credentials gets one cause for each of them ("[cause, cause]"), because the kubelet
// tries one after the other. The most telling one is the class: a pull Secret that the kubelet cannot read, since then
// nothing else matters; then a credential that was refused, in the order auth-failed, forbidden,
// not-found-or-denied, no-credentials, since this is what a person or regcred can mend; then what the registry said
// without a word about credentials (rate-limited, platform-manifest, not-found); then what kept the registry from
// being heard (tls, registry-5xx, network, kubelet-throttled); last whatever else it is.
func Classify(message string) Class {
	best := Other
	for _, cause := range causes(unwrap(message)) {
		if class := classifyCause(cause); slices.Index(classes, class) < slices.Index(classes, best) {
			best = class
		}
	}
	return best
}

// classifyCause applies the rules to a single cause.
func classifyCause(cause string) Class {
	text := withoutNames(cause)
	status := statusOf(text)
	for _, r := range rules {
		if r.appliesTo(text, status) {
			return r.class
		}
	}
	return Other
}

// wrappers are what kubelets and CRI clients put around a cause. The first group, where there is one, is the cause.
var wrappers = []*regexp.Regexp{
	regexp.MustCompile(`^rpc error: code = \w+ desc =\s*`),
	regexp.MustCompile(`^Back-off pulling image "[^"]*":?\s*`),
	regexp.MustCompile(`^Failed to pull image "[^"]*":?\s*`),
	regexp.MustCompile(`^(?:Error|ErrImagePull|ImagePullBackOff):\s*`),
	regexp.MustCompile(`(?s)^(?:Error syncing pod, skipping: )?failed to "StartContainer" for "[^"]*" ` +
		`with (?:ErrImagePull|ImagePullBackOff): "(.*)"$`),
}

// unwrap takes off the wrappers, however many there are, and undoes the escapes of a message that was quoted.
func unwrap(message string) string {
	for {
		before := message
		message = unescape(strings.TrimSpace(message))
		for _, wrapper := range wrappers {
			match := wrapper.FindStringSubmatchIndex(message)
			if match == nil {
				continue
			}
			if len(match) > 2 {
				message = message[match[2]:match[3]]
				continue
			}
			message = message[match[1]:]
		}
		if message == before {
			return message
		}
	}
}

// unescape undoes one level of quoting where all quotes are escaped. Line breaks are undone in any case: they part
// the lines of a registry's answer.
func unescape(message string) string {
	if !strings.Contains(strings.ReplaceAll(message, `\"`, ""), `"`) {
		message = strings.ReplaceAll(message, `\"`, `"`)
	}
	return strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(message)
}

// nextCause finds where another try begins in a list of causes: after a comma, with words with which a runtime or
// the kubelet begins.
var nextCause = regexp.MustCompile(`, (?:rpc error: code = |failed to pull |failed to resolve |Error response from daemon|` +
	`(?:Error )?(?:[Ii]nitializing source|[Rr]eading manifest|[Pp]inging |[Dd]etermining manifest)|` +
	`unable to (?:copy|retrieve|pull) |copying |[Rr]equesting bearer token|` +
	`RegistryUnavailable|SignatureValidationFailed|pull QPS exceeded)`)

// causes parts the kubelet's list of several tries. Any other message is one cause.
func causes(message string) []string {
	if !strings.HasPrefix(message, "[") || !strings.HasSuffix(message, "]") {
		return []string{message}
	}
	list := message[1 : len(message)-1]
	var parts []string
	start := 0
	for _, at := range nextCause.FindAllStringIndex(list, -1) {
		parts = append(parts, unwrap(list[start:at[0]]))
		start = at[0] + len(", ")
	}
	return append(parts, unwrap(list[start:]))
}
