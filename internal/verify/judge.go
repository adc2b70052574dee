package verify

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"regcred.dev/regcred/internal/foreign"
)

// usable reports whether a login leaves the question of images open.
func (r Result) usable() bool { return r.Reason == LoginAccepted || r.Reason == LoginUnproven }

// unclear reports whether a registry answered a login that it asked for with something that is neither yes, nor no, nor "not now".
// Token services say no in many ways: those of ECR and Google answer 400, others 403 with text.
func (r Result) unclear() bool {
	asked := r.Step == StepBasic || r.Step == StepToken
	later := r.StatusCode == http.StatusRequestTimeout || r.StatusCode == http.StatusTooEarly ||
		r.StatusCode == http.StatusTooManyRequests || r.StatusCode >= http.StatusInternalServerError
	return asked && r.StatusCode != 0 && !later && !r.usable() && r.Reason != LoginFailed
}

// noRegistry reports whether nothing was there that answered as a registry does. What a proxy says is not about the registry.
func (r Result) noRegistry() bool {
	switch r.Reason {
	case Unreachable, TLSFailed, Timeout, AddressRefused:
		return r.Step == StepPing
	case RegistryError:
		return r.Step == StepPing && r.StatusCode < http.StatusInternalServerError
	}
	return false
}

// loginDisputed reports whether what the login says depends on what the value in use is told.
func (e evidence) loginDisputed() bool {
	return e.login.unclear() || e.wildcard && e.login.Reason == LoginFailed
}

// disputed are the images that were denied and may be meant for another credential.
func (e evidence) disputed(named bool) []string {
	var images []string
	for _, pull := range e.pulls {
		if !named && pull.Reason == PullDenied {
			images = append(images, pull.Image)
		}
	}
	return images
}

func (e evidence) inUseLogsIn() bool { return e.inUse != nil && e.inUse.Reason == LoginAccepted }

// judge joins what the hosts of a question said.
func judge(p plan, found []evidence) Answer {
	answers := make([]Answer, 0, len(found))
	for _, e := range found {
		answers = append(answers, e.judge(p.named))
	}
	for _, image := range p.unreadable {
		answers = append(answers, Answer{Verdict: ValueUnknown, Message: fmt.Sprintf(
			"%s is no image reference of at most %d bytes: correct it in spec.verification.images", shown(image), MaxImageLength)})
	}
	if len(answers) == 0 {
		return Answer{Verdict: ValueUnknown, Message: "nothing was tested: a key with wildcards names no single registry, and no image that it covers is known; name one in spec.verification.images"}
	}
	joined := answers[slices.IndexFunc(answers, func(a Answer) bool { return a.weight(p.named) == heaviest(answers, p.named) })]
	joined.Digests = nil
	joined.NoRegistry = len(found) > 0 && !slices.ContainsFunc(found, func(e evidence) bool { return !e.login.noRegistry() })
	for _, a := range answers {
		joined.add(a)
	}
	joined.Message, joined.InUseMessage = foreign.Text(joined.Message, messageLength), foreign.Text(joined.InUseMessage, messageLength)
	return joined
}

// weight orders answers: of several the heaviest decides. Each host of named images has to accept; of images in use one is enough,
// because the others can be somebody else's.
func (a Answer) weight(named bool) int {
	switch {
	case a.Verdict == ValueRejected:
		return 4
	case a.Verdict == ValueUnknown && named:
		return 3
	case a.Proof == ProvenByPull:
		return 2
	case a.Verdict == ValueAccepted:
		return 1
	default:
		return 0
	}
}

func heaviest(answers []Answer, named bool) int {
	weight := 0
	for _, a := range answers {
		weight = max(weight, a.weight(named))
	}
	return weight
}

// add keeps what else a host said.
func (a *Answer) add(other Answer) {
	a.RetryAfter = max(a.RetryAfter, other.RetryAfter)
	for image, digest := range other.Digests {
		if a.Digests == nil {
			a.Digests = map[string]string{}
		}
		a.Digests[image] = digest
	}
	if a.InUse != ValueAccepted && other.InUse != "" && (other.InUse == ValueAccepted || a.InUse != ValueRejected) {
		a.InUse, a.InUseMessage = other.InUse, other.InUseMessage
	}
}

// judge is the answer of one host.
func (e evidence) judge(named bool) Answer {
	answer := e.decide(named)
	if e.inUse != nil {
		answer.InUse, answer.InUseMessage = e.inUseVerdict(), e.inUse.Message
	}
	answer.RetryAfter = e.retryAfter(named)
	for _, pull := range e.pulls {
		if pull.Digest != "" {
			answer.add(Answer{Digests: map[string]string{pull.Image: pull.Digest}})
		}
	}
	return answer
}

