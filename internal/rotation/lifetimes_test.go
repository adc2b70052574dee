package rotation

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// leased is a state with a value in use that has a lease, read at start by this process.
func leased(lease source.Lease) (*Spec, State) {
	spec := &Spec{SpecHash: "spec", Place: "place", Refresh: time.Minute, Verify: time.Hour}
	s := State{}
	s.Value = Value{Config: newWorld(1).value(1).Config, Digest: "a", SpecHash: "spec", Place: "place", Minted: true, ReadTime: start, ExpireTime: lease.End(), Lease: &lease}
	s.Reads = Reads{Last: start, ReadTime: start, Expire: lease.End(), Minted: true, SpecHash: "spec"}
	return spec, s
}

// A login is often shorter than the leases of an engine: Vault's default for these is 32 days. It is renewed together with the lease, so
// that the end moves each time by what is gone of the login.
func TestALeaseThatIsLongerThanItsLoginIsProlongedAsLongAsTheLoginIs(t *testing.T) {
	for _, term := range []time.Duration{2 * time.Hour, 24 * time.Hour, 768 * time.Hour} {
		for _, login := range []time.Duration{20 * time.Minute, time.Hour, 12 * time.Hour} {
			t.Run(fmt.Sprintf("a lease of %s, a login of %s", term, login), func(t *testing.T) {
				lease := source.Lease{ID: "l", Renewable: true, Term: term, Duration: term, Obtained: start, LoginEnds: start.Add(login)}
				spec, s := leased(lease)
				now := start
				for n := range 50 {
					due, at := s.renewal(spec)
					if due == nil {
						t.Fatalf("after %d renewals and %s it is prolonged no more: %+v", n, now.Sub(start), s.Lease)
					}
					if read, cause := s.readAt(spec); !read.After(at) {
						t.Fatalf("another credential is made at %s because of %s", read.Sub(start), cause)
					}
					if at.Sub(now) < min(term, login)/4 || !at.Before(due.End()) {
						t.Fatalf("it is prolonged %s after the last time", at.Sub(now))
					}
					now = at
					renewed := *due
					renewed.Obtained, renewed.LoginEnds = now, now.Add(login)
					s.NoteRenewed(renewed)
				}
			})
		}
	}
}

// The end of a login at a cloud is moved by no lease, so that prolonging the lease up to there and beyond gains nothing.
func TestALeaseThatOutlivesItsCredentialIsNotProlongedInVain(t *testing.T) {
	const life = 12 * time.Hour
	lease := source.Lease{ID: "l", Renewable: true, Term: 768 * time.Hour, Duration: 768 * time.Hour, Obtained: start, Limit: start.Add(life)}
	spec, s := leased(lease)
	if due, at := s.renewal(spec); due != nil && at.Before(lease.Limit) {
		t.Errorf("it is prolonged after %s, which moves no end", at.Sub(start))
	}
	if at, _ := s.readAt(spec); at.Sub(start) < life/2 || at.Sub(start) > life*3/4 {
		t.Errorf("another credential is made after %s of %s", at.Sub(start), life)
	}
}

// Another replica's clock was ahead when it read. What it noted ends as long after the present as it would have ended after the read.
func TestWhatAWrongClockReadEndsNoLaterThanItsLife(t *testing.T) {
	const ahead, life = 6 * time.Hour, 8 * time.Hour
	read := start.Add(ahead)
	for _, c := range []struct {
		name string
		kept Value
	}{
		{"a lease that is not renewable", Value{ExpireTime: read.Add(life), Lease: &source.Lease{ID: "l", Term: life, Duration: life, Obtained: read}}},
		{"a lease that is spent", Value{ExpireTime: read.Add(life), Lease: &source.Lease{ID: "l", Renewable: true, Spent: true, Term: life, Duration: life, Obtained: read}}},
		{"a lease that is prolonged, and ends with its login", Value{ExpireTime: read.Add(life),
			Lease: &source.Lease{ID: "l", Renewable: true, Term: 24 * time.Hour, Duration: 24 * time.Hour, Obtained: read, LoginEnds: read.Add(life)}}},
		{"a credential without a lease", Value{ExpireTime: read.Add(life)}},
	} {
		for name, put := range map[string]func(*State){
			"in use": func(s *State) { s.Value = c.kept },
			"waits":  func(s *State) { s.Waiting = &Waiting{Value: c.kept, FirstSeen: read} },
		} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				c.kept.Config, c.kept.Minted, c.kept.ReadTime, c.kept.SpecHash = newWorld(1).value(1).Config, true, read, "spec"
				var s State
				put(&s)
				for _, passed := range []time.Duration{0, time.Minute, time.Hour} {
					s.Correct(start.Add(passed))
				}
				known := s.latest()
				if end := known.ExpireTime.Sub(start); end > life || end <= 0 {
					t.Errorf("it ends after %s, and lives for %s", end, life)
				}
				if known.Lease != nil && known.Lease.End().Sub(start) > life {
					t.Errorf("its lease ends after %s", known.Lease.End().Sub(start))
				}
				spec := &Spec{SpecHash: "spec", Refresh: time.Minute}
				if at, _ := s.readAt(spec); !known.Lease.Renews() && at.Sub(start) > life*3/4 {
					t.Errorf("another is made after %s", at.Sub(start))
				}
			})
		}
	}
}

