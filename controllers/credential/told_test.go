package credential

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// telling is a controller that tells people something, at noon.
func telling() (*Reconciler, *events.FakeRecorder) {
	recorder := events.NewFakeRecorder(100)
	return &Reconciler{Events: announce.New(recorder), Now: func() time.Time { return noon }}, recorder
}

// heardOf takes what was told.
func heardOf(recorder *events.FakeRecorder) (all []string) {
	for len(recorder.Events) > 0 {
		all = append(all, <-recorder.Events)
	}
	return all
}

// "A fifth of the credential's lifetime is left, or seven days, whichever is later" (docs/registrycredential.md, events).
func TestWhenPeopleAreWarnedOfAnEnd(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name       string
		begins     time.Time
		ends       time.Time
		lease      *source.Lease
		beforehand time.Duration
	}{
		{"a year", noon, noon.Add(365 * day), nil, 7 * day},
		{"five weeks: both are the same", noon, noon.Add(35 * day), nil, 7 * day},
		{"ten days", noon, noon.Add(10 * day), nil, 2 * day},
		{"an hour of a lease that was obtained later than it was read", noon.Add(-5 * time.Hour), noon.Add(time.Hour), &source.Lease{Obtained: noon}, 12 * time.Minute},
		{"it had ended when it was read", noon.Add(time.Hour), noon, nil, 7 * day},
	} {
		value := &rotation.Value{ReadTime: test.begins, ExpireTime: test.ends, Lease: test.lease}
		if got := value.ExpireTime.Sub(warnAt(value)); got != test.beforehand {
			t.Errorf("%s: %s before its end, want %s", test.name, got, test.beforehand)
		}
	}
	if at := warnAt(&rotation.Value{ReadTime: noon}); !at.IsZero() {
		t.Errorf("its end is not known, and people are warned at %s", at)
	}
}

func TestPeopleAreWarnedOfAnEndOnce(t *testing.T) {
	for minted, words := range map[bool]string{false: "somebody must store a new one at its source", true: "no new one was obtained yet: regcred goes on asking"} {
		r, recorder := telling()
		one := served().run
		one.state.ReadTime, one.state.ExpireTime, one.state.Minted = noon.Add(-4*time.Hour), noon.Add(time.Hour+time.Minute), minted
		one.state.Waiting = &rotation.Waiting{Value: rotation.Value{ExpireTime: noon.Add(time.Minute)}} // nobody uses it yet
		if next := r.warnOfExpiry(one); !next.Equal(noon.Add(48*time.Second)) || len(recorder.Events) > 0 {
			t.Errorf("it is looked at again at %s, and told %q", next, heardOf(recorder))
		}
		one.state.ExpireTime = noon.Add(time.Hour)
		for range 3 {
			if next := r.warnOfExpiry(one); !next.IsZero() {
				t.Errorf("it is looked at again at %s", next)
			}
		}
		if got := heardOf(recorder); len(got) != 1 || !strings.HasPrefix(got[0], "Warning Expiring the credential in use ends at 2026-03-01T13:00:00Z") || !strings.Contains(got[0], words) {
			t.Errorf("minted %t: told %q", minted, got)
		}
	}
}

// "One event, however many they are", and "again when they are twice as many".
func TestPeopleAreToldOfFailingNamespacesAFewTimes(t *testing.T) {
	const quota, contested = v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonContested
	for kind, accounts := range map[string]bool{v1alpha1.ConditionSecretsSynced: false, v1alpha1.ConditionServiceAccountsAttached: true} {
		before, f := served().status(&v1alpha1.RegistryCredentialStatus{}, noon), served()
		f.run.memory.told.failing = map[string]int{}
		for _, step := range []struct {
			name   string
			reason string
			count  int
			told   bool
		}{
			{"one begins to fail", quota, 1, true}, {"nothing changed", quota, 1, false}, {"one more", quota, 2, true}, {"one more is not twice as many", quota, 3, false},
			{"twice as many", quota, 4, true}, {"fewer", quota, 2, false}, {"not twice as many as were told of", quota, 7, false}, {"for another reason", contested, 7, true},
			{"it passes", v1alpha1.ReasonServiceAccountNotFound, 7, false}, {"it fails again", contested, 1, true}, {"none fails", "", 0, false}, {"and again", contested, 1, true},
		} {
			f.summary.Selected, f.summary.Causes, f.summary.Failures = 100, map[delivered.Cause]int{}, nil
			if step.count > 0 {
				f.summary.Causes[delivered.Cause{Reason: step.reason, ServiceAccounts: accounts}] = step.count
			}
			status := f.status(before, noon)
			told := f.newlyFailing(before, status)
			if (len(told) == 1) != step.told || len(told) == 1 && (told[0].Type != kind || told[0].Reason != step.reason) {
				t.Errorf("%s, %s: told %+v", kind, step.name, told)
			}
			before = status
		}
	}
}

