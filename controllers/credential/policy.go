package credential

import (
	"slices"
	"time"

	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/verify"
)

// judge says what the answers of one registry mean for a value. named are the images of the spec; the others were sampled.
// published says of an image whether the published value can pull it.
func judge(results []verify.Result, named []string, published func(image string) bool) (records.Verdict, string) {
	verdict, message := records.Unknown, "there was nothing to ask the registry for"
	for _, result := range results {
		switch {
		case result.Reason == verify.LoginFailed:
			return records.Rejected, result.Message
		case result.Reason == verify.PullDenied && slices.Contains(named, result.Image):
			return records.Rejected, result.Message
		case result.Reason == verify.PullDenied && published(result.Image):
			return records.Rejected, result.Message + "; the published credential can pull it"
		case slices.Contains(named, result.Image) && result.Outcome != verify.Valid:
			// An image that somebody named must be pulled: another one that can be does not stand for it.
			return records.Unknown, result.Message
		case result.Outcome == verify.Valid:
			verdict, message = records.Accepted, result.Message
		case verdict != records.Accepted:
			message = result.Message
		}
	}
	return verdict, message
}

// combine sums up what several registries say: one that refuses is enough to refuse, one that says nothing leaves it open.
func combine(tests []records.Test) (records.Verdict, string) {
	for _, verdict := range []records.Verdict{records.Rejected, records.Unknown, ""} {
		for _, test := range tests {
			if test.Verdict == verdict {
				return verdict, test.Message
			}
		}
	}
	if len(tests) == 0 {
		return records.Unknown, ""
	}
	return records.Accepted, tests[0].Message
}

// decision about a new value.
type decision int

const (
	hold decision = iota
	refuse
	publishProven
	publishUnproven
)

// decide says what to do with a new value. A value that was rejected is never published. One that could not be proven is held
// for a while, and published then: a registry that nodes reach and the operator does not must not block rotation for ever.
func decide(verdict records.Verdict, firstSeen time.Time, holdFor time.Duration, published publishedState, now time.Time) (decision, time.Time) {
	until := firstSeen.Add(holdFor)
	if published.rejected {
		until = firstSeen
	}
	if !published.expires.IsZero() && published.expires.Before(until) {
		until = published.expires
	}
	switch {
	case verdict == records.Rejected:
		return refuse, time.Time{}
	case verdict == records.Accepted:
		return publishProven, time.Time{}
	case !now.Before(until):
		return publishUnproven, time.Time{}
	}
	return hold, until
}

// publishedState is what is known of the value in use when a new one waits.
type publishedState struct {
	rejected bool
	expires  time.Time
}

// nextTest says when to test a value again: what is accepted, after the period; what is not, sooner, and then less and less
// often, because every test with a wrong password brings an account nearer to being locked. A last test that lies ahead was noted
// by a clock that was wrong, and would block all tests until then.
func nextTest(last records.Test, period time.Duration, now time.Time) time.Time {
	if last.Time.After(now.Add(verify.MinInterval)) {
		return now
	}
	wait := period
	if last.Verdict != records.Accepted {
		wait = verify.MinInterval
		if last.Verdict == records.Rejected {
			for i := 1; i < last.Repeats && wait < period; i++ {
				wait *= 2
			}
		}
	}
	return last.Time.Add(max(min(wait, period), verify.MinInterval))
}
