package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// leasing returns a world whose values are minted, with one in use everywhere.
func leasing(t *testing.T) *script {
	t.Helper()
	s := &script{newWorld(1), t}
	s.minted = true
	s.respec()
	s.after(time.Minute)
	s.inUse(1)
	s.state.Delivered = true
	return s
}

// mint rotates, and has a person ask for a read: what is minted is not read again soon otherwise.
func (s *script) mint(takenBy ...string) {
	s.t.Helper()
	s.rotate(takenBy...)
	s.spec.RefreshRequest = password(s.current)
	s.after(time.Minute)
}

func (s *script) obsolete(want ...string) {
	s.t.Helper()
	var got []string
	for _, lease := range s.state.Obsolete {
		got = append(got, lease.ID)
	}
	if len(got) != len(want) {
		s.t.Fatalf("to be given back are %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			s.t.Fatalf("to be given back are %v, want %v", got, want)
		}
	}
}

// With the lease of the value before ends what namespaces use that were not given the new one yet.
func TestALeaseIsGivenBackWhenEveryNamespaceHasTheNewValue(t *testing.T) {
	s := leasing(t)
	first := s.state.Lease.ID
	s.mint(hostA)
	s.inUse(2)
	s.obsolete(first)
	s.after(30 * time.Minute)
	s.obsolete(first) // a namespace lacks the new value
	s.state.Delivered = true
	s.after(time.Second)
	s.obsolete()
	if s.state.Previous == nil || s.state.Previous.End != EndExpired {
		t.Errorf("the value whose lease was given back counts as %+v", s.state.Previous)
	}
}

func TestANamespaceThatRefusesDoesNotKeepALeaseForLongerThanAnHour(t *testing.T) {
	s := leasing(t)
	first := s.state.Lease.ID
	s.mint(hostA)
	s.obsolete(first)
	s.after(ReleaseAfter)
	s.obsolete()
}

func TestALeaseIsNotGivenBackWhileTheValueInUseIsRefused(t *testing.T) {
	s := leasing(t)
	s.mint(hostA)
	s.inUse(2)
	first := s.state.Obsolete[0].ID
	s.says("locked")
	s.state.DoubtTime = s.now
	s.after(2 * time.Minute)
	s.verdict(Rejected)
	s.state.Delivered = true
	s.after(20 * time.Minute)
	if s.verdict(Rejected); s.released[first] {
		t.Error("it was given back")
	}
}

// The registry says nothing of the value that took its place: the one before may be the only one that works.
func TestALeaseIsNotGivenBackBeforeTheRegistryAcceptsTheValueInUse(t *testing.T) {
	for _, end := range []struct {
		name string
		of   func(s *script)
	}{
		{"the registry answers", func(s *script) { s.says("well"); s.after(10 * time.Minute) }},
		{"the hour is over", func(s *script) { s.after(ReleaseAfter) }},
		{"nobody wants to have it tested any more", func(s *script) { s.spec.Mode = v1alpha1.VerifyDisabled; s.after(time.Minute) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := leasing(t)
			first := s.state.Lease.ID
			s.says("503")
			s.mint(hostA)
			s.after(5 * time.Minute)
			s.inUse(2)
			s.state.Delivered = true
			s.after(10 * time.Minute)
			if s.verdict(Unknown); s.released[first] {
				t.Fatal("it was given back")
			}
			end.of(s)
			if s.inUse(2); !s.released[first] {
				t.Error("it was not given back")
			}
		})
	}
}

func TestRestoreTakesItsLeaseBackIntoUse(t *testing.T) {
	s := leasing(t)
	first := s.state.Lease.ID
	s.mint(hostA)
	second := s.state.Lease.ID
	s.takes[hostA] = map[int]bool{1: true}
	s.state.DoubtTime = s.now
	s.sourceFails = true // else the next read mints another value
	s.after(10 * time.Minute)
	s.inUse(1)
	if s.state.Lease == nil || s.state.Lease.ID != first {
		t.Fatalf("the lease in use is %+v, want %s", s.state.Lease, first)
	}
	s.obsolete()
	if s.state.Waiting.Lease.ID != second {
		t.Errorf("the lease of the value that waits is %+v", s.state.Waiting.Lease)
	}
	s.sourceFails = false
	s.mint(hostA)
	s.inUse(3)
	s.state.Delivered = true
	s.after(time.Minute)
	s.obsolete()
	if !s.released[first] || !s.released[second] {
		t.Errorf("given back are %v, want %s and %s", s.released, first, second)
	}
}

func TestAValueWhoseLeaseWasGivenBackIsNotRestored(t *testing.T) {
	s := leasing(t)
	s.mint(hostA)
	s.inUse(2)
	s.after(ReleaseAfter) // a namespace that cannot be served did not keep the lease
	s.obsolete()
	s.takes[hostA] = map[int]bool{1: true} // the registry has not noticed yet
	s.sourceFails = true
	s.state.DoubtTime = s.now
	s.after(2 * time.Hour)
	s.inUse(2)
	if s.state.Previous.End != EndExpired {
		t.Errorf("the value before counts as %q", s.state.Previous.End)
	}
}

