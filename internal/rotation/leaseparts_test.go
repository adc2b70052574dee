package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// Of too many leases the oldest are given up. One that is held is none of them, and takes nobody's place.
func TestALeaseThatIsHeldPushesNoOtherOut(t *testing.T) {
	var s State
	for i := range maxObsolete {
		s.discard(heldLease(fmt.Sprint(i)), start)
	}
	s.Lease = heldLease("in use")
	s.Discard([]source.Lease{*s.Lease}, minute(1))
	if len(s.Obsolete) != maxObsolete || s.Obsolete[0].ID != "0" {
		t.Errorf("%d are to be given back, from %s on", len(s.Obsolete), s.Obsolete[0].ID)
	}
}

// TestWhenALeaseIsProlonged has a lease of an hour since start, which is prolonged after forty minutes.
func TestWhenALeaseIsProlonged(t *testing.T) {
	for _, test := range []struct {
		name   string
		at     time.Time
		change func(spec *Spec, s *State)
		want   string
	}{
		{"a moment before its time", minute(40).Add(-1), func(*Spec, *State) {}, ""},
		{"in its time", minute(40), func(*Spec, *State) {}, "mine"},
		{"not while it is suspended", minute(40), func(spec *Spec, _ *State) { spec.Suspended = true }, ""},
		{"not one that nobody prolongs", minute(40), func(_ *Spec, s *State) { s.Lease.Renewable = false }, ""},
		{"that of a value that waits", minute(20), func(_ *Spec, s *State) { s.Waiting.Lease = renewable("other", 30*time.Minute) }, "other"},
		{"not that of one whose content is lost", minute(20), func(_ *Spec, s *State) {
			s.Waiting.Lease, s.Waiting.Config = renewable("other", 30*time.Minute), nil
		}, ""},
		{"it failed a moment ago", minute(40), func(_ *Spec, s *State) { s.NoteRenewFailed("mine", 0, minute(40).Add(-time.Second)) }, ""},
		{"it failed, and the source asked to wait for ten minutes", minute(40), func(_ *Spec, s *State) { s.NoteRenewFailed("mine", 10*time.Minute, minute(31)) }, ""},
		{"so, and they have passed", minute(41), func(_ *Spec, s *State) { s.NoteRenewFailed("mine", 10*time.Minute, minute(31)) }, "mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			s.Value.Lease = renewable("mine", time.Hour)
			test.change(spec, s)
			lease, due := s.DueRenewal(spec, test.at)
			if due != (test.want != "") || lease.ID != test.want {
				t.Errorf("the lease %q is prolonged: %t", lease.ID, due)
			}
		})
	}
}

func renewable(id string, term time.Duration) *source.Lease {
	return &source.Lease{ID: id, Renewable: true, Term: term, Duration: term, Obtained: start}
}

func TestWhichLeasesAreProlonged(t *testing.T) {
	_, s := asking()
	s.Value.Lease, s.Waiting.Lease = renewable("in use", time.Hour), renewable("waits", time.Hour)
	var ids []string
	for _, value := range s.renewed() {
		ids = append(ids, value.Lease.ID)
	}
	if !slices.Equal(ids, []string{"in use", "waits"}) {
		t.Errorf("%q", ids)
	}
}
