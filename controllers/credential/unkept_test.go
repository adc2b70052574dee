package credential

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// Nothing can be written, and the source does not prolong the lease: it is asked at the pace of any failure, and not at each look.
func TestALeaseIsTriedAtItsPaceThoughTheRecordCannotBeWritten(t *testing.T) {
	p := newPasses(t)
	p.during(10 * time.Minute)
	p.server.refuse = 100_000
	p.during(65 * time.Minute) // it was prolonged, and that waits to be written
	p.source.fails, p.source.tried = true, 0
	for range 120 {
		_ = p.pass()
		p.now = p.now.Add(5 * time.Second)
	}
	if p.source.made != 1 || len(p.source.renewed) == 0 || p.source.tried == 0 || p.source.tried > 15 {
		t.Errorf("%d values were made, the lease was prolonged %d times, and then tried %d times in ten minutes", p.source.made, len(p.source.renewed), p.source.tried)
	}
}

// What a registry said while the record could not be written is noted beside what waits to be written, and takes the place of nothing.
func TestAnAnswerThatComesWhileTheRecordCannotBeWrittenLosesNothing(t *testing.T) {
	p := newPasses(t)
	p.during(2 * time.Minute)
	p.spec.RefreshRequest, p.server.refuse = "another", 1
	if err := p.pass(); err == nil || p.source.made != 2 {
		t.Fatalf("%d values were made, and the second was written: %v", p.source.made, err)
	}
	said := answered{account: accountAt("one"), question: p.spec.Question(accountAt("one")), answer: rotation.Answer{Verdict: rotation.Accepted}}
	p.tests.note(job{credential: p.object.Name, uid: p.object.UID}, []answered{said})
	if err := p.pass(); err != nil {
		t.Fatal(err)
	}
	if known := p.Store.Get("company"); p.source.made != 2 || known.Revision != "c" || known.Tests["one"].Verdict != rotation.Accepted {
		t.Errorf("%d values were made, in use is %s, and the registry said %+v", p.source.made, known.Revision, known.Tests["one"])
	}
}

// several are the steps of one pass with so many leases to be given back, of which the source does not take back some.
func (p *passes) several(leases int, refused ...string) *run {
	one := &run{object: p.object, spec: p.spec, memory: &memory{}}
	one.state.Value = rotation.Value{Config: dockerconfig.Config{}, SpecHash: p.spec.SpecHash}
	one.state.Reads.Last, one.state.Reads.ReadTime, one.state.Reads.SpecHash, one.state.Delivered = p.now, p.now, p.spec.SpecHash, true
	for i := range leases {
		lease := source.Lease{ID: string(rune('a' + i)), Obtained: p.now, Duration: time.Hour}
		one.state.Obsolete = append(one.state.Obsolete, rotation.Lease{Lease: lease, Since: p.now.Add(-time.Duration(i) * time.Second)})
	}
	p.Leases = stubborn(refused)
	return one
}

// stubborn takes back no lease that it names, and asks to wait for seven minutes before one is prolonged.
type stubborn []string

func (s stubborn) Release(_ context.Context, lease source.Lease) error {
	if slices.Contains(s, lease.ID) {
		return errors.New("refused")
	}
	return nil
}

func (stubborn) Renew(context.Context, source.Lease) (source.Lease, error) {
	return source.Lease{}, &source.Error{Reason: v1alpha1.ReasonSealed, RetryAfter: 7 * time.Minute}
}

func TestAPassThatEndsBeforeItRestsGoesOnASecondLater(t *testing.T) {
	p := newPasses(t)
	one := p.several(maxSteps + 6)
	if err := p.work(t.Context(), one); err != nil || len(one.state.Obsolete) != 6 || !one.until.Equal(p.now.Add(time.Second)) {
		t.Errorf("%d leases are left, and it is looked at again at %s: %v", len(one.state.Obsolete), one.until, err)
	}
}

func TestTheLeaseThatCannotBeGivenBackIsTheOneThatIsTriedAgain(t *testing.T) {
	p := newPasses(t)
	one := p.several(3, "b")
	if err := p.work(t.Context(), one); err != nil || len(one.state.Obsolete) != 1 || one.state.Obsolete[0].ID != "b" || one.state.Releases["b"].Count != 1 {
		t.Errorf("%+v, tried were %+v: %v", one.state.Obsolete, one.state.Releases, err)
	}
}

