package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// asking returns a state in which version 1 is in use and version 2 waits since start, both at one registry that said nothing yet.
func asking() (*Spec, *State) {
	spec := &Spec{Mode: v1alpha1.VerifyPull, SpecHash: "spec", Verify: verifyPeriod, Hold: 2 * time.Minute}
	w := &world{now: start, obtained: map[string]time.Time{}}
	s := &State{Kept: Kept{Value: w.value(1), Waiting: &Waiting{Value: w.value(2), FirstSeen: start}, Tests: map[string]Test{}}}
	s.Value.SpecHash, s.Waiting.SpecHash = spec.SpecHash, spec.SpecHash
	return spec, s
}

// know sets what is known of a version at the first registry.
func (s *State) know(spec *Spec, version int, test Test) {
	account := accountOf(version, hostA)
	test.Question, test.Asked = spec.Question(account), spec.Question(account)
	s.Tests[account.Print] = test
}

func minute(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }

// A pod that is refused has a value tested that was accepted, and no other: each test of a refused one brings the account nearer to its lock.
func TestSinceWhenAnAnswerAboutTheValueInUseIsWanted(t *testing.T) {
	accepted, refused := Test{Verdict: Accepted}, Test{Verdict: Rejected}
	nobodyAsks := time.Time{}
	for _, test := range []struct {
		name                   string
		inUse                  Test
		doubt, expire          time.Time
		next                   Test // of the value that waits
		sameLogin, nobodyWaits bool
		want                   time.Time
	}{
		{name: "nothing happened", inUse: accepted, want: nobodyAsks},
		{name: "a pod was refused", inUse: accepted, doubt: minute(3), want: minute(3)},
		{name: "a pod was refused, and nobody waits", inUse: accepted, doubt: minute(3), nobodyWaits: true, want: minute(3)},
		{name: "a pod was refused, as the registry said that it would be", inUse: refused, doubt: minute(3), want: nobodyAsks},
		{name: "a pod was refused, and the registry says nothing", doubt: minute(3), want: nobodyAsks},
		{name: "its end has passed", inUse: accepted, expire: minute(4), want: minute(4)},
		{name: "its end is now", inUse: accepted, expire: minute(5), want: minute(5)},
		{name: "its end is to come", inUse: accepted, expire: minute(6), want: nobodyAsks},
		{name: "its end has passed, and it is refused", inUse: refused, expire: minute(4), want: nobodyAsks},
		{name: "a pod was refused after its end", inUse: accepted, expire: minute(2), doubt: minute(3), want: minute(3)},
		{name: "a pod was refused before its end", inUse: accepted, expire: minute(3), doubt: minute(2), want: minute(3)},
		{name: "the new value is refused again and again", inUse: accepted, next: Test{Verdict: Rejected, Since: minute(1), Time: minute(4), Attempt: minute(4)}, want: minute(4)},
		{name: "the new value is refused again and again, and the registry says nothing of the one in use",
			next: Test{Verdict: Rejected, Since: minute(1), Time: minute(4), Attempt: minute(4)}, want: minute(1)},
		{name: "both are refused again and again", inUse: refused, next: Test{Verdict: Rejected, Since: minute(1), Time: minute(4), Attempt: minute(4)}, want: minute(1)},
		{name: "the new value is refused, and a pod was later", inUse: accepted, doubt: minute(2), next: Test{Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1)}, want: minute(2)},
		{name: "the new value is refused, the registry says nothing of the one in use, and its end was later", expire: minute(2),
			next: Test{Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1)}, want: minute(2)},
		{name: "the new value is accepted", inUse: accepted, next: Test{Verdict: Accepted, Since: minute(1), Time: minute(1), Attempt: minute(1)}, want: nobodyAsks},
		{name: "the new value was accepted before it came back, and the registry said nothing since", inUse: accepted,
			next: Test{Verdict: Accepted, Since: minute(-9), Time: minute(-9), Attempt: minute(1), Silent: 1}, want: start},
		{name: "the new value was not asked about yet", inUse: accepted, want: nobodyAsks},
		{name: "the new value was asked about before it was read", inUse: accepted, next: Test{Attempt: minute(-1)}, want: nobodyAsks},
		{name: "the registry was asked about the new value when it was read, and said nothing", inUse: accepted, next: Test{Attempt: start}, want: start},
		{name: "the registry was asked about the new value later", inUse: accepted, next: Test{Attempt: minute(1)}, want: start},
		{name: "so, and a pod was refused since", inUse: accepted, doubt: minute(2), next: Test{Attempt: minute(1)}, want: minute(2)},
		{name: "the new value is the same login there", inUse: refused, sameLogin: true, want: nobodyAsks},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			s.DoubtTime, s.ExpireTime = test.doubt, test.expire
			s.know(spec, 2, test.next)
			s.know(spec, 1, test.inUse)
			if test.sameLogin {
				s.Waiting.Accounts = s.Accounts
				s.know(spec, 1, Test{Verdict: Rejected, Since: minute(1), Attempt: minute(1)})
			}
			if test.nobodyWaits {
				s.Waiting = nil
			}
			got := s.wantedSince(spec, s.Accounts[0], s.test(spec, s.Accounts[0]), minute(5))
			if !got.Equal(test.want) {
				t.Errorf("it is wanted since %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnAnswerThatIsWantedIsAskedForOnceAndAsSoonAsMayBe(t *testing.T) {
	for _, test := range []struct {
		name    string
		attempt time.Time
		want    time.Time
	}{
		{"it was not asked for since", minute(2), minute(2).Add(MinInterval)},
		{"it was asked for at that moment", minute(3), minute(3).Add(verifyPeriod)},
		{"it was asked for since", minute(4), minute(4).Add(verifyPeriod)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			s.Waiting, s.DoubtTime = nil, minute(3)
			s.know(spec, 1, Test{Verdict: Accepted, Attempt: test.attempt})
			if got := s.inUseTestAt(spec, s.Accounts[0], minute(5)); !got.Equal(test.want) {
				t.Errorf("it is asked at %s, want %s", got, test.want)
			}
		})
	}
}

