package rotation

import (
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// The registry took it once and refuses it since. Put in use again without a proof, it is one that never worked: it is not said to be accepted, and does
// not push out the one that works.
func TestAValueThatComesBackIsNotAcceptedByWhatWasSaidWhileItWasInUseBefore(t *testing.T) {
	spec, s := asking()
	s.know(spec, 2, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(1), Time: minute(1), Attempt: minute(1)})
	s.Publish(spec, minute(2))
	s.know(spec, 2, Test{Verdict: Rejected, Since: minute(4), Time: minute(4), Attempt: minute(4)})
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(5), Time: minute(5), Attempt: minute(5)})
	if s.VerifiedTime.IsZero() || !s.restores(spec) {
		t.Fatal("it was not accepted, or regcred does not go back from it, so that this test finds nothing")
	}
	s.Restore(spec, minute(6))
	unasked, _ := asking()
	unasked.Mode = v1alpha1.VerifyDisabled
	s.Publish(unasked, minute(8)) // before the source, which is away, was read again
	if !s.VerifiedTime.IsZero() || s.Proof != "" {
		t.Errorf("it comes back unproven, and was accepted at %s by %q", s.VerifiedTime, s.Proof)
	}
	third := (&world{now: start}).value(3)
	third.SpecHash = spec.SpecHash
	s.Waiting = &Waiting{Value: third, FirstSeen: minute(9)}
	s.Publish(unasked, minute(10))
	if s.Previous == nil || !s.Previous.has(accountOf(1, hostA).Print) {
		t.Errorf("the one that works is not kept: the one before is %+v", s.Previous)
	}
}