func TestForHowLongASourceAsksToWaitBeforeALeaseIsProlonged(t *testing.T) {
	p := newPasses(t)
	one := p.several(0)
	lease := source.Lease{ID: "x", Obtained: p.now, Duration: time.Hour, Term: time.Hour, Renewable: true}
	one.state.Lease = &lease
	if err := p.renew(t.Context(), one, rotation.Lease{Lease: lease}); err != nil || one.state.Renewals["x"].Told != 7*time.Minute {
		t.Errorf("%+v: %v", one.state.Renewals, err)
	}
}

// Each is tried: that Vault does not take one back says nothing of the next.
func TestALeaseThatIsNotTakenBackKeepsNoOtherOfADeletion(t *testing.T) {
	p := newPasses(t)
	memory, _ := p.memories.of(p.object, p.now)
	memory.pending = &pending{next: p.several(3, "a").state.Kept}
	var given []string
	p.Leases = failing(func(lease source.Lease) { given = append(given, lease.ID) })
	if p.giveBackAll(t.Context(), p.object); !slices.Equal(given, []string{"a", "b", "c"}) {
		t.Errorf("tried were %q", given)
	}
}

// failing notes what is given back, and takes nothing back.
type failing func(source.Lease)

func (f failing) Release(_ context.Context, lease source.Lease) error {
	f(lease)
	return errors.New("down")
}

func (failing) Renew(_ context.Context, lease source.Lease) (source.Lease, error) { return lease, nil }

// What was published by a pass does not wait after it.
func TestWhatIsSaidOfAValueThatWaitsIsKnownAtTheEndOfAPass(t *testing.T) {
	p := newPasses(t)
	one := p.several(0)
	one.state.Waiting = &rotation.Waiting{Value: rotation.Value{Config: dockerconfig.Config{}, Revision: "2", Digest: "two", SpecHash: p.spec.SpecHash}, FirstSeen: p.now}
	if err := p.work(t.Context(), one); err != nil || one.state.Revision != "2" || one.judgement.Fate != "" {
		t.Errorf("in use is %s, and %+v is said of what waits: %v", one.state.Revision, one.judgement, err)
	}
}

// It was accepted while it waited, and published while nothing was asked: delivery, which takes no hand-made Secret over before, learns of it at once,
// and not with the next answer.
func TestThatAValueIsAcceptedIsKeptThoughNoAnswerSaysSoNow(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(one *run)
		noted  bool
	}{
		{"it is accepted", func(*run) {}, true},
		{"nothing is asked", func(one *run) { one.spec.Mode = v1alpha1.VerifyDisabled }, false},
		{"nothing may be written", func(one *run) { one.spec.Suspended = true }, false},
		{"the registry says nothing", func(one *run) { one.state.Tests = nil; one.state.NoteAttempt(accountAt("one"), noon) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, woken := newPasses(t), 0
			p.Store = records.NewStore(p.server.client().CoreV1(), "regcred-system", func(string) {})
			p.Store.Proven = func(string) { woken++ }
			p.now, p.spec.Mode = noon, v1alpha1.VerifyPull
			one := p.several(0)
			one.state.Accounts = []rotation.Account{accountAt("one")}
			one.state.NoteAttempt(accountAt("one"), noon)
			one.state.NoteAnswer(accountAt("one"), p.spec.Question(accountAt("one")), rotation.Answer{Verdict: rotation.Accepted, Proof: rotation.ProofPull}, noon)
			if err := p.Store.Save(t.Context(), records.Record{Credential: p.object.Name, UID: p.object.UID, Kept: one.state.Kept}); err != nil {
				t.Fatal(err)
			}
			woken = 0
			test.change(one)
			for range 2 {
				if err := p.work(t.Context(), one); err != nil {
					t.Fatal(err)
				}
			}
			kept := p.Store.Get(p.object.Name)
			if kept.VerifiedTime.Equal(noon) != test.noted || (kept.Proof == rotation.ProofPull) != test.noted || (woken == 1) != test.noted {
				t.Errorf("kept is %s, proven by %q, and delivery was woken %d times", kept.VerifiedTime, kept.Proof, woken)
			}
		})
	}
}
