package credential

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const host = "registry.example"

// served are the facts of a value that every namespace has and the registry accepts.
func served() *facts {
	spec := &rotation.Spec{Mode: v1alpha1.VerifyPull, SpecHash: "spec", Hold: 2 * time.Minute}
	f := &facts{run: &run{object: &v1alpha1.RegistryCredential{}, spec: spec, memory: &memory{}}, atRisk: &risk{}}
	f.run.object.Generation = 3
	f.run.object.Spec.Registries = []v1alpha1.Registry{host}
	one := delivered.Version{Revision: "v1", Digest: "one"}
	f.summary = delivered.Summary{Generation: 3, Selected: 2, Right: map[delivered.Served]int{{Version: one, Generation: 3}: 2}, Present: map[delivered.Version]int{one: 2}}
	s := &f.run.state
	s.Value = rotation.Value{
		Config: dockerconfig.Config{}, Revision: "v1", Digest: "one", SpecHash: "spec", Use: rotation.Use{Proof: rotation.ProofPull},
		Accounts: []rotation.Account{accountAt("one")},
	}
	s.Reads.Last, s.Reads.ReadTime = noon, noon
	f.answer("one", rotation.Accepted, noon)
	return f
}

func accountAt(print string) rotation.Account {
	return rotation.Account{Print: print, Host: host, Keys: []string{host}}
}

// answer has the registry say something of a value.
func (f *facts) answer(print string, verdict rotation.Verdict, at time.Time) {
	said := map[rotation.Verdict]string{rotation.Accepted: "it lets it pull", rotation.Rejected: "it answers 401", rotation.Unknown: "it answers 429"}[verdict]
	f.run.state.NoteAnswer(accountAt(print), f.run.spec.Question(accountAt(print)), rotation.Answer{Verdict: verdict, Message: said}, at)
	f.verdict, f.test = f.run.state.Of(f.run.spec, &f.run.state.Value)
}

// waits has another value wait, with a fate.
func (f *facts) waits(fate rotation.Fate, message string) {
	f.run.state.Waiting = &rotation.Waiting{Value: rotation.Value{Revision: "v2", Digest: "two", Accounts: []rotation.Account{accountAt("two")}}, FirstSeen: noon}
	f.run.judgement = rotation.Judgement{Fate: fate, Message: message, Account: accountAt("two")}
}

