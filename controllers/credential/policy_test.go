package credential

import (
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

func answer(reason verify.Reason, image string) verify.Result {
	return verify.Result{Reason: reason, Outcome: reason.Outcome(), Image: image, Message: string(reason)}
}

func TestWhatTheAnswersOfARegistryMean(t *testing.T) {
	const named, sample, other = "r.example/named:1", "r.example/sample:1", "r.example/other:1"
	pulls := func(images ...string) func(string) bool {
		return func(image string) bool {
			for _, i := range images {
				if i == image {
					return true
				}
			}
			return false
		}
	}
	for _, test := range []struct {
		name      string
		results   []verify.Result
		named     []string
		published func(string) bool
		want      records.Verdict
	}{
		{"a login that fails refuses the value", []verify.Result{answer(verify.LoginFailed, "")}, nil, pulls(), records.Rejected},
		{"a login that succeeds accepts it", []verify.Result{answer(verify.LoginAccepted, "")}, nil, pulls(), records.Accepted},
		{"a named image that is denied refuses it", []verify.Result{answer(verify.PullDenied, named)}, []string{named}, pulls(), records.Rejected},
		{"a named image that can be pulled accepts it", []verify.Result{answer(verify.PullAllowed, named)}, []string{named}, pulls(), records.Accepted},
		{"one named image of two that is denied refuses it", []verify.Result{answer(verify.PullAllowed, named), answer(verify.PullDenied, other)}, []string{named, other}, pulls(), records.Rejected},
		{"a named image that does not exist leaves it open", []verify.Result{answer(verify.PullAllowed, other), answer(verify.ImageNotFound, named)}, []string{named, other}, pulls(), records.Unknown},
		{"a sampled image of another team that is denied leaves it open", []verify.Result{answer(verify.PullDenied, sample)}, nil, pulls(), records.Unknown},
		{"a sampled image that the published value can pull and the new one cannot refuses it", []verify.Result{answer(verify.PullDenied, sample)}, nil, pulls(sample), records.Rejected},
		{"one sampled image that can be pulled accepts it beside one of another team", []verify.Result{answer(verify.PullDenied, sample), answer(verify.PullAllowed, other)}, nil, pulls(), records.Accepted},
		{"a registry that cannot be reached leaves it open", []verify.Result{answer(verify.Unreachable, "")}, nil, pulls(), records.Unknown},
		{"a rate limit leaves it open", []verify.Result{answer(verify.RateLimited, sample)}, nil, pulls(sample), records.Unknown},
		{"a 404 for a sampled image leaves it open", []verify.Result{answer(verify.ImageNotFound, sample)}, nil, pulls(sample), records.Unknown},
		{"no answer at all leaves it open", nil, nil, pulls(), records.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, message := judge(test.results, test.named, test.published); got != test.want || message == "" {
				t.Errorf("got %s (%q), want %s with a message", got, message, test.want)
			}
		})
	}
}

