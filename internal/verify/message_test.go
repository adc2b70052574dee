package verify

import (
	"strings"
	"testing"
)

func TestWhoAsksOncePromisesNothing(t *testing.T) {
	promised := 0
	for reason := range messages {
		said := finding{Result: Result{Registry: "registry.example.com", Image: "registry.example.com/shop/web:1", Step: StepHead, Reason: reason, StatusCode: 503}, detail: "what was wrong", advice: "do that"}.message()
		once := AskedOnce(said)
		if strings.Contains(said, "tried again") {
			promised++
		} else if once != said {
			t.Errorf("%s: %q becomes %q", reason, said, once)
		}
		if strings.Contains(once, "again") || !strings.HasPrefix(said, once) || !strings.Contains(once, "registry.example.com") || strings.ContainsAny(once[len(once)-1:], ":; ") {
			t.Errorf("%s: %q becomes %q", reason, said, once)
		}
	}
	if promised != 4 {
		t.Errorf("%d messages promise to ask again", promised)
	}
}

func TestAMessageSaysWhoAnsweredWhat(t *testing.T) {
	for _, test := range []struct {
		found finding
		want  string
	}{
		{finding{Result: Result{Step: StepToken, Reason: LoginFailed, StatusCode: 401}}, "the token endpoint of r.example refuses the login (request for a token: status 401): "},
		{finding{Result: Result{Step: StepBasic, Reason: LoginFailed, StatusCode: 401}}, "r.example refuses the login (login at /v2/: status 401): "},
		{finding{Result: Result{Step: StepToken, Reason: LoginFailed, StatusCode: 401}, way: " through a proxy"}, "the token endpoint of r.example through a proxy refuses the login"},
		{finding{Result: Result{Step: StepPing, Reason: RegistryError, StatusCode: 200}, detail: "it is odd"}, "r.example gives no useful answer (request to /v2/: status 200, it is odd): "},
		{finding{Result: Result{Step: StepHead, Reason: Timeout}}, "r.example did not answer in time (HEAD of the manifest): "},
		{finding{Result: Result{Step: StepHead, Reason: Unreachable}, detail: "no such host"}, "r.example cannot be reached (HEAD of the manifest: no such host): "},
		{finding{Result: Result{Step: StepPing, Reason: ProxyFailed}, detail: "the proxy p:3128 is not well", way: " (through the proxy p:3128)"}, "r.example was not asked: the proxy p:3128 is not well"},
		{finding{Result: Result{Reason: NotTestable}, detail: "there is nothing"}, "nothing was tested: there is nothing"},
	} {
		test.found.Registry = "r.example"
		if got := test.found.message(); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := New(Options{}).Ask(t.Context(), Question{}); got.Verdict != ValueUnknown || got.Message != "nothing was tested: there is no credential" {
		t.Errorf("without a credential: %+v", got)
	}
}