// retryAfter is how long the host asks to be left alone. What it says of an image in use delays nothing: the people of one namespace choose
// that image, and the logins of everybody would wait for it. Behind a wildcard they choose the host, too.
func (e evidence) retryAfter(named bool) time.Duration {
	if e.wildcard && !named {
		return 0
	}
	wait := e.login.RetryAfter
	if e.inUse != nil {
		wait = max(wait, e.inUse.RetryAfter)
	}
	if !named {
		return wait
	}
	for _, pull := range e.pulls {
		wait = max(wait, pull.RetryAfter)
	}
	for _, pull := range e.inUsePulls {
		wait = max(wait, pull.RetryAfter)
	}
	return wait
}

// inUseVerdict is what the host said of the value in use. Behind a wildcard a refusal says nothing: the host can be somebody else's.
func (e evidence) inUseVerdict() Verdict {
	switch {
	case e.inUseLogsIn() || e.inUsePulled():
		return ValueAccepted
	case e.inUse.Reason == LoginFailed && !e.wildcard:
		return ValueRejected
	default:
		return ValueUnknown
	}
}

func (e evidence) inUsePulled() bool {
	for _, pull := range e.inUsePulls {
		if pull.Reason == PullAllowed {
			return true
		}
	}
	return false
}

func (e evidence) decide(named bool) Answer {
	switch {
	case e.login.usable() && named && len(e.pulls) > 0:
		return e.decideNamed()
	case e.login.usable() && len(e.pulls) > 0:
		return e.decideSampled()
	}
	return e.decideLogin()
}

// decideLogin has the answer to the login alone.
func (e evidence) decideLogin() Answer {
	host := shown(e.host)
	switch {
	case e.login.Reason == LoginAccepted:
		return Answer{Verdict: ValueAccepted, Proof: ProvenByLogin, Message: e.login.Message}
	case e.login.Reason == LoginFailed && !e.wildcard:
		return Answer{Verdict: ValueRejected, Message: e.login.Message}
	case e.loginDisputed() && e.inUseLogsIn():
		return Answer{Verdict: ValueRejected, Message: fmt.Sprintf(
			"%s does not accept the login (status %d), and accepts that of the value in use: correct user name and password in the source", host, e.login.StatusCode)}
	case e.login.Reason == LoginFailed:
		return Answer{Verdict: ValueUnknown, Message: fmt.Sprintf(
			"%s refuses the login (status %d), and no value in use is known to log in there: if it is your registry, name it in spec.registries", host, e.login.StatusCode)}
	default:
		return Answer{Verdict: ValueUnknown, Message: e.login.Message}
	}
}

// decideNamed wants each image. The order of the images decides which message is told, and never the verdict.
func (e evidence) decideNamed() Answer {
	if i := e.pullWith(func(r Result) bool { return r.Outcome == Rejected }); i >= 0 {
		return Answer{Verdict: ValueRejected, Message: e.pulls[i].Message}
	}
	if i := e.pullWith(func(r Result) bool { return r.Reason != PullAllowed }); i >= 0 {
		return Answer{Verdict: ValueUnknown, Message: e.pulls[i].Message}
	}
	return Answer{Verdict: ValueAccepted, Proof: ProvenByPull, Message: e.pulls[0].Message}
}

// decideSampled knows that an image in use can be gone, or meant for another credential.
func (e evidence) decideSampled() Answer {
	saysNothing := func(r Result) bool {
		return r.Reason == ImageNotFound || r.Reason == PullDenied && e.inUsePulls[r.Image].Reason == PullDenied
	}
	if i := e.pullWith(func(r Result) bool { return r.Reason == PullDenied && e.inUsePulls[r.Image].Reason == PullAllowed }); i >= 0 {
		return Answer{Verdict: ValueRejected, Message: fmt.Sprintf(
			"%s denies pulling %s with it (status %d), and the value in use can pull it: give its account the right to pull",
			shown(e.host), shown(e.pulls[i].Image), e.pulls[i].StatusCode)}
	}
	if i := e.pullWith(func(r Result) bool { return r.Reason == PullAllowed }); i >= 0 {
		return Answer{Verdict: ValueAccepted, Proof: ProvenByPull, Message: e.pulls[i].Message}
	}
	if i := e.pullWith(func(r Result) bool { return !saysNothing(r) }); i >= 0 {
		return Answer{Verdict: ValueUnknown, Message: e.pulls[i].Message}
	}
	if e.login.Reason != LoginAccepted {
		return Answer{Verdict: ValueUnknown, Message: e.login.Message}
	}
	return Answer{Verdict: ValueAccepted, Proof: ProvenByLogin, Message: e.login.Message +
		"; none of the images in use could be pulled with it or with the value in use: name one in spec.verification.images"}
}

func (e evidence) pullWith(condition func(Result) bool) int {
	return slices.IndexFunc(e.pulls, condition)
}