// Nothing is said too early, and nothing hides what is graver: an object is not Ready before its source was read and all namespaces have the
// value in use, under its present revision, and that the value in use is refused is told also where the new one is.
func TestWhatTheConditionsSay(t *testing.T) {
	const yes, no, open = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	type want struct {
		kind    string
		status  metav1.ConditionStatus
		reason  string
		message string
	}
	ready := func(status metav1.ConditionStatus, reason string) want {
		return want{v1alpha1.ConditionReady, status, reason, ""}
	}
	verified := func(status metav1.ConditionStatus, reason, message string) want {
		return want{v1alpha1.ConditionVerified, status, reason, message}
	}
	for _, test := range []struct {
		name   string
		change func(f *facts)
		want   []want
	}{
		{"all is well", func(*facts) {}, []want{ready(yes, v1alpha1.ReasonSucceeded), verified(yes, v1alpha1.ReasonAccepted, "")}},
		{"the spec changed, and before that it selected nothing", func(f *facts) {
			f.run.object.Generation, f.summary = 4, delivered.Summary{Generation: 3}
		}, []want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}, {v1alpha1.ConditionServiceAccountsAttached, no, v1alpha1.ReasonProgressing, ""}}},
		{"the spec changed, and all that it selected before fails", func(f *facts) {
			f.run.object.Generation, f.summary = 4, delivered.Summary{Generation: 3, Selected: 2, Causes: map[delivered.Cause]int{{Reason: v1alpha1.ReasonProgressing}: 2}}
		}, []want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}}},
		{"the value in use is refused", func(f *facts) { f.answer("one", rotation.Rejected, noon) },
			[]want{ready(no, v1alpha1.ReasonNoLongerAccepted), verified(no, v1alpha1.ReasonNoLongerAccepted, "it answers 401"), {v1alpha1.ConditionStalled, yes, v1alpha1.ReasonNoLongerAccepted, ""}}},
		{"the value in use is refused, and later the registry answers 429", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.answer("one", rotation.Unknown, noon.Add(time.Hour))
		}, []want{ready(no, v1alpha1.ReasonNoLongerAccepted), verified(no, v1alpha1.ReasonNoLongerAccepted, "it answers 401")}},
		{"the value in use is accepted, and later the registry answers 429", func(f *facts) { f.answer("one", rotation.Unknown, noon.Add(time.Hour)) },
			[]want{ready(yes, v1alpha1.ReasonSucceeded), verified(yes, v1alpha1.ReasonAccepted, "")}},
		{"the new value is refused, and the one in use works", func(f *facts) { f.waits(rotation.Refuse, "it answers 401") },
			[]want{ready(no, v1alpha1.ReasonRejected), verified(no, v1alpha1.ReasonRejected, "revision v2 in the source is not published, because the registry refuses it: it answers 401")}},
		{"both values are refused", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.waits(rotation.Refuse, "it answers 401")
		}, []want{ready(no, v1alpha1.ReasonNoLongerAccepted), verified(no, v1alpha1.ReasonNoLongerAccepted, "revision v2, which the registry refuses, too")}},
		{"the value in use is refused, and the new one is tested", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.waits(rotation.Hold, "")
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "revision v2 already, which is not in use yet")}},
		{"the value in use is refused, and the new one is accepted and not in use yet", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.waits(rotation.PublishProven, "")
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "The registry accepts revision v2 of the source, which is being put in use")}},
		{"the new value is held", func(f *facts) { f.waits(rotation.HoldOn, "it answers 429") },
			[]want{ready(yes, v1alpha1.ReasonSucceeded), verified(open, v1alpha1.ReasonHeld, "regcred.dev/publish-revision=v2")}},
		{"the new value is held, and somebody names another one to publish", func(f *facts) {
			f.waits(rotation.HoldOn, "it answers 429")
			f.run.object.Annotations = map[string]string{v1alpha1.PublishAnnotation: "v22"}
		}, []want{verified(open, v1alpha1.ReasonHeld, `annotation regcred.dev/publish-revision has the value "v22" now, which decides nothing here`)}},
		{"the value of a changed spec is held", func(f *facts) {
			f.run.spec.SpecHash = "other"
			f.waits(rotation.Hold, "it answers 429")
			f.run.judgement.Until = noon.Add(2 * time.Hour)
		}, []want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonHeld, "the spec changed, and its value, revision v2, waits for the registry until 2026-03-01T14:00:00Z at the latest: see Verified. " +
			"Meanwhile revision v1 stays in use in 2 of 2 namespaces"}, {v1alpha1.ConditionReconciling, yes, v1alpha1.ReasonHeld, ""},
			verified(open, v1alpha1.ReasonHeld, "revision v1 stays in use, and revision v2 waits: it answers 429. It is published without a test at 2026-03-01T14:00:00Z; to publish it now")}},
		{"the value of a changed spec is held without an end", func(f *facts) {
			f.run.spec.SpecHash = "other"
			f.waits(rotation.HoldOn, "it answers 429")
		}, []want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonHeld, "revision v2, waits until the registry accepts it: see Verified. Meanwhile revision v1 stays in use"},
			verified(open, v1alpha1.ReasonHeld, "revision v1 stays in use, and revision v2 waits")}},
		{"a first value is held", func(f *facts) {
			f.run.state.Value = rotation.Value{}
			f.waits(rotation.Hold, "it answers 429")
			f.run.judgement.Until = noon.Add(2 * time.Hour)
		}, []want{ready(no, v1alpha1.ReasonHeld), verified(open, v1alpha1.ReasonHeld, "revision v2 is not in use yet: it answers 429. It is published without a test at 2026-03-01T14:00:00Z; to publish it now")}},
		{"a value is held though the time is over, because the registry was not asked about it", func(f *facts) { f.waits(rotation.Hold, "") },
			[]want{verified(open, v1alpha1.ReasonHeld, "or did not answer yet. It is held until the registry accepts it; to publish it now")}},
		{"a value waits whose test is under way", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.run.state.Testing = map[string]time.Time{"two": noon.Add(time.Hour - time.Second)}
		}, []want{ready(yes, v1alpha1.ReasonSucceeded), {v1alpha1.ConditionVerified, open, v1alpha1.ReasonProgressing, "revision v2 waits for the first answer of the registry; meanwhile revision v1 stays in use"}}},
		{"a value waits whose test went away", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.run.state.Testing = map[string]time.Time{"two": noon.Add(59 * time.Minute)}
		}, []want{verified(open, v1alpha1.ReasonHeld, "or did not answer yet")}},
		{"a first value waits for the first answer", func(f *facts) {
			f.run.state.Value = rotation.Value{}
			f.waits(rotation.Hold, "")
			f.run.judgement.Until = noon.Add(2 * time.Hour)
		}, []want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionVerified, open, v1alpha1.ReasonProgressing, "revision v2 waits for the first answer of the registry"}, {v1alpha1.ConditionReconciling, yes, v1alpha1.ReasonProgressing, ""}}},
		{"the value of a changed spec waits for the first answer", func(f *facts) {
			f.run.spec.SpecHash = "other"
			f.waits(rotation.Hold, "")
			f.run.judgement.Until = noon.Add(2 * time.Hour)
		}, []want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonProgressing, "the spec changed, and revision v2 waits for the first answer of the registry; meanwhile revision v1 stays in use in 2 of 2 namespaces"}}},
		{"no namespace is selected", func(f *facts) { f.summary = delivered.Summary{Generation: 3} },
			[]want{ready(no, v1alpha1.ReasonNoNamespaces), {v1alpha1.ConditionRotationComplete, no, v1alpha1.ReasonNoNamespaces, "selects no namespace, so the value in use is in none"}}},
		{"a value is held that did not work when it was in use", func(f *facts) {
			f.waits(rotation.HoldOn, "it answers 429")
			f.run.state.RestoredOver = "two"
		}, []want{verified(open, v1alpha1.ReasonHeld, "because it was in use before and the registry refused it")}},
		{"the record cannot be kept", func(f *facts) { f.run.fault = &fault{v1alpha1.ReasonRecordNotKept, "the operator cannot write"} },
			[]want{ready(no, v1alpha1.ReasonRecordNotKept), {v1alpha1.ConditionReconciling, yes, v1alpha1.ReasonRecordNotKept, ""}, verified(yes, v1alpha1.ReasonAccepted, "")}},
		{"the spec has a new generation that no namespace was looked at for", func(f *facts) { f.run.object.Generation = 4 },
			[]want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}, {v1alpha1.ConditionServiceAccountsAttached, no, v1alpha1.ReasonProgressing, ""}}},
		{"the value in use was read for another source", func(f *facts) { f.run.spec.SpecHash = "other" },
			[]want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonProgressing, "the source is read for it; meanwhile revision v1 stays in use in 2 of 2 namespaces"},
				{v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonSpecNotInUse, "revision v1 of the spec before, which stays in use until the changed spec has a usable value: see CredentialAvailable"},
				{v1alpha1.ConditionServiceAccountsAttached, yes, v1alpha1.ReasonAttached, ""},
				{v1alpha1.ConditionRotationComplete, no, v1alpha1.ReasonProgressing, "Do not revoke the one in use"}}},
		{"the value in use was read for another source, and the present one cannot be read", func(f *facts) {
			f.run.spec.SpecHash = "other"
			f.run.state.Reads.Fault = source.Stalled(v1alpha1.ReasonSecretNotFound, "nothing is at that path")
		}, []want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonSecretNotFound, "Revision v1 of the spec before stays in use"},
			{v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonSpecNotInUse, "see CredentialAvailable"}, {v1alpha1.ConditionStalled, yes, v1alpha1.ReasonSecretNotFound, ""}}},
		{"the value in use was read for another source, and a namespace was not given it yet", func(f *facts) {
			f.run.spec.SpecHash, f.summary.Selected = "other", 3
		}, []want{{v1alpha1.ConditionReady, no, v1alpha1.ReasonProgressing, "is in 2 of 3 namespaces"}, {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}}},
		{"the value in use was read for another source, and the value of the present one is refused", func(f *facts) {
			f.run.spec.SpecHash = "other"
			f.waits(rotation.Refuse, "it answers 401")
			f.run.state.Waiting.SpecHash = "other"
		}, []want{ready(no, v1alpha1.ReasonRejected), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonSpecNotInUse, "see Verified"}}},
		{"all namespaces have the value before", func(f *facts) {
			before := delivered.Version{Revision: "v0", Digest: "zero"}
			f.summary.Right = map[delivered.Served]int{{Version: before, Generation: 3}: 2}
			f.summary.Present = map[delivered.Version]int{before: 2}
		}, []want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}}},
		{"half of the namespaces have the value", func(f *facts) { f.summary.Selected = 4 },
			[]want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionSecretsSynced, no, v1alpha1.ReasonProgressing, ""}}},
		{"a person must correct the spec, and the source fails", func(f *facts) {
			f.run.stall = &stall{v1alpha1.ReasonServiceAccountNotAllowed, "ghost"}
			f.run.state.Reads.Fault = source.Transient(v1alpha1.ReasonSealed, "it is sealed", nil)
		}, []want{ready(no, v1alpha1.ReasonServiceAccountNotAllowed), {v1alpha1.ConditionStalled, yes, v1alpha1.ReasonServiceAccountNotAllowed, ""},
			{v1alpha1.ConditionCredentialAvailable, no, v1alpha1.ReasonSealed, "it is sealed. What is published stays in use"}}},
		{"nothing was read or published yet", func(f *facts) { f.run.state = rotation.State{} },
			[]want{ready(no, v1alpha1.ReasonProgressing), {v1alpha1.ConditionCredentialAvailable, open, v1alpha1.ReasonProgressing, ""}}},
		{"it expired, and nothing else waits", func(f *facts) {
			f.run.state.ExpireTime = noon.Add(-time.Hour)
			f.answer("one", rotation.Rejected, noon)
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "It expired at 2026-03-01T11:00:00Z: store a new one")}},
		{"the source was read since it is refused, and has nothing else", func(f *facts) {
			f.answer("one", rotation.Rejected, noon.Add(-time.Hour))
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "The source still has it")}},
		{"the source was read since, and gave what another object got before", func(f *facts) {
			f.answer("one", rotation.Rejected, noon.Add(-time.Hour))
			f.run.state.Reads.ReadTime = noon.Add(-2 * time.Hour)
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "not known yet")}},
		{"the source was read since, and gave an older value", func(f *facts) {
			f.answer("one", rotation.Rejected, noon.Add(-time.Hour))
			f.run.state.Older = &rotation.Older{Reads: 1}
		}, []want{verified(no, v1alpha1.ReasonNoLongerAccepted, "not known yet")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			status := f.status(&v1alpha1.RegistryCredentialStatus{}, noon.Add(time.Hour))
			for _, want := range test.want {
				c := meta.FindStatusCondition(status.Conditions, want.kind)
				if c == nil || c.Status != want.status || c.Reason != want.reason || !strings.Contains(c.Message, want.message) {
					t.Errorf("%s is %+v, want %s %s %q", want.kind, c, want.status, want.reason, want.message)
				}
			}
		})
	}
}

