package verify

import (
	"strings"
	"testing"
)

func TestWhatIsToldOfAHost(t *testing.T) {
	accepted, refused := login(LoginAccepted, 200), login(LoginFailed, 401)
	wildcard := hostQuestion{host: "r.io", wildcard: true}
	for _, test := range []struct {
		name string
		e    evidence
		says string
	}{
		{"a refusal behind a wildcard, and nobody who logs in", evidence{hostQuestion: wildcard, login: refused}, "name it in spec.registries"},
		{"a refusal behind a wildcard, and the value in use logs in", evidence{hostQuestion: wildcard, login: refused, inUse: &accepted}, "accepts that of the value in use"},
		{"an odd refusal, and nobody who logs in", evidence{login: login(RegistryError, 400)}, "look at the registry"},
		{"an image that is denied to it alone", evidence{hostQuestion: hostQuestion{host: "r.io"}, login: accepted, pulls: pullsOf(PullDenied), inUse: &accepted, inUsePulls: map[string]Result{"r.io/a": pulled("r.io/a", PullAllowed)}},
			"r.io denies pulling r.io/a with it (status 403), and the value in use can pull it"},
		{"images that nobody can pull", evidence{login: accepted, pulls: pullsOf(ImageNotFound)}, "name one in spec.verification.images"},
	} {
		if got := judge(plan{}, []evidence{test.e}); !strings.Contains(got.Message, test.says) {
			t.Errorf("%s: %q", test.name, got.Message)
		}
	}
}

func TestAnAnswerIsShortAndHoldsTheDigestsThatAreKnown(t *testing.T) {
	long := login(LoginAccepted, 200)
	long.Message = strings.Repeat("x", 2*messageLength)
	pulls := pullsOf(PullAllowed, PullAllowed)
	pulls[0].Digest = "sha256:0"
	got := judge(plan{}, []evidence{{login: long, inUse: &long}})
	if len(got.Message) > messageLength || len(got.InUseMessage) > messageLength {
		t.Errorf("the messages have %d and %d bytes", len(got.Message), len(got.InUseMessage))
	}
	if got = judge(plan{}, []evidence{{login: long, pulls: pulls}}); len(got.Digests) != 1 || got.Digests["r.io/a"] != "sha256:0" {
		t.Errorf("the digests are %v", got.Digests)
	}
	if got = judge(plan{unreadable: []string{":::"}}, nil); got.NoRegistry || got.Verdict != ValueUnknown {
		t.Errorf("where nobody is asked: %+v", got)
	}
}

func TestWhatIsNoRegistry(t *testing.T) {
	for _, test := range []struct {
		result Result
		want   bool
	}{
		{said("", RegistryError, StepPing, 404), true}, {said("", RegistryError, StepPing, 499), true}, {said("", RegistryError, StepPing, 500), false}, {said("", RegistryError, StepToken, 404), false},
		{said("", Timeout, StepPing, 0), true}, {said("", Timeout, StepToken, 0), false}, {said("", ProxyFailed, StepPing, 0), false}, {said("", LoginFailed, StepPing, 401), false},
	} {
		if got := test.result.noRegistry(); got != test.want {
			t.Errorf("%+v: %t", test.result, got)
		}
	}
}
