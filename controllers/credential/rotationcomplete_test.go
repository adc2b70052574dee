package credential

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/rotation"
)

// rotated are the facts of a value that took the place of another one two hours ago, and is everywhere.
func rotated() *facts {
	f := served()
	f.run.state.Previous = &rotation.Previous{Value: rotation.Value{Revision: "v0", Digest: "zero", Accounts: []rotation.Account{accountAt("zero")}}, ReplacedTime: noon.Add(-2 * time.Hour)}
	f.run.state.Tests = nil
	f.answer("one", rotation.Accepted, noon.Add(-2*time.Hour))
	f.answer("zero", rotation.Rejected, noon.Add(-time.Hour))
	f.answer("one", rotation.Accepted, noon)
	return f
}

func TestWhetherTheOldPasswordMayBeRevoked(t *testing.T) {
	const yes, no, open = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	for _, test := range []struct {
		name    string
		change  func(f *facts)
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		{"the registry refuses it", func(*facts) {}, yes, v1alpha1.ReasonOldRefused, "refuses revision v0"},
		{"the registry takes it", func(f *facts) { f.answer("zero", rotation.Accepted, noon) }, no, v1alpha1.ReasonOldAccepted, "Revoke it now"},
		{"there was none", func(f *facts) { f.run.state.Previous = nil }, yes, v1alpha1.ReasonFirstValue, ""},
		{"a ServiceAccount is missing in one namespace", func(f *facts) {
			f.summary.Right = map[delivered.Served]int{{Version: delivered.Version{Revision: "v1", Digest: "one"}, Generation: 3}: 1}
			f.summary.Causes = map[delivered.Cause]int{{Reason: v1alpha1.ReasonServiceAccountNotFound, ServiceAccounts: true}: 1}
		}, yes, v1alpha1.ReasonOldRefused, ""},
		{"a named namespace does not exist", func(f *facts) { f.missing = []string{"typo"} }, yes, v1alpha1.ReasonOldRefused, ""},
		{"one namespace lacks the value", func(f *facts) {
			f.summary.Present = map[delivered.Version]int{{Revision: "v1", Digest: "one"}: 1}
		}, no, v1alpha1.ReasonDelivering, "in 1 of 2 namespaces"},
		{"a namespace that is not selected has the old one", func(f *facts) {
			f.summary.Holding = map[delivered.Version]int{{Revision: "v0", Digest: "zero"}: 1}
		}, no, v1alpha1.ReasonDelivering, "it is still in 1 namespace."},
		{"it is not known yet which namespaces are selected", func(f *facts) { f.run.object.Generation = 4 }, no, v1alpha1.ReasonDelivering, ""},
		{"the value in use is refused", func(f *facts) { f.answer("one", rotation.Rejected, noon) }, no, v1alpha1.ReasonNoLongerAccepted, "Do not revoke"},
		{"the value in use is refused, and the old one works", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.answer("one", rotation.Rejected, noon)
		}, no, v1alpha1.ReasonNoLongerAccepted, "Do not revoke"},
		{"the registry says nothing of the value in use, and takes the old one", func(f *facts) {
			f.run.state.Tests = nil
			f.answer("one", rotation.Unknown, noon)
			f.answer("zero", rotation.Accepted, noon)
		}, no, v1alpha1.ReasonUnproven, "the value in use is everywhere, and the registry did not say whether it accepts it: see Verified. Do not revoke revision v0 yet"},
		{"the registry says nothing of both", func(f *facts) {
			f.run.state.Tests = nil
			f.answer("one", rotation.Unknown, noon)
		}, no, v1alpha1.ReasonUnproven, "Do not revoke revision v0 yet"},
		{"the registry said nothing of the value in use within a day, and took the old one", func(f *facts) {
			f.run.state.Tests = nil
			f.answer("one", rotation.Unknown, noon)
			f.answer("zero", rotation.Accepted, noon)
			f.run.state.Previous.End = rotation.EndNotKept
		}, no, v1alpha1.ReasonUnproven, "Do not revoke revision v0 yet"},
		{"the registry says nothing of the value in use, and the old one has ended", func(f *facts) {
			f.run.state.Tests, f.run.state.Previous.End = nil, rotation.EndExpired
			f.answer("one", rotation.Unknown, noon)
		}, yes, v1alpha1.ReasonOldEnded, "revision v0 has ended"},
		{"the registry says nothing of the value in use, and there was none before", func(f *facts) {
			f.run.state.Tests, f.run.state.Previous = nil, nil
			f.answer("one", rotation.Unknown, noon)
		}, yes, v1alpha1.ReasonFirstValue, ""},
		{"the registry took the value in use, and says nothing of it now", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.answer("one", rotation.Unknown, noon.Add(time.Minute))
		}, no, v1alpha1.ReasonOldAccepted, "Revoke it now"},
		{"a new value waits", func(f *facts) { f.waits(rotation.Hold, "") }, no, v1alpha1.ReasonProgressing, "Do not revoke"},
		{"the account was locked when it was refused", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.answer("zero", rotation.Rejected, noon)
			f.answer("one", rotation.Accepted, noon.Add(time.Minute))
		}, open, v1alpha1.ReasonOldUnknown, "The registry refused it at 2026-03-01T12:00:00Z, and is asked again"},
		{"no namespace is selected", func(f *facts) {
			f.summary = delivered.Summary{Generation: 3}
		}, yes, v1alpha1.ReasonOldRefused, "spec.target selects no namespace, and the registry refuses revision v0"},
		{"no namespace that is named exists", func(f *facts) {
			f.summary, f.missing = delivered.Summary{Generation: 3}, []string{"typo"}
		}, yes, v1alpha1.ReasonOldRefused, "no namespace that spec.target names exists, and the registry refuses revision v0"},
		{"no namespace that is named exists, and there was no value before", func(f *facts) {
			f.summary, f.missing, f.run.state.Previous = delivered.Summary{Generation: 3}, []string{"typo"}, nil
		}, no, v1alpha1.ReasonNoNamespaces, "no namespace that spec.target names exists, so the value in use is in none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := rotated()
			test.change(f)
			c := f.rotationComplete(noon.Add(time.Hour))
			if c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.message) {
				t.Errorf("it is %s %s %q, want %s %s %q", c.Status, c.Reason, c.Message, test.status, test.reason, test.message)
			}
		})
	}
}