// exchanged is a login that was traded for what a version of KV holds: another one at each read, whatever the version.
func exchanged(n int, written Written, at time.Time) Value {
	id := fmt.Sprint("login-", n)
	return Value{Config: newWorld(1).value(1).Config, Digest: id, Revision: id, SpecHash: "spec", Place: "place", Written: written, Minted: true, ReadTime: at, ExpireTime: at.Add(12 * time.Hour)}
}

// Keys are in KV, and each read trades them for another login: what is older is the version of the keys.
func TestAnOlderVersionOfWhatIsExchangedIsBelievedAsAnyOther(t *testing.T) {
	known := Written{Version: 5, CreatedTime: start.Add(-time.Hour)}
	for _, c := range []struct {
		name    string
		answers Written
		least   time.Duration
		most    int
	}{
		{"the place was removed and written again", Written{Version: 1, CreatedTime: start.Add(-time.Minute)}, 0, 3},
		{"Vault was restored from a backup", Written{Version: 4, CreatedTime: start.Add(-2 * time.Hour)}, olderTime, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := &Spec{SpecHash: "spec", Place: "place", Refresh: 5 * time.Minute, Verify: time.Hour}
			s := State{}
			s.Value = exchanged(0, known, start.Add(-time.Hour))
			now, reads := start, 0
			for ; s.Waiting == nil; reads++ {
				if reads > c.most {
					t.Fatalf("after %d reads in %s it is still not believed: %+v", reads, now.Sub(start), s.Older)
				}
				value := exchanged(reads+1, c.answers, now)
				s.NoteRead(spec, value, nil, CausePlan, now, now)
				if s.Waiting == nil {
					now, _ = s.readAt(spec)
				}
			}
			if now.Sub(start) < c.least {
				t.Errorf("it is believed after %s", now.Sub(start))
			}
			if s.Waiting.Version != c.answers.Version || s.Older != nil {
				t.Errorf("version %d waits", s.Waiting.Version)
			}
			now = now.Add(time.Minute)
			s.NoteRead(spec, exchanged(reads+1, c.answers, now), nil, CausePlan, now, now)
			if s.Older != nil || s.Waiting.Digest != fmt.Sprint("login-", reads+1) {
				t.Errorf("what waits and was believed is doubted again: %+v", s.Older)
			}
		})
	}
}

// Objects share reads. One that was made before the source told of something is no answer to that.
func TestNewsAreNotAnsweredByWhatAnotherObjectReadBefore(t *testing.T) {
	spec := &Spec{SpecHash: "spec", Place: "place", Refresh: 10 * time.Minute, Verify: time.Hour}
	value := func(version int, read time.Time) Value {
		v := newWorld(1).value(version)
		v.SpecHash, v.Place, v.ReadTime = "spec", "place", read
		return v
	}
	s := State{}
	s.NoteRead(spec, value(1, start), nil, CausePlan, start, start)
	now := start.Add(14 * time.Minute) // the operator is late
	s.Reads.ToldTime, s.Reads.ToldState = now, "state"
	at, cause := s.readAt(spec)
	if at.After(now) || cause != CausePlan {
		t.Fatalf("it is read at %s because of %s", at.Sub(start), cause)
	}
	shared := now.Add(-s.MaxAge(spec, cause, now))
	s.NoteRead(spec, value(1, shared), nil, cause, now, now)
	if at, cause = s.readAt(spec); shared.Before(now) && (cause != CauseTold || at.Sub(now) > time.Second) {
		t.Errorf("an answer of %s before the news is taken for theirs: the next read is after %s, because of %s", now.Sub(shared), at.Sub(now), cause)
	}
	for failures := range 5 { // a source that fails is asked ever more rarely, whatever it told
		now = now.Add(time.Minute)
		s.NoteFault(spec, source.Transient("Unavailable", "down", nil), now)
		if at, _ := s.readAt(spec); failures > 1 && at.Sub(now) < 5*time.Second {
			t.Errorf("after %d failures it is read after %s", failures+1, at.Sub(now))
		}
	}
}

// The spec named an engine before, and names a place in KV now that has nothing yet: what is written there is news like any other.
func TestNewsOfAPlaceThatTookThePlaceOfAnEngineAreRead(t *testing.T) {
	spec, s := leased(source.Lease{ID: "l", Renewable: true, Term: 24 * time.Hour, Duration: 24 * time.Hour, Obtained: start})
	spec.SpecHash, spec.Place, spec.Refresh = "of KV", "in KV", time.Hour
	now := start.Add(time.Minute)
	s.NoteFault(spec, source.Stalled("SecretNotFound", "nothing is there"), now)
	now = now.Add(time.Minute)
	s.Reads.ToldTime = now
	if at, cause := s.readAt(spec); at.After(now) || cause != CauseTold {
		t.Errorf("what was written is read after %s, because of %s", at.Sub(now), cause)
	}
}
