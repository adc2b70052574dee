package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func heldLease(id string) *source.Lease {
	return &source.Lease{ID: id, Obtained: start, Duration: time.Hour}
}

func TestWhatOfAValueWhoseContentIsNotKeptStaysInUse(t *testing.T) {
	before := &Value{Accounts: []Account{{Print: "a"}, {Print: "b"}}}
	for name, test := range map[string]struct {
		next []Account
		want bool
	}{
		"all of it":         {[]Account{{Print: "b"}, {Print: "a"}, {Print: "c"}}, true},
		"one login of two":  {[]Account{{Print: "a"}, {Print: "c"}}, false},
		"nothing of it":     {nil, false},
		"of two the second": {[]Account{{Print: "b"}}, false},
	} {
		if got := keepsLogins(&Value{Accounts: test.next}, before); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWhenAValueWasFirstAcceptedIsKept(t *testing.T) {
	spec, s := asking()
	s.NoteVerdict(spec, minute(1))
	if !s.VerifiedTime.IsZero() || s.Proof != "" {
		t.Errorf("nothing was said, and it was accepted at %s by %q", s.VerifiedTime, s.Proof)
	}
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofLogin, Time: minute(2)})
	s.NoteVerdict(spec, minute(2))
	if !s.VerifiedTime.Equal(minute(2)) || s.Proof != ProofLogin {
		t.Errorf("it was accepted at %s by %q", s.VerifiedTime, s.Proof)
	}
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Time: minute(9)})
	s.NoteVerdict(spec, minute(9))
	if !s.VerifiedTime.Equal(minute(2)) || s.Proof != ProofPull {
		t.Errorf("accepted again, it was first at %s, by %q now", s.VerifiedTime, s.Proof)
	}
	s.Config = nil
	s.VerifiedTime = time.Time{}
	if s.NoteVerdict(spec, minute(10)); !s.VerifiedTime.IsZero() {
		t.Error("a value that is not in use was accepted")
	}
}

// Whoever replaced a value may have revoked it: an acceptance of before says nothing where it comes back.
func TestAnAcceptanceOfBeforeIsForgottenWhereTheValueComesBackUnproven(t *testing.T) {
	for name, test := range map[string]struct {
		accepted time.Time
		want     Verdict
	}{"accepted before it came": {minute(-9), ""}, "accepted since": {minute(1), Accepted}} {
		spec, s := asking()
		print := accountOf(2, hostA).Print
		s.know(spec, 2, Test{Verdict: Accepted, Since: test.accepted, Time: test.accepted, Attempt: minute(1), Repeats: 4, Silent: 1, Said: "429"})
		s.Publish(spec, minute(5))
		if got := s.Tests[print]; got.Verdict != test.want || test.want == "" && (got.Repeats != 0 || !got.Since.IsZero() || !got.Time.IsZero() || got.Said != "429") {
			t.Errorf("%s: %+v", name, got)
		}
		if (s.VerifiedTime.IsZero()) != (test.want == "") {
			t.Errorf("%s: it counts as accepted at %s", name, s.VerifiedTime)
		}
	}
}

func TestLeasesThatAreToBeGivenBack(t *testing.T) {
	var s State
	s.discard(nil, start)
	s.discard(heldLease("a"), start)
	s.discard(heldLease("a"), minute(1))
	if len(s.Obsolete) != 1 || !s.Obsolete[0].Since.Equal(start) {
		t.Fatalf("%+v", s.Obsolete)
	}
	for i := range maxObsolete {
		s.discard(heldLease(fmt.Sprint(i)), minute(2))
	}
	if len(s.Obsolete) != maxObsolete || s.Obsolete[0].ID != "0" || s.Obsolete[maxObsolete-1].ID != fmt.Sprint(maxObsolete-1) {
		t.Errorf("of too many the oldest are given up: %d from %s on", len(s.Obsolete), s.Obsolete[0].ID)
	}
	if got := s.NoteReleaseFailed("0", minute(3)); got != 1 {
		t.Errorf("the first failure is the %dth", got)
	}
	s.NoteReleaseFailed("1", minute(4))
	if got := s.NoteReleaseFailed("0", minute(5)); got != 2 || s.Releases["1"].Count != 1 || !s.Releases["0"].Last.Equal(minute(5)) {
		t.Errorf("%d, %+v", got, s.Releases)
	}
	s.NoteReleased("0")
	if _, there := s.Releases["0"]; there || s.holds("0") || !s.holds("1") || len(s.Releases) != 1 {
		t.Errorf("what was given back is remembered: %+v", s.Releases)
	}
	s.NoteReleaseFailed("gone", minute(6))
	if len(s.Releases) != 1 {
		t.Errorf("attempts are remembered of a lease that nobody holds: %+v", s.Releases)
	}
}

