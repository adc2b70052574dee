package rotation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
)

// The metrics tell when things were done and are done next.
func TestWhatTheScheduleTells(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *Spec, s *State)
		want   func(all *Schedule)
	}{
		{"all is well", func(*Spec, *State) {}, func(*Schedule) {}},
		{"the registry was asked about another value since", func(_ *Spec, s *State) { s.Tests["other"] = Test{Attempt: minute(4)} }, func(all *Schedule) { all.LastAsked = minute(4) }},
		{"it was asked about another value before", func(_ *Spec, s *State) { s.Tests["other"] = Test{Attempt: minute(1)} }, func(*Schedule) {}},
		{"nothing is done while it is suspended", func(spec *Spec, _ *State) { spec.Suspended = true }, func(all *Schedule) { all.NextRead, all.NextAsked = time.Time{}, time.Time{} }},
		{"a read that is due is made now", func(spec *Spec, _ *State) { spec.Refresh = 2 * refresh }, func(all *Schedule) { all.NextRead = minute(5) }},
		{"a test that is due is made now", func(spec *Spec, _ *State) { spec.Verify = 2 * refresh }, func(all *Schedule) { all.NextAsked = minute(5) }},
		{"what each read makes and has no end is not read again", func(_ *Spec, s *State) { s.Reads.Minted = true }, func(all *Schedule) { all.NextRead = time.Time{} }},
		{"no registry is asked without verification", func(spec *Spec, _ *State) { spec.Mode = v1alpha1.VerifyDisabled }, func(all *Schedule) { all.NextAsked = time.Time{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			spec.Refresh, s.Waiting = 10*refresh, nil
			s.Reads, s.ChangeTime = Reads{Last: minute(1), ReadTime: minute(1), SpecHash: spec.SpecHash}, minute(-9)
			s.know(spec, 1, Test{Verdict: Accepted, Time: minute(2), Attempt: minute(2)})
			test.change(spec, s)
			want := Schedule{LastRead: minute(1), NextRead: minute(11), LastAsked: minute(2), NextAsked: minute(12), Changed: minute(-9)}
			test.want(&want)
			if diff := cmp.Diff(want, s.Schedule(spec, minute(5))); diff != "" {
				t.Errorf("wanted (-) and told (+):\n%s", diff)
			}
		})
	}
}