// The rules are those of docs/registrycredential.md, "RotationComplete".
func TestWhatIsKnownOfAnOldPasswordThatIsNowhereAnyMore(t *testing.T) {
	const yes, no, open = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	previous := func(change func(*rotation.Previous)) func(*facts) {
		return func(f *facts) { change(f.run.state.Previous) }
	}
	for _, test := range []struct {
		name    string
		change  func(f *facts)
		status  metav1.ConditionStatus
		reason  string
		message string
		says    string // of the registry, in the status
	}{
		{"it has expired", previous(func(p *rotation.Previous) { p.End = rotation.EndExpired }), yes, v1alpha1.ReasonOldEnded, "revision v0 has ended", "Ended"},
		{"it was refused when it was last kept", func(f *facts) {
			f.run.state.Tests, f.run.state.Previous.End = nil, rotation.EndRefused
			f.answer("one", rotation.Accepted, noon)
		}, yes, v1alpha1.ReasonOldRefused, "refuses revision v0", "Rejected"},
		{"nobody is asked", func(f *facts) { f.run.spec.Mode, f.run.state.Tests = v1alpha1.VerifyDisabled, nil }, open, v1alpha1.ReasonOldUnknown, "may be revoked now. Whether it was is not known, because spec.verification.mode is Disabled", "Unknown"},
		{"nobody is asked, and it has expired", func(f *facts) {
			f.run.spec.Mode, f.run.state.Previous.End = v1alpha1.VerifyDisabled, rotation.EndExpired
		}, yes, v1alpha1.ReasonOldEnded, "", "Ended"},
		{"it was accepted until it was not kept any more", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.run.state.Previous.End = rotation.EndNotKept
		}, no, v1alpha1.ReasonOldAccepted, "nobody revoked revision v0 within a day", "Accepted"},
		{"it is accepted an hour after it was replaced", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.run.state.Previous.ReplacedTime = noon.Add(-revokeWithin)
		}, no, v1alpha1.ReasonOldAccepted, "Revoke it now", "Accepted"},
		{"it is accepted a moment before that", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.run.state.Previous.ReplacedTime = noon.Add(-revokeWithin + time.Second)
		}, no, v1alpha1.ReasonOldAccepted, "revision v0 may be revoked now: no namespace has it any more, and the registry still accepts it", "Accepted"},
		{"the same password waits under another version", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.run.state.Waiting.Digest = "one"
		}, yes, v1alpha1.ReasonOldRefused, "", "Rejected"},
		{"none is known", func(f *facts) { f.run.state.Previous = nil }, yes, v1alpha1.ReasonFirstValue, "no earlier one is known", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := rotated()
			test.change(f)
			c := f.rotationComplete(noon)
			if c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.message) {
				t.Errorf("it is %s %s %q, want %s %s %q", c.Status, c.Reason, c.Message, test.status, test.reason, test.message)
			}
			said := f.previous()
			if (said == nil) != (test.says == "") || said != nil && (said.Registry != test.says || said.Revision != "v0" || !said.ReplacedTime.Time.Equal(f.run.state.Previous.ReplacedTime)) {
				t.Errorf("the status says %+v, want %q", said, test.says)
			}
		})
	}
}

func TestWhoHasAnOldPasswordIsToldWithWhereTheNewOneIsNot(t *testing.T) {
	f := rotated()
	f.summary.Present = map[delivered.Version]int{{Revision: "v1", Digest: "one"}: 1}
	if got := f.notEverywhere(); !strings.Contains(got, "in 1 of 2 namespaces: see SecretsSynced. No Secret of regcred has revision v0 any more. Whether the other namespaces use it is not known.") {
		t.Error(got)
	}
	f.summary.Holding = map[delivered.Version]int{{Revision: "v0", Digest: "zero"}: 1}
	if got := f.notEverywhere(); !strings.HasSuffix(got, "Do not revoke revision v0 yet: it is still in 1 namespace.") || f.previous().Namespaces != 1 {
		t.Error(got)
	}
	f.run.state.Previous = nil
	if got := f.notEverywhere(); got != "the value in use is in 1 of 2 namespaces: see SecretsSynced." {
		t.Error(got)
	}
}

func TestWhenAMessageChangesBecauseOfTheTimeAlone(t *testing.T) {
	f := rotated()
	for name, c := range map[string]struct {
		now, want time.Time
		end       rotation.End
	}{
		"the hour has not passed":      {noon.Add(-90 * time.Minute), noon.Add(-time.Hour), ""},
		"the hour has just passed":     {noon.Add(-time.Hour), time.Time{}, ""},
		"the end of the value is told": {noon.Add(-90 * time.Minute), time.Time{}, rotation.EndRefused},
	} {
		f.run.state.Previous.End = c.end
		if got := f.changesAt(c.now); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	f.run.state.Previous = nil
	if got := f.changesAt(noon); !got.IsZero() {
		t.Errorf("there is none, and it changes at %s", got)
	}
}