func TestALeaseThatIsHeldIsNotGivenBack(t *testing.T) {
	s := State{Kept: Kept{Value: Value{Lease: heldLease("in use")}, Waiting: &Waiting{Value: Value{Lease: heldLease("waits")}},
		Obsolete: []Lease{{Lease: *heldLease("in use")}, {Lease: *heldLease("old")}}}, Memory: Memory{Older: &Older{Value: Value{Lease: heldLease("older")}}}}
	s.Discard([]source.Lease{*heldLease("waits"), *heldLease("older"), *heldLease("lost")}, start)
	var got []string
	for _, lease := range s.Obsolete {
		got = append(got, lease.ID)
	}
	if !slices.Equal(got, []string{"old", "lost"}) {
		t.Errorf("to be given back are %q", got)
	}
	got = nil
	for _, lease := range s.Leases() {
		got = append(got, lease.ID)
	}
	if !slices.Equal(got, []string{"in use", "waits", "older", "old", "lost"}) {
		t.Errorf("known are %q", got)
	}
	if s.gaveBack(&Value{}) || s.gaveBack(&Value{Lease: heldLease("in use")}) || s.gaveBack(&Value{Lease: heldLease("lost")}) || !s.gaveBack(&Value{Lease: heldLease("x")}) {
		t.Error("which leases were given back is not known")
	}
}

func TestWhichLeaseIsGivenBackNext(t *testing.T) {
	spec := &Spec{Mode: v1alpha1.VerifyDisabled}
	state := func(delivered bool, obsolete ...Lease) *State {
		return &State{Kept: Kept{Obsolete: obsolete}, Memory: Memory{Delivered: delivered, Releases: map[string]Attempts{}}}
	}
	old, young := Lease{Lease: *heldLease("old"), Since: start}, Lease{Lease: *heldLease("young"), Since: minute(1)}
	if next, at := state(true).release(spec); next != nil || !at.Equal(never) {
		t.Errorf("%v at %s", next, at)
	}
	if next, at := state(true, young, old).release(spec); next.ID != "old" || !at.Equal(start) {
		t.Errorf("everywhere: %s at %s", next.ID, at)
	}
	if next, at := state(false, young, old).release(spec); next.ID != "old" || !at.Equal(start.Add(ReleaseAfter)) {
		t.Errorf("not everywhere: %s at %s", next.ID, at)
	}
	if next, at := state(true, young, old).release(&Spec{}); next.ID != "old" || !at.Equal(start.Add(ReleaseAfter)) {
		t.Errorf("no registry accepts the value in use: %s at %s", next.ID, at)
	}
	failed := state(true, old, young)
	failed.Releases["old"] = Attempts{Count: 3, Last: minute(10)}
	if next, at := failed.release(spec); next.ID != "young" || !at.Equal(minute(1)) {
		t.Errorf("one that is refused keeps another: %s at %s", next.ID, at)
	}
	if at := failed.releaseAt(spec, &old); !at.Equal(minute(10).Add(2 * time.Minute)) {
		t.Errorf("after three failures it is tried again at %s", at)
	}
	for after, want := range map[time.Duration]bool{ReleaseGivenUp - 1: false, ReleaseGivenUp: true} {
		if got := failed.givesUp(&old, start.Add(after)); got != want {
			t.Errorf("given up after %s: %t", after, got)
		}
	}
	if failed.givesUp(&young, start.Add(2*ReleaseGivenUp)) {
		t.Error("a process that just started gives up what it did not try")
	}
}

func TestBackOff(t *testing.T) {
	for repeats, want := range []time.Duration{30, 30, 60, 120, 240, 300, 300, 300} {
		if got := backOff(repeats, 5*time.Minute); got != want*time.Second {
			t.Errorf("after %d: %s, want %s", repeats, got, want*time.Second)
		}
	}
	if got := backOff(1<<40, time.Second); got != MinInterval {
		t.Errorf("a limit below the least wait: %s", got)
	}
}