func TestAnOperatorThatTookOverTellsNotAgainOfWhatFails(t *testing.T) {
	f := served()
	f.run.memory.told.failing = map[string]int{}
	f.fails(v1alpha1.ReasonQuotaExceeded, false, "shop")
	before := f.status(&v1alpha1.RegistryCredentialStatus{}, noon)
	if told := f.newlyFailing(before, f.status(before, noon)); len(told) > 0 {
		t.Errorf("told %+v", told)
	}
	f.fails(v1alpha1.ReasonQuotaExceeded, false, "web")
	if told := f.newlyFailing(before, f.status(before, noon)); len(told) != 1 {
		t.Errorf("they are twice as many, and told are %+v", told)
	}
	f.run.stall = &stall{v1alpha1.ReasonInvalidSelector, "broken"}
	if told := f.newlyFailing(&v1alpha1.RegistryCredentialStatus{}, f.status(before, noon)); len(told) > 0 {
		t.Errorf("what a person must correct in the spec is told of namespaces: %+v", told)
	}
}

func TestWhyAValueWasPublished(t *testing.T) {
	const normal, warning = corev1.EventTypeNormal, corev1.EventTypeWarning
	for _, test := range []struct {
		name   string
		mode   v1alpha1.VerificationMode
		asked  string
		proof  rotation.Proof
		judged rotation.Judgement
		want   string
		grave  string
	}{
		{"a pull was proven", v1alpha1.VerifyPull, "", rotation.ProofPull, rotation.Judgement{Fate: rotation.PublishProven}, "the registry lets it pull; published", normal},
		{"a login was proven", v1alpha1.VerifyPull, "", rotation.ProofLogin, rotation.Judgement{Fate: rotation.PublishProven}, "the registry accepts the login; published", normal},
		{"no test is wanted", v1alpha1.VerifyDisabled, "", "", rotation.Judgement{Fate: rotation.PublishUnproven}, "published without verification, as the spec says", normal},
		{"a person asked for it", v1alpha1.VerifyPull, "v1", "", rotation.Judgement{Fate: rotation.PublishUnproven, Message: "it answers 429"}, "published unproven, as the annotation regcred.dev/publish-revision says", normal},
		{"a person asked for another one", v1alpha1.VerifyPull, "v0", "", rotation.Judgement{Fate: rotation.PublishUnproven, Message: "it answers 429"}, "published unproven: it answers 429", warning},
		{"nobody said anything of it", v1alpha1.VerifyPull, "", "", rotation.Judgement{Fate: rotation.PublishUnproven}, "published unproven: the registry gave no answer about it", warning},
		{"pods use another registry", v1alpha1.VerifyPull, "", "", rotation.Judgement{Fate: rotation.PublishUnproven, Message: "nobody answers", Account: accountAt("two")},
			"published unproven: nobody answers. No image in use in the target namespaces is from registry.example: they are from registry.example:5000. If it is meant for those, correct spec.registries", warning},
	} {
		one := served().run
		one.spec.Mode, one.spec.PublishRevision, one.state.Proof = test.mode, test.asked, test.proof
		one.state.NoteAnswer(accountAt("two"), one.spec.Question(accountAt("two")), rotation.Answer{Verdict: rotation.Unknown, Elsewhere: []string{host + ":5000"}}, noon)
		if got := howGrave(one, test.judged, "v1"); got != test.grave {
			t.Errorf("%s: the event is of type %s", test.name, got)
		}
		if got := whyPublished(one, one.state, test.judged); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPeopleAreToldOnceOfAValueThatWaits(t *testing.T) {
	r, recorder := telling()
	f := served()
	tells := func(name string, want ...string) {
		t.Helper()
		for range 2 {
			r.tellOfWaiting(f.run)
		}
		got := heardOf(recorder)
		if len(got) != len(want) {
			t.Fatalf("%s: told %q", name, got)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: told %q, want %q", name, got[i], want[i])
			}
		}
	}
	tells("none waits")
	f.waits(rotation.Hold, "")
	tells("one waits whose test is under way")
	f.waits(rotation.Hold, "it answers 429")
	tells("one is held", "Normal Held revision v1 stays in use, and revision v2 waits: it answers 429")
	f.waits(rotation.HoldOn, "it answers 503")
	tells("the same one is held on")
	f.waits(rotation.Refuse, "it answers 401")
	tells("it is refused", "Warning Rejected revision v2 of the source is not published, because the registry refuses it: it answers 401. What is published stays")
	f.run.state.Waiting.Digest = "three"
	tells("another one is refused", "Warning Rejected revision v2")
	f.run.state.Waiting = nil
	for name, older := range map[string]rotation.Older{
		"an older answer came once": {Value: rotation.Value{Digest: "zero", Revision: "v0"}, Reads: 1}, "it is what is in use": {Value: rotation.Value{Digest: "one", Revision: "v1"}, Reads: 5},
	} {
		f.run.state.Older = &older
		tells(name)
	}
	f.run.state.Older = &rotation.Older{Value: rotation.Value{Digest: "zero", Revision: "v0"}, Reads: 2}
	tells("it came twice", "Warning StaleAnswer the source answers with revision v0, which is older")
	if c := f.available(); c.Status != "True" || c.Reason != v1alpha1.ReasonStaleAnswer {
		t.Errorf("%+v", c)
	}
}
