package pullerror

import (
	"regexp"
	"slices"
	"strings"

	"regcred.dev/regcred/internal/memo"
)

const maxMessage = 16 << 10

// Classify says what the message of a failed pull means. It takes the waiting message of a container or the text of
// an event, wrapped as kubelets wrap it or bare.
//
// A pod with several matching credentials gets one cause for each of them ("[cause, cause]"), because the kubelet
// tries one after the other. The most telling one is the class: a pull Secret that the kubelet cannot read, since then
// nothing else matters; then a credential that was refused, in the order auth-failed, forbidden,
// not-found-or-denied, no-credentials, since this is what a person or regcred can fix; then what the registry said
// without a word about credentials (rate-limited, platform-manifest, not-found); then what kept the registry from
// being heard (tls, registry-5xx, network, kubelet-throttled); last whatever else it is.
//
// Of a message longer than 16 KiB only the beginning is read: a registry can put anything into it.
func Classify(message string) Class { return read(message).class }

// reading is what a message means: its class, and who refused the pull.
type reading struct {
	class   Class
	refusal refusal
}

const (
	// readingsKept is how many messages are remembered: a kubelet repeats what it says at each attempt, and every look at a pod asks.
	readingsKept = 512
	// longestKept is the longest message that is remembered. That of a registry which quotes whole pages is read again each time.
	longestKept = 4 << 10
)

var readings = memo.New(readingsKept, func(string, reading) int { return 1 })

// read gives what a message means. Each message is read once.
func read(message string) reading {
	message = message[:min(len(message), maxMessage)]
	if len(message) > longestKept {
		return readAfresh(message)
	}
	return readings.Get(message, func() reading { return readAfresh(message) })
}

// readAfresh reads a message that is not remembered.
func readAfresh(message string) reading {
	all := causes(unwrap(message))
	meanings := make([]Class, len(all))
	best := Other
	for i, cause := range all {
		meanings[i] = classifyCause(cause)
		if slices.Index(classes, meanings[i]) < slices.Index(classes, best) {
			best = meanings[i]
		}
	}
	return reading{class: best, refusal: refusedBy(all, meanings, best)}
}

// classifyCause applies the rules to a single cause.
func classifyCause(cause string) Class {
	if r := decider(cause); r != nil {
		return r.class
	}
	return Other
}

// decider is the first rule that applies to a single cause, or nil.
func decider(cause string) *rule {
	text := withoutNames(mirrorsFailed.ReplaceAllString(withoutGuess(cause), ""))
	status := statusOf(text)
	for i := range rules {
		if rules[i].appliesTo(text, status) {
			return &rules[i]
		}
	}
	return nil
}

// guess is how kubelets before 1.6 begin what a registry said: the guess says nothing, and the details, where they follow, are the
// cause (pkg/kubelet/dockertools/docker.go). Without details nothing is known.
var guess = regexp.MustCompile(`(?is)^image pull failed for \S+?, this may be because there are no credentials on this request\.?\s*(?:details:\s*\(?(.*?)\)?\s*)?$`)

func withoutGuess(cause string) string {
	if match := guess.FindStringSubmatch(cause); match != nil {
		return match[1]
	}
	return cause
}

// mirrorsFailed is what CRI-O says of its mirrors before what the image's own registry said, which decides
// (containers/image, docker/docker_image_src.go).
var mirrorsFailed = regexp.MustCompile(`(?s)\(Mirrors also failed: \[.*\]\): `)

// wrappers are what kubelets and CRI clients put around a cause. The first group, where there is one, is the cause.
var wrappers = []*regexp.Regexp{
	regexp.MustCompile(`^rpc error: code = \w+ desc =\s*`),
	regexp.MustCompile(`^Back-off pulling image "[^"]*":?\s*`),
	regexp.MustCompile(`^` + regexp.QuoteMeta(joined)),
	regexp.MustCompile(`^[Ff]ailed to pull image "[^"]*":?\s*`),
	regexp.MustCompile(`^(?:Error|ErrImagePull|ImagePullBackOff):\s*`),
	// The daemon of docker answers 500 for whatever went wrong at a registry.
	regexp.MustCompile(`^(?:API error \(\d+\):|\(HTTP code \d+\) [\w ]+ -|HTTP code is \d+ which indicates error: [\w ]+ -)\s*`),
	regexp.MustCompile(`(?s)^(?:Error syncing pod, skipping: )?failed to "StartContainer" for "[^"]*" ` +
		`with (?:ErrImagePull|ImagePullBackOff): "(.*)"$`),
}

// maxWrappers is how many layers are taken off: there are five at most, and a registry can write thousands, each of which costs a look
// at all that is left.
const maxWrappers = 32

// unwrap takes off the wrappers and undoes the escapes of a message that was quoted.
func unwrap(message string) string {
	for range maxWrappers {
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
	return message
}

// unescape undoes one level of quoting where all quotes are escaped. Line breaks are undone in any case: they part
// the lines of a registry's answer.
func unescape(message string) string {
	if !strings.Contains(strings.ReplaceAll(message, `\"`, ""), `"`) {
		message = strings.ReplaceAll(message, `\"`, `"`)
	}
	return strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(message)
}

// begins are the words with which kubelets and runtimes begin the cause of one try.
const begins = `(?:rpc error: code = |failed to (?:pull|resolve|copy|authorize) |Error response from daemon|` +
	`(?:Error )?(?:[Ii]nitializing source|[Rr]eading manifest|[Pp]inging |[Dd]etermining manifest)|` +
	`unable to (?:copy|retrieve|pull) |copying |writing blob|parsing image|choosing |fetching |trying to reuse blob|` +
	`short[- ]name|[Rr]equesting bearer token|too many requests|` +
	`RegistryUnavailable|SignatureValidationFailed|pull QPS exceeded)`

var (
	// list is the kubelet's list of several tries, perhaps cut off.
	list = regexp.MustCompile(`(?s)^\[+(?:.*\]$|` + begins + `)`)
	// nextCause finds where another try begins in it: after a comma.
	nextCause = regexp.MustCompile(`, \[*` + begins)
	// lines is the list of podman and CRI-O for several registries.
	lines = regexp.MustCompile(`(?s)^.*?\d+ errors occurred[^\n]*\n\s*\* (.*)$`)
	// nextLine finds where another registry begins in it.
	nextLine = regexp.MustCompile(`\n\s*\* `)
	// secondTry is how CRI-O goes on where an image could not be pulled: it asks for the same thing as an artifact.
	secondTry = regexp.MustCompile(`(?s); artifact err: .*`)
)

// causes parts a list of several tries. Any other message is one cause.
func causes(message string) []string {
	if match := lines.FindStringSubmatch(message); match != nil {
		return nextLine.Split(match[1], -1)
	}
	if !list.MatchString(message) {
		return []string{secondTry.ReplaceAllString(message, "")}
	}
	var parts []string
	start := 0
	for _, at := range nextCause.FindAllStringIndex(message, -1) {
		parts = append(parts, part(message[start:at[0]]))
		start = at[0] + len(", ")
	}
	return append(parts, part(message[start:]))
}

// part is one cause of a list, without the brackets of the list.
func part(cause string) string {
	return secondTry.ReplaceAllString(unwrap(strings.Trim(cause, "[] ")), "")
}