func TestOneRegistryThatRefusesIsEnough(t *testing.T) {
	accepted, unknown, rejected := records.Test{Verdict: records.Accepted}, records.Test{Verdict: records.Unknown}, records.Test{Verdict: records.Rejected}
	for _, test := range []struct {
		name  string
		tests []records.Test
		want  records.Verdict
	}{
		{"all accept", []records.Test{accepted, accepted}, records.Accepted},
		{"one refuses", []records.Test{accepted, rejected, unknown}, records.Rejected},
		{"one does not say", []records.Test{accepted, unknown}, records.Unknown},
		{"nothing was asked", nil, records.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, _ := combine(test.tests); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestWhatIsDoneWithANewValue(t *testing.T) {
	seen := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const holdFor = 2 * time.Minute
	for _, test := range []struct {
		name      string
		verdict   records.Verdict
		published publishedState
		after     time.Duration
		want      decision
	}{
		{"what is accepted is published at once", records.Accepted, publishedState{}, 0, publishProven},
		{"what is refused is never published", records.Rejected, publishedState{}, 1000 * time.Hour, refuse},
		{"what is refused is not published even where the old value is refused, too", records.Rejected, publishedState{rejected: true}, time.Hour, refuse},
		{"what is not known is held", records.Unknown, publishedState{}, time.Minute, hold},
		{"what is not known is published unproven when the time is over", records.Unknown, publishedState{}, holdFor, publishUnproven},
		{"it is not held where the old value is refused", records.Unknown, publishedState{rejected: true}, 0, publishUnproven},
		{"it is held no longer than the old value lives", records.Unknown, publishedState{expires: seen.Add(time.Minute)}, time.Minute, publishUnproven},
		{"it is held until the old value ends", records.Unknown, publishedState{expires: seen.Add(time.Minute)}, time.Second, hold},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, _ := decide(test.verdict, seen, holdFor, test.published, seen.Add(test.after)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestAWrongPasswordIsTriedLessAndLessOften(t *testing.T) {
	const period = 10 * time.Minute
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		last records.Test
		want time.Duration
	}{
		{"a value that was never tested is tested at once", records.Test{}, 0},
		{"what is accepted is tested after the period", records.Test{Time: at, Verdict: records.Accepted, Repeats: 9}, period},
		{"a test that a crash cut short counts", records.Test{Time: at}, 30 * time.Second},
		{"what is not known is asked again after 30 s", records.Test{Time: at, Verdict: records.Unknown, Repeats: 9}, 30 * time.Second},
		{"what was refused once is asked again after 30 s", records.Test{Time: at, Verdict: records.Rejected, Repeats: 1}, 30 * time.Second},
		{"then after 60 s", records.Test{Time: at, Verdict: records.Rejected, Repeats: 2}, time.Minute},
		{"what was tested by a clock that was wrong is tested at once", records.Test{Time: at.Add(time.Hour), Verdict: records.Rejected, Repeats: 50}, 0},
		{"what was tested by a clock that is a little ahead waits its time", records.Test{Time: at.Add(10 * time.Second), Verdict: records.Unknown}, 40 * time.Second},
		{"and at last once in a period", records.Test{Time: at, Verdict: records.Rejected, Repeats: 50}, period},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := nextTest(test.last, period, at)
			if test.last.Time.IsZero() {
				if got.After(at) {
					t.Errorf("got %s, want a time that is past", got)
				}
				return
			}
			if got.Sub(at) != test.want {
				t.Errorf("got %s after, want %s", got.Sub(at), test.want)
			}
		})
	}
}

func TestPeopleAreWarnedBeforeTheEnd(t *testing.T) {
	read := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name       string
		life, want time.Duration
	}{
		{"at a fifth of a short life", 10 * time.Hour, 8 * time.Hour},
		{"seven days before the end of a long one", 365 * 24 * time.Hour, 358 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			record := records.Record{Memo: records.Memo{ReadTime: read, ExpireTime: read.Add(test.life)}}
			if got := warnAt(record).Sub(read); got != test.want {
				t.Errorf("got %s after the read, want %s", got, test.want)
			}
		})
	}
	if !warnAt(records.Record{}).IsZero() {
		t.Error("a credential whose end is not known is warned of")
	}
}

func TestTheWarningSaysWhoHasToAct(t *testing.T) {
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		minted bool
		says   string
	}{{true, "regcred goes on asking its source"}, {false, "somebody must store a new one"}} {
		got := expiryMessage(records.Record{Memo: records.Memo{ExpireTime: end, Minted: test.minted}})
		if !strings.Contains(got, test.says) || !strings.Contains(got, "2026-01-01T00:00:00Z") {
			t.Errorf("minted is %t: %s", test.minted, got)
		}
	}
}

func TestARefusalIsToldApartAsFarAsTheEvidenceGoes(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		record records.Memo
		memory memory
		says   string
	}{
		{"its end has passed", records.Memo{ExpireTime: now.Add(-time.Hour)}, memory{lastRead: now}, "expired at 2026-01-01T11:00:00Z: store a new one"},
		{"its end has passed, and regcred gets new ones itself", records.Memo{ExpireTime: now.Add(-time.Hour), Minted: true}, memory{lastRead: now}, "no new one was obtained"},
		{"the source has another value", records.Memo{ExpireTime: now.Add(time.Hour)}, memory{lastRead: now, candidate: &source.Snapshot{Revision: "8"}}, "rotated: the source has revision 8"},
		{"the source was read and has the same value", records.Memo{}, memory{lastRead: now}, "changed or revoked at the registry alone"},
		{"the source is still to be read", records.Memo{}, memory{lastRead: now, readNow: true}, "not known yet"},
		{"the source cannot be read", records.Memo{}, memory{lastRead: now, fault: &source.Error{}}, "not known yet"},
		{"the source gives another value to each read", records.Memo{Lease: &source.Lease{}}, memory{lastRead: now}, "not known yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := statusFacts{record: records.Record{Memo: test.record}, memory: &test.memory}
			if got := f.evidence(now); !strings.Contains(got, test.says) {
				t.Errorf("got %q, want %q", got, test.says)
			}
		})
	}
}
