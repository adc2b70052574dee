package rotation

import "testing"

// Each pass would else write the record.
func TestAVerdictIsNotedOnce(t *testing.T) {
	spec, s := asking()
	s.know(spec, 1, Test{Verdict: Rejected, Since: minute(1), Time: minute(1)})
	if !s.VerdictUnnoted(spec) {
		t.Error("it is refused, and that is not to be noted")
	}
	if s.NoteVerdict(spec, minute(1)); s.VerdictUnnoted(spec) || !s.RefusedTime.Equal(minute(1)) {
		t.Errorf("refused since %s, to be noted again: %t", s.RefusedTime, s.VerdictUnnoted(spec))
	}
	s.know(spec, 1, Test{Verdict: Rejected, Since: minute(1), Time: minute(2), Repeats: 1})
	if s.NoteVerdict(spec, minute(2)); !s.RefusedTime.Equal(minute(1)) {
		t.Errorf("refused again, it is refused since %s", s.RefusedTime)
	}
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(3), Time: minute(3)})
	if !s.VerdictUnnoted(spec) {
		t.Error("it is accepted, and that is not to be noted")
	}
	if s.NoteVerdict(spec, minute(3)); s.VerdictUnnoted(spec) || !s.RefusedTime.IsZero() || !s.VerifiedTime.Equal(minute(3)) {
		t.Errorf("first accepted at %s, refused since %s", s.VerifiedTime, s.RefusedTime)
	}
	s.know(spec, 1, Test{Verdict: Rejected, Since: minute(4), Time: minute(4)})
	s.NoteVerdict(spec, minute(4))
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(5), Time: minute(5)})
	if s.NoteVerdict(spec, minute(5)); s.VerdictUnnoted(spec) || !s.RefusedTime.IsZero() || !s.VerifiedTime.Equal(minute(3)) {
		t.Errorf("accepted again, it was first at %s, refused since %s", s.VerifiedTime, s.RefusedTime)
	}
	s.know(spec, 1, Test{Verdict: Rejected, Since: minute(6), Time: minute(6)})
	s.Config = nil
	if s.NoteVerdict(spec, minute(6)); !s.RefusedTime.IsZero() || s.VerdictUnnoted(spec) {
		t.Error("a value that is not in use is refused")
	}
}
