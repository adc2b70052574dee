package rotation

import (
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// The fault may be corrected at the registry, and the person who asks for a read does not know of tests.
func TestWhichLoginsARequestHasTestedAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		known Test
		want  bool
	}{
		{"one that was refused before", Test{Verdict: Rejected, Attempt: minute(4)}, true},
		{"one that was tested in that moment", Test{Verdict: Rejected, Attempt: minute(5)}, false},
		{"one that was refused since", Test{Verdict: Rejected, Attempt: minute(6)}, false},
		{"one that is accepted", Test{Verdict: Accepted, Attempt: minute(4)}, false},
		{"one that was accepted, and the registry said nothing the last time", Test{Verdict: Accepted, Attempt: minute(4), Silent: 1}, true},
		{"one of which the registry said nothing ever", Test{Attempt: minute(4), Silent: 2}, true},
	} {
		spec, s := asking()
		s.Reads.RequestTime = minute(5)
		s.know(spec, 2, test.known)
		if got := s.isAskedAgain(spec, accountOf(2, hostA)); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestWhichRequestIsAnswered(t *testing.T) {
	fault := source.Transient("Unavailable", "down", nil)
	answered := Reads{Request: "now", Tried: "now", RequestTime: minute(5)}
	for _, test := range []struct {
		name    string
		request string
		reads   Reads
		known   Test
		mode    v1alpha1.VerificationMode
		want    string
		handled bool
	}{
		{"nobody asks, and a read failed", "", Reads{Request: "earlier", Tried: "earlier", Fault: fault}, Test{}, v1alpha1.VerifyPull, "", false},
		{"a read failed before anybody asked", "now", Reads{Request: "earlier", Fault: fault}, Test{}, v1alpha1.VerifyPull, "earlier", true},
		{"the read for it failed", "now", Reads{Request: "earlier", Tried: "now", Fault: fault}, Test{}, v1alpha1.VerifyPull, "now", true},
		{"the value is to be tested again", "now", answered, Test{Verdict: Rejected, Attempt: minute(4)}, v1alpha1.VerifyPull, "now", false},
		{"nobody asks registries any more", "now", answered, Test{Verdict: Rejected, Attempt: minute(4)}, v1alpha1.VerifyDisabled, "now", true},
		{"the value was tested in that moment", "now", answered, Test{Verdict: Rejected, Attempt: minute(5)}, v1alpha1.VerifyPull, "now", true},
		{"the registry said nothing of the value before", "now", answered, Test{Attempt: minute(4), Silent: 1}, v1alpha1.VerifyPull, "now", true},
		{"the value is accepted", "now", answered, Test{Verdict: Accepted, Attempt: minute(4)}, v1alpha1.VerifyPull, "now", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			spec.RefreshRequest, s.Reads = test.request, test.reads
			s.know(spec, 2, test.known)
			spec.Mode = test.mode
			got, handled := s.Handled(spec)
			if handled != test.handled || handled && got != test.want {
				t.Errorf("%q is handled: %t", got, handled)
			}
		})
	}
}

// A process that ended before the status said so had the source make a value for the request.
func TestWhichRequestAProcessThatStartsKnowsToBeAnswered(t *testing.T) {
	for _, test := range []struct {
		name                            string
		request, answered, status, want string
	}{
		{"the one for which a value was made", "now", "now", "earlier", "now"},
		{"not one that came since", "now", "earlier", "", ""},
		{"the one that the status names", "now", "earlier", "now", "now"},
		{"the one that the status names, where nothing was made and nobody asks", "", "", "earlier", "earlier"},
	} {
		s := State{Kept: Kept{Answered: test.answered}, Memory: Memory{Reads: Reads{Request: test.status}}}
		if s.Recall(&Spec{RefreshRequest: test.request}); s.Reads.Request != test.want {
			t.Errorf("%s: %q", test.name, s.Reads.Request)
		}
	}
}