func TestAValueInUseOfWhichTheRegistrySaysNothingIsTestedEveryPeriod(t *testing.T) {
	spec, s := asking()
	s.Waiting = nil
	s.know(spec, 1, Test{Silent: 20, Attempt: start})
	if got := s.inUseTestAt(spec, s.Accounts[0], minute(1)); !got.Equal(start.Add(verifyPeriod)) {
		t.Errorf("it is asked after %s", got.Sub(start))
	}
}

func TestWhenANewValueIsTested(t *testing.T) {
	for _, test := range []struct {
		name   string
		known  Test
		verify time.Duration
		want   time.Time
	}{
		{"it was not tested", Test{}, verifyPeriod, time.Time{}},
		{"it is accepted", Test{Verdict: Accepted, Time: start, Attempt: start}, verifyPeriod, never},
		{"it was accepted before it came back", Test{Verdict: Accepted, Time: minute(-1), Attempt: minute(-1)}, verifyPeriod, minute(-1).Add(MinInterval)},
		{"it was accepted, and the registry said nothing since", Test{Verdict: Accepted, Attempt: start, Silent: 1}, verifyPeriod, start.Add(MinInterval)},
		{"the registry is silent for long", Test{Attempt: start, Silent: 9}, verifyPeriod, start.Add(waitingInterval)},
		{"so, and the period is shorter", Test{Attempt: start, Silent: 9}, time.Minute, start.Add(time.Minute)},
		{"it was refused, and the registry is silent for long", Test{Verdict: Rejected, Repeats: 9, Attempt: start, Silent: 9}, verifyPeriod, start.Add(waitingInterval)},
		{"it is refused for long", Test{Verdict: Rejected, Repeats: 9, Attempt: start}, verifyPeriod, start.Add(verifyPeriod)},
		{"the registry wants to be left alone", Test{Attempt: start, Silent: 1, NotBefore: minute(7)}, verifyPeriod, minute(7)},
		{"it was being asked when the process ended", Test{Attempt: start}, verifyPeriod, start.Add(MinInterval)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			spec.Verify = test.verify
			s.know(spec, 2, test.known)
			if got := s.waitingTestAt(spec, s.Waiting, s.Waiting.Accounts[0]); !got.Equal(test.want) {
				t.Errorf("it is tested at %s, want %s", got, test.want)
			}
		})
	}
}

func TestNothingIsTestedMoreOftenThanEveryHalfMinute(t *testing.T) {
	spec, s := asking()
	s.know(spec, 1, Test{Verdict: Accepted, Attempt: start})
	if got := s.testAt(spec, s.Accounts[0], time.Second, time.Second); !got.Equal(start.Add(MinInterval)) {
		t.Errorf("it is tested after %s", got.Sub(start))
	}
	if got := backOff(1, time.Second); got != MinInterval {
		t.Errorf("the wait is %s", got)
	}
}

func TestOneLoginThatIsWantedForTwoReasonsIsTestedOnceAndAtTheEarlierTime(t *testing.T) {
	for _, test := range []struct {
		name  string
		inUse Test
		doubt time.Time
		want  time.Time
	}{
		{"the new value wants it later", Test{Verdict: Rejected, Repeats: 9, Attempt: start}, time.Time{}, start.Add(verifyPeriod)},
		{"the value in use wants it sooner", Test{Verdict: Accepted, Silent: 9, Attempt: start}, minute(1), start.Add(MinInterval)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			s.Waiting.Accounts, s.DoubtTime = s.Accounts, test.doubt
			s.know(spec, 1, test.inUse)
			all := s.tests(spec, minute(1))
			if len(all) != 1 || !all[0].at.Equal(test.want) {
				t.Errorf("the tests are %+v, want one at %s", all, test.want)
			}
		})
	}
}

// The value in use goes on being tested while another one waits: that it is refused has to be noticed all the same.
func TestTheTestsOfWhatIsThere(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *State)
		want   []int
	}{
		{"the new value, the one in use and the one before", func(*State) {}, []int{2, 1, 3}},
		{"the new value is accepted", func(s *State) {
			s.know(&Spec{Mode: v1alpha1.VerifyPull}, 2, Test{Verdict: Accepted, Time: start, Attempt: start})
		}, []int{1, 3}},
		{"the content of the one before is not kept any more", func(s *State) { s.Previous.Config = nil }, []int{2, 1}},
		{"nothing is published yet", func(s *State) { s.Value.Config, s.Previous = nil, nil }, []int{2}},
		{"one is under way", func(s *State) { s.Testing = map[string]time.Time{accountOf(2, hostA).Print: minute(4)} }, []int{1, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			w := &world{now: start, obtained: map[string]time.Time{}}
			s.Previous, s.Delivered = &Previous{Value: w.value(3), ReplacedTime: start}, true
			test.change(s)
			var got []int
			for _, due := range s.tests(spec, minute(5)) {
				v := Value{Accounts: []Account{due.account}}
				got = append(got, versionOf(&v))
			}
			if len(got) != len(test.want) {
				t.Fatalf("tested are the versions %v, want %v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("tested are the versions %v, want %v", got, test.want)
				}
			}
		})
	}
}
