package verify

import (
	"fmt"
	"strings"

	"regcred.dev/regcred/internal/foreign"
)

// longestName is the most bytes of a host or an image in a message. An [Answer] has room for two of them, and for what to do.
const longestName = 150

func shown(name string) string { return foreign.Text(name, longestName) }

// notTestable is the result where nothing is asked of anybody.
func notTestable(host, image, detail string) Result {
	found := finding{Result: Result{Registry: host, Image: image, Reason: NotTestable}, detail: detail}
	return found.describe()
}

// describe completes a result.
func (f finding) describe() Result {
	f.Outcome = f.Reason.Outcome()
	f.Message = foreign.Message(f.message())
	return f.Result
}

// message says what happened, where, and what to do next.
func (f finding) message() string {
	if say, known := messages[f.Reason]; known {
		return say(f, f.who(), f.where())
	}
	return fmt.Sprintf("nothing was tested: %s", f.detail)
}

// How a message promises that the operator asks again. It ends with that.
const again, againLater, againInterrupted = "; this is tried again", ": this is tried again later", ": it is tried again"

// AskedOnce is a message of a result without the promise that the registry is asked again, for whoever asks it once.
func AskedOnce(message string) string {
	for _, promise := range []string{again, againLater, againInterrupted} {
		message = strings.TrimSuffix(message, promise)
	}
	return message
}

// messages by reason, made of the finding, who answered, and where. They begin with who answered and end with what to do next.
var messages = map[Reason]func(f finding, who, where string) string{
	LoginAccepted: func(_ finding, who, _ string) string { return who + " accepts the login" },
	PullAllowed: func(f finding, who, _ string) string {
		return fmt.Sprintf("%s lets this credential pull %s", who, shown(f.Image))
	},
	LoginFailed: asked("%s refuses the login (%s): check user name and password in the source"),
	PullDenied: func(f finding, who, where string) string {
		return fmt.Sprintf("%s does not let this credential pull %s (%s): give its account the right to pull, or name another image", who, shown(f.Image), where)
	},
	LoginUnproven: asked("%s answers without looking at the credential (%s): to test it, name an image that not everybody can pull"),
	ImageNotFound: func(f finding, who, where string) string {
		return fmt.Sprintf("%s has no image %s, or hides it from this credential (%s): check the name and the right to pull", who, shown(f.Image), where)
	},
	RateLimited:   asked("%s limits how often it may be asked (%s)" + againLater),
	RegistryError: asked("%s gives no useful answer (%s): look at the registry" + again),
	Unreachable:   asked("%s cannot be reached (%s): check name, DNS and network policies"),
	TLSFailed: func(f finding, who, where string) string {
		return fmt.Sprintf("the TLS connection to %s failed (%s): %s", who, where, f.advice)
	},
	Timeout: asked("%s did not answer in time (%s): check the registry and network policies" + again),
	Canceled: func(f finding, _, _ string) string {
		return fmt.Sprintf("the test at %s was interrupted"+againInterrupted, shown(f.Registry))
	},
	RedirectRefused: asked("%s leads to another origin (%s), where the credential is not taken: name the registry that it leads to"),
	TokenRealmRefused: func(f finding, _, where string) string {
		return fmt.Sprintf("the token endpoint that %s names is not asked (%s): correct the realm in the registry's configuration", shown(f.Registry), where)
	},
	ProxyFailed: func(f finding, _, _ string) string {
		f.way = "" // which the detail names
		return fmt.Sprintf("%s was not asked: %s", f.who(), f.detail)
	},
	AddressRefused: func(f finding, _, where string) string {
		return fmt.Sprintf("%s is not asked (%s): correct its name or DNS entry, or allow loopback addresses if that is meant", shown(f.Registry), where)
	},
}

// asked is a message of who answered and where alone.
func asked(format string) func(finding, string, string) string {
	return func(_ finding, who, where string) string { return fmt.Sprintf(format, who, where) }
}

// who names the other side.
func (f finding) who() string {
	if f.Step == StepToken {
		return "the token endpoint of " + shown(f.Registry) + f.way
	}
	return shown(f.Registry) + f.way
}

// where names the request that decided and what came of it.
func (f finding) where() string {
	request := map[Step]string{
		StepPing:  "request to /v2/",
		StepBasic: "login at /v2/",
		StepToken: "request for a token",
		StepHead:  "HEAD of the manifest",
	}[f.Step]
	switch {
	case f.StatusCode != 0 && f.detail != "":
		return fmt.Sprintf("%s: status %d, %s", request, f.StatusCode, f.detail)
	case f.StatusCode != 0:
		return fmt.Sprintf("%s: status %d", request, f.StatusCode)
	case f.detail != "":
		return fmt.Sprintf("%s: %s", request, f.detail)
	default:
		return request
	}
}