func TestARegistryIsLeftAloneForAllLoginsThatItWasAskedAbout(t *testing.T) {
	mine, other := Account{Print: "mine", Host: hostA}, Account{Print: "other", Host: hostB}
	s := State{Kept: Kept{Tests: map[string]Test{
		"mine": {NotBefore: minute(1), Registry: hostA}, "beside": {NotBefore: minute(5), Registry: hostA}, "elsewhere": {NotBefore: minute(9), Registry: "c"},
	}}}
	if at := s.leftAlone(mine); !at.Equal(minute(5)) {
		t.Errorf("until %s", at)
	}
	if at := s.leftAlone(other); !at.IsZero() {
		t.Errorf("another registry until %s", at)
	}
	if at := s.soon(other); !at.IsZero() {
		t.Errorf("a login that was never tested is tested at %s", at)
	}
	if at := s.soon(mine); !at.Equal(minute(5)) {
		t.Errorf("soon is %s", at)
	}
	s.Tests["mine"] = Test{Attempt: minute(8), Registry: hostA}
	if at := s.soon(mine); !at.Equal(minute(8).Add(MinInterval)) {
		t.Errorf("soon after a test is %s", at)
	}
}

// Asked something else, or nothing, for a while: once the question of before is asked again, its answer counts for no value that came back meanwhile.
func TestAnAcceptanceOfBeforeIsForgottenWhateverIsAskedWhenTheValueComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		mode     v1alpha1.VerificationMode
		accepted time.Time
		want     Verdict
	}{
		"nothing is asked":                 {v1alpha1.VerifyDisabled, minute(-9), Unknown},
		"another question":                 {v1alpha1.VerifyLogin, minute(-9), Unknown},
		"nothing is asked, accepted since": {v1alpha1.VerifyDisabled, minute(1), Accepted},
		"another question, accepted since": {v1alpha1.VerifyLogin, minute(1), Accepted},
	} {
		asked, s := asking()
		s.know(asked, 2, Test{Verdict: Accepted, Since: test.accepted, Time: test.accepted, Attempt: minute(1)})
		meanwhile, _ := asking()
		meanwhile.Mode = test.mode
		s.Publish(meanwhile, minute(5))
		if got, _ := s.Of(asked, &s.Value); got != test.want || !s.VerifiedTime.IsZero() {
			t.Errorf("%s: it is %s, want %s, first accepted at %s", name, got, test.want, s.VerifiedTime)
		}
		if s.VerdictUnnoted(asked) != (test.want == Accepted) || s.VerdictUnnoted(meanwhile) {
			t.Errorf("%s: that it is accepted is to be noted: %t", name, s.VerdictUnnoted(asked))
		}
	}
}

// A login that stays in use was not revoked in between.
func TestTheAcceptanceOfALoginInUseIsKeptWhileNothingIsAsked(t *testing.T) {
	asked, s := asking()
	s.Waiting.Accounts = s.Accounts
	s.know(asked, 1, Test{Verdict: Accepted, Since: minute(-9), Time: minute(-9), Attempt: minute(-9)})
	meanwhile, _ := asking()
	meanwhile.Mode = v1alpha1.VerifyDisabled
	s.Publish(meanwhile, minute(5))
	if got, _ := s.Of(asked, &s.Value); got != Accepted {
		t.Errorf("it is %s", got)
	}
}

// It was published though the registry said nothing of it, and is in use again because the registry accepts it.
func TestAValueThatIsRestoredIsOneThatTheRegistryAccepts(t *testing.T) {
	spec, s := asking()
	s.Publish(spec, minute(3))
	s.know(spec, 1, Test{Verdict: Accepted, Proof: ProofPull, Since: minute(5), Time: minute(5)})
	s.know(spec, 2, Test{Verdict: Rejected, Since: minute(4), Time: minute(4)})
	if !s.Previous.VerifiedTime.IsZero() || !s.restores(spec) {
		t.Fatalf("it does not go back to %+v", s.Previous)
	}
	s.Restore(spec, minute(6))
	if !s.VerifiedTime.Equal(minute(6)) || s.Proof != ProofPull || s.VerdictUnnoted(spec) {
		t.Errorf("it was first accepted at %s, by %q", s.VerifiedTime, s.Proof)
	}
	s.Config = nil
	if s.VerifiedTime = (time.Time{}); s.VerdictUnnoted(spec) {
		t.Error("a value that is not in use is accepted")
	}
}
