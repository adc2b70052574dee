package verify

import (
	"fmt"
	"time"

	"regcred.dev/regcred/internal/foreign"
)

// judge sums up what the hosts of a question said. One that refuses is enough to refuse. Of several hosts behind a wildcard one that
// accepts is enough to accept: the others may be somebody else's.
func judge(q *Question, reports []report) Answer {
	var answer Answer
	for i := range reports {
		next := judgeHost(q, &reports[i])
		if i == 0 || outranks(next.Verdict, answer.Verdict) {
			next.InUse, next.InUseMessage = firstSaid(answer, next)
			next.Digests, next.RetryAfter = merged(answer, next)
			answer = next
			continue
		}
		answer.InUse, answer.InUseMessage = firstSaid(answer, next)
		answer.Digests, answer.RetryAfter = merged(answer, next)
	}
	answer.Message = foreign.Text(answer.Message, messageLength)
	answer.InUseMessage = foreign.Text(answer.InUseMessage, messageLength)
	answer.RetryAfter = min(answer.RetryAfter, MaxRetryAfter)
	return answer
}

func outranks(a, b Verdict) bool {
	rank := map[Verdict]int{ValueUnknown: 0, ValueAccepted: 1, ValueRejected: 2}
	return rank[a] > rank[b]
}

func firstSaid(a, b Answer) (Verdict, string) {
	if a.InUse != "" {
		return a.InUse, a.InUseMessage
	}
	return b.InUse, b.InUseMessage
}

func merged(a, b Answer) (digests map[string]string, retry time.Duration) {
	for _, from := range []map[string]string{a.Digests, b.Digests} {
		for image, digest := range from {
			if digests == nil {
				digests = map[string]string{}
			}
			digests[image] = digest
		}
	}
	return digests, max(a.RetryAfter, b.RetryAfter)
}

// judgeHost says what one host's answers mean for the value.
func judgeHost(q *Question, r *report) Answer {
	answer := Answer{Verdict: ValueUnknown, Message: r.login.Message, RetryAfter: r.login.RetryAfter}
	if r.inUseLogin != nil {
		answer.InUse, answer.InUseMessage = verdictOf(*r.inUseLogin), r.inUseLogin.Message
	}
	switch {
	case r.login.Reason == LoginFailed && !r.wildcard:
		answer.Verdict = ValueRejected
	case r.login.Reason == LoginFailed || r.login.unclear():
		if answer.InUse == ValueAccepted {
			answer.Verdict = ValueRejected
			answer.Message = fmt.Sprintf("%s answers %d to the login, and accepts the credential in use: check user name and password in the source", r.host, r.login.StatusCode)
		}
	case !r.login.letsIn():
	case len(q.Named) > 0 && len(r.images) > 0:
		judgeNamed(r, &answer)
	default:
		judgeSampled(r, &answer)
	}
	return answer
}

func verdictOf(login Result) Verdict {
	switch login.Outcome {
	case Valid:
		return ValueAccepted
	case Rejected:
		return ValueRejected
	}
	return ValueUnknown
}

// judgeNamed: whoever names images means all of them. One that is denied refuses the value, wherever it stands in the list; one that
// could not be tested leaves it open.
func judgeNamed(r *report, answer *Answer) {
	answer.Verdict, answer.Proof = ValueAccepted, ProvenByPull
	for _, result := range r.images {
		answer.note(result)
		denied := result.Reason == PullDenied || result.Reason == LoginFailed && !r.wildcard
		switch {
		case denied && answer.Verdict != ValueRejected:
			answer.Verdict, answer.Proof, answer.Message = ValueRejected, "", result.Message
		case denied:
		case result.Outcome != Valid && answer.Verdict == ValueAccepted:
			answer.Verdict, answer.Proof, answer.Message = ValueUnknown, "", result.Message
		case result.Outcome == Valid && answer.Verdict == ValueAccepted:
			answer.Message = result.Message
		}
	}
}

// judgeSampled: an image in use may belong to another credential. One that is denied refuses the value only where the value in use can
// pull it, and one that is gone says nothing: then the login is what was proven.
func judgeSampled(r *report, answer *Answer) {
	pulled, open := Result{}, Result{}
	for _, result := range r.images {
		answer.note(result)
		switch {
		case result.Reason == LoginFailed && !r.wildcard:
			answer.Verdict, answer.Message = ValueRejected, result.Message
			return
		case result.Reason == PullDenied && r.inUsePulls[result.Image]:
			answer.Verdict, answer.Message = ValueRejected, result.Message+"; the credential in use can pull it"
			return
		case result.Outcome == Valid:
			pulled = result
		case result.Reason != ImageNotFound:
			open = result
		}
	}
	switch {
	case pulled.Outcome == Valid:
		answer.Verdict, answer.Proof, answer.Message = ValueAccepted, ProvenByPull, pulled.Message
	case open.Reason != "":
		answer.Message = open.Message
	case r.login.Reason == LoginAccepted:
		answer.Verdict, answer.Proof = ValueAccepted, ProvenByLogin
	}
}

// note takes over what may be used of an image's result whatever the verdict is.
func (a *Answer) note(result Result) {
	a.RetryAfter = max(a.RetryAfter, result.RetryAfter)
	if result.Digest == "" {
		return
	}
	if a.Digests == nil {
		a.Digests = map[string]string{}
	}
	a.Digests[result.Image] = result.Digest
}
