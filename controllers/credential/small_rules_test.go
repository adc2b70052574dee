package credential

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// Nobody has to decide about a value of which no registry said anything yet, while an answer is to be expected.
func TestWhetherAnAnswerOfTheRegistryIsToBeExpected(t *testing.T) {
	of := rotation.Account{Print: "print"}
	for _, test := range []struct {
		name      string
		judgement rotation.Judgement
		asked     time.Duration // ago, 0: it was not asked
		want      bool
	}{
		{"it was asked a moment ago", rotation.Judgement{Fate: rotation.Hold, Account: of}, time.Second, true},
		{"it was asked nearly as long ago as a test takes", rotation.Judgement{Fate: rotation.Hold, Account: of}, testTimeout - 1, true},
		{"it was asked as long ago as a test takes", rotation.Judgement{Fate: rotation.Hold, Account: of}, testTimeout, false},
		{"another account was asked", rotation.Judgement{Fate: rotation.Hold, Account: rotation.Account{Print: "other"}}, time.Second, false},
		{"it was not asked", rotation.Judgement{Fate: rotation.Hold, Account: of}, 0, false},
		{"it is held for a while", rotation.Judgement{Fate: rotation.Hold, Account: of, Until: noon.Add(1)}, 0, true},
		{"it was held until now", rotation.Judgement{Fate: rotation.Hold, Account: of, Until: noon}, 0, false},
		{"the registry said something", rotation.Judgement{Fate: rotation.Hold, Account: of, Message: "no", Until: noon.Add(time.Hour)}, time.Second, false},
		{"it is held until it is accepted", rotation.Judgement{Fate: rotation.HoldOn, Account: of, Until: noon.Add(time.Hour)}, time.Second, false},
		{"it is refused", rotation.Judgement{Fate: rotation.Refuse, Account: of}, time.Second, false},
	} {
		run := &run{judgement: test.judgement}
		run.state.Testing = map[string]time.Time{}
		if test.asked > 0 {
			run.state.Testing["print"] = noon.Add(-test.asked)
		}
		if got := run.unasked(noon); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestHowManyNamespacesHaveItIsSaidInWords(t *testing.T) {
	for _, test := range []struct {
		there   int
		missing []string
		want    string
	}{
		{1, nil, "the selected namespace"}, {2, nil, "all 2 selected namespaces"},
		{2, []string{"typo"}, "all selected namespaces that exist, 2 of 3"}, {1, []string{"a", "b"}, "all selected namespaces that exist, 1 of 3"},
	} {
		f := &facts{missing: test.missing}
		f.summary.Selected = test.there
		if got := f.inAll(); got != test.want {
			t.Errorf("%d, and %q do not exist: %q, want %q", test.there, test.missing, got, test.want)
		}
	}
}

func TestWhatWasReplacedLastHasANameByItsTime(t *testing.T) {
	status := func(p *v1alpha1.PreviousStatus) *v1alpha1.RegistryCredentialStatus {
		return &v1alpha1.RegistryCredentialStatus{Previous: p}
	}
	at := metav1.NewTime(noon)
	names := map[string]bool{}
	for _, p := range []*v1alpha1.PreviousStatus{nil, {Revision: "1"}, {Revision: "1", ReplacedTime: &at}, {Revision: "2", ReplacedTime: &at}} {
		names[replacedIn(status(p))] = true
	}
	if len(names) != 4 || !names[""] {
		t.Errorf("%v", names)
	}
}
