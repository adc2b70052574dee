package rotation

import "testing"

func TestWhatIsKeptOfATestForAnotherQuestion(t *testing.T) {
	spec, s := asking()
	account := accountOf(1, hostA)
	s.Tests = map[string]Test{account.Print: {Question: "other", Asked: "asked", Verdict: Accepted, Attempt: minute(1), NotBefore: minute(2), Registry: hostA, Silent: 3}}
	got := s.Test(spec, account)
	if got.Asked != "asked" || !got.Attempt.Equal(minute(1)) || !got.NotBefore.Equal(minute(2)) || got.Registry != hostA || got.Verdict != "" || got.Silent != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsReadForIsNamedByWhatItIs(t *testing.T) {
	if one := hashOf(nil, "a"); one == "" || one == hashOf(nil, "b") || one != hashOf(nil, "a") {
		t.Errorf("it is named %q", one)
	}
}