// What is in use is counted whatever the spec says of where another one comes from: it serves every pod as before.
func TestAChangedSpecWithoutAValueTakesNothingFromTheCount(t *testing.T) {
	f := served()
	f.run.spec.SpecHash = "other"
	if n := f.status(&v1alpha1.RegistryCredentialStatus{}, noon).Namespaces; n.Synced != 2 || n.Selected != 2 {
		t.Errorf("%d of %d namespaces have the value in use, want both", n.Synced, n.Selected)
	}
	f.run.object.Generation++ // and nobody looked at the namespaces for it
	if n := f.status(&v1alpha1.RegistryCredentialStatus{}, noon).Namespaces; n.Synced != 0 {
		t.Errorf("%d namespaces are right for a spec that nobody looked at", n.Synced)
	}
}

func TestNothingThatIsAsItWasIsSaidToBeWorkedOn(t *testing.T) {
	f := served()
	f.answer("one", rotation.Rejected, noon)
	before := f.status(&v1alpha1.RegistryCredentialStatus{}, noon)
	after := served().status(before, noon.Add(time.Hour))
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionUnusableForm} {
		if c := meta.FindStatusCondition(after.Conditions, kind); c != nil {
			t.Errorf("%s stayed: %+v", kind, c)
		}
	}
}

func TestWhenAnObjectIsLookedAtAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		at   time.Time
		want time.Duration
	}{
		{"never, where only an event changes anything", time.Time{}, 0},
		{"when something is due", noon.Add(time.Minute), time.Minute},
		{"not at once, where what was due was done", noon.Add(-time.Hour), time.Second / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := after(noon, test.at).RequeueAfter; got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}
