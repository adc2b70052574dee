package verify

import (
	"fmt"

	"regcred.dev/regcred/internal/foreign"
)

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
	switch who, where := f.who(), f.where(); f.Reason {
	case LoginAccepted:
		return fmt.Sprintf("%s accepts the login", who)
	case PullAllowed:
		return fmt.Sprintf("%s lets this credential pull %s", who, foreign.Name(f.Image))
	case LoginFailed:
		return fmt.Sprintf("%s refuses the login (%s): check user name and password in the source", who, where)
	case PullDenied:
		return fmt.Sprintf("%s does not let this credential pull %s (%s): give its account the right to pull, or name another image", who, foreign.Name(f.Image), where)
	case LoginUnproven:
		return fmt.Sprintf("%s answers without looking at the credential (%s): to test it, name an image that not everybody can pull", who, where)
	case ImageNotFound:
		return fmt.Sprintf("%s has no image %s, or hides it from this credential (%s): check the name and the right to pull", who, foreign.Name(f.Image), where)
	case RateLimited:
		return fmt.Sprintf("%s limits how often it may be asked (%s): this is tried again later", who, where)
	case RegistryError:
		return fmt.Sprintf("%s gives no useful answer (%s): look at the registry; this is tried again", who, where)
	case Unreachable:
		return fmt.Sprintf("%s cannot be reached (%s): check name, DNS and network policies", who, where)
	case TLSFailed:
		return fmt.Sprintf("the TLS connection to %s failed (%s): give its CA with --registry-ca, or list it in --insecure-registries if it speaks plain http", who, where)
	case Timeout:
		return fmt.Sprintf("%s did not answer in time (%s): check the registry and network policies; this is tried again", who, where)
	case Canceled:
		return fmt.Sprintf("the test at %s was interrupted: it is tried again", foreign.Name(f.Registry))
	case RedirectRefused:
		return fmt.Sprintf("%s leads to another origin (%s), where the credential is not taken: name the registry that it leads to", who, where)
	case TokenRealmRefused:
		return fmt.Sprintf("the token endpoint that %s names is not asked (%s): correct the realm in the registry's configuration", foreign.Name(f.Registry), where)
	case ProxyFailed:
		f.way = "" // which the detail names
		return fmt.Sprintf("%s was not asked: %s", f.who(), f.detail)
	case AddressRefused:
		return fmt.Sprintf("%s is not asked (%s): correct its name or DNS entry, or allow loopback addresses if that is meant", foreign.Name(f.Registry), where)
	default:
		return fmt.Sprintf("nothing was tested: %s", f.detail)
	}
}

// who names the other side.
func (f finding) who() string {
	if f.Step == StepToken {
		return "the token endpoint of " + foreign.Name(f.Registry) + f.way
	}
	return foreign.Name(f.Registry) + f.way
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