func TestAReadAfterARestartLosesNoLease(t *testing.T) {
	s := leasing(t)
	s.mute = 2
	s.mint()
	waiting := s.state.Waiting.Lease.ID
	s.restart()
	s.after(lifetime * 2 / 3) // the value that waits is minted again, because its content is lost
	if s.state.Waiting.Lease.ID == waiting {
		t.Fatal("nothing was minted")
	}
	s.state.Delivered = true
	s.after(2 * time.Second)
	if !s.released[waiting] {
		t.Errorf("the lease of the value that waited is lost: given back are %v", s.released)
	}
}

// By a clock that was set a lease can seem to have ended that lives for days.
func TestALeaseThatSeemsToHaveEndedIsTriedOnce(t *testing.T) {
	s := leasing(t)
	s.state.Obsolete = []Lease{
		{Lease: *leaseOf("ended", s.now.Add(-25*time.Hour)), Since: s.now.Add(-30 * time.Hour)},
		{Lease: *leaseOf("runs", s.now), Since: s.now},
	}
	s.state.Correct(s.now)
	s.obsolete("ended", "runs")
	s.state.NoteReleaseFailed("ended", s.now)
	s.state.NoteReleaseFailed("runs", s.now)
	s.state.Correct(s.now)
	s.obsolete("runs")
}

func TestOfTooManyLeasesTheOldestAreGivenUp(t *testing.T) {
	s := leasing(t)
	for i := range maxObsolete + 3 {
		s.state.discard(leaseOf(string(rune('a'+i)), s.now), s.now)
	}
	if len(s.state.Obsolete) != maxObsolete || s.state.Obsolete[0].ID != "d" {
		t.Errorf("%d are kept, the first is %s", len(s.state.Obsolete), s.state.Obsolete[0].ID)
	}
	s.state.discard(&s.state.Obsolete[3].Lease, s.now)
	if len(s.state.Obsolete) != maxObsolete {
		t.Error("a lease is noted twice")
	}
}

func TestALeaseThatCannotBeGivenBackIsTriedEverMoreRarely(t *testing.T) {
	s := leasing(t)
	s.state.Obsolete = []Lease{{Lease: *leaseOf("old", s.now), Since: s.now}}
	for i, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		if count := s.state.NoteReleaseFailed("old", s.now); count != i+1 {
			t.Errorf("attempt %d counts as %d", i+1, count)
		}
		if _, at := s.state.release(&s.spec); at.Sub(s.now) != want {
			t.Errorf("after %d failures it is tried again after %s, want %s", i+1, at.Sub(s.now), want)
		}
	}
	s.state.Obsolete = append(s.state.Obsolete, Lease{Lease: *leaseOf("other", s.now), Since: s.now})
	s.state.NoteReleaseFailed("other", s.now)
	if s.state.Releases["old"].Count != 7 || s.state.Releases["other"].Count != 1 {
		t.Errorf("the attempts are %v", s.state.Releases)
	}
	s.state.NoteReleased("other")
	s.state.NoteReleased("old")
	if len(s.state.Releases) != 0 {
		t.Errorf("attempts are remembered of a lease that was given back: %v", s.state.Releases)
	}
}

func TestALeaseThatTheSourceRefusesToTakeBackKeepsNoOther(t *testing.T) {
	s := leasing(t)
	s.state.Obsolete = []Lease{{Lease: *leaseOf("refused", s.now), Since: s.now}, {Lease: *leaseOf("next", s.now), Since: s.now}}
	s.keeps = map[string]bool{"refused": true}
	s.after(time.Second)
	s.obsolete("refused")
	s.state.Obsolete = append(s.state.Obsolete, Lease{Lease: *leaseOf("later", s.now), Since: s.now})
	s.after(time.Second)
	s.obsolete("refused")
	s.keeps = nil
	s.after(releaseInterval)
	s.obsolete()
}

func TestALeaseThatCannotBeGivenBackIsGivenUpAfterTwoDays(t *testing.T) {
	s := leasing(t)
	year := leaseOf("year", s.now)
	year.Duration = 365 * 24 * time.Hour
	s.state.Obsolete, s.keeps = []Lease{{Lease: *year, Since: s.now}}, map[string]bool{"year": true}
	s.sourceFails = true // else other leases come
	s.after(ReleaseGivenUp - time.Minute)
	s.obsolete("year")
	s.restart()
	s.state.Delivered = true
	s.now = s.now.Add(2 * time.Hour)
	tried := s.tries["year"]
	s.after(time.Hour)
	s.obsolete()
	if !s.gaveUp["year"] || s.tries["year"] != tried+1 { // a process that just started tries once
		t.Errorf("given up: %t, after %d attempts of the new process", s.gaveUp["year"], s.tries["year"]-tried)
	}
}
