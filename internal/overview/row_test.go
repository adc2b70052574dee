package overview_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes []change
		want    string
	}{
		{"all is well", nil, ""},
		{"it is being deleted, and a person must confirm that",
			[]change{func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }, stalled(v1alpha1.ReasonRemovalUnconfirmed)},
			"it is being deleted: a person must act"},
		{"no operator has looked at it", []change{func(o *v1alpha1.RegistryCredential) { o.Status = v1alpha1.RegistryCredentialStatus{} }}, "the operator did not look at it yet"},
		{"it says nothing of whether it is ready", []change{func(o *v1alpha1.RegistryCredential) { o.Status.Conditions = o.Status.Conditions[1:] }}, "it has no condition Ready"},
		{"the spec changed since", []change{func(o *v1alpha1.RegistryCredential) { o.Generation = 3 }}, "the spec changed"},
		{"it is not ready", []change{says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSealed, "Vault is sealed"), fails(12, 1, v1alpha1.ReasonForeignSecret)},
			"Sealed: Vault is sealed"},
		{"its end has passed", []change{ends(-time.Minute)}, "the value in use ended at 2026-03-01T11:59:00Z: store a new one in the source"},
		{"its end is near", []change{ends(6 * 24 * time.Hour)}, "the value in use ends at 2026-03-07T12:00:00Z: store a new one in the source before"},
		{"its end is far", []change{ends(8 * 24 * time.Hour)}, ""},
		{"its end is near, and the source makes the next one",
			[]change{ends(time.Hour), func(o *v1alpha1.RegistryCredential) { o.Spec.Source.Vault.Engine = v1alpha1.EngineDynamic }}, ""},
		{"its end is near, and each read trades for the next one",
			[]change{ends(time.Hour), func(o *v1alpha1.RegistryCredential) { o.Spec.Source.Vault.Exchange = &v1alpha1.VaultExchange{} }}, ""},
		{"one namespace is not served", []change{fails(12, 1, v1alpha1.ReasonForeignSecret)}, "namespace team-a is not served: ForeignSecret: what to do"},
		{"several namespaces are not served", []change{fails(11, 2, v1alpha1.ReasonForeignSecret, v1alpha1.ReasonContested)},
			"2 of 13 namespaces are not served; the first, team-a: ForeignSecret: what to do"},
		{"running pods are at risk", []change{func(o *v1alpha1.RegistryCredential) { o.Status.Pods.AtRisk = ptr.To[int32](1) }},
			"1 running pod could not start on another node: the registry refuses the value in use"},
		{"pods are stuck", []change{func(o *v1alpha1.RegistryCredential) { o.Status.Pods.Stuck = 3 }}, "3 pods cannot pull an image. Ask: kubectl regcred explain pods -A"},
		{"the registry does not answer", []change{says(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonUnproven, "it did not say")}, "Unproven: it did not say"},
		{"it is not tested because somebody wants that", []change{says(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonVerificationOff, "off")}, ""},
		{"a form that no kubelet can use", []change{says(v1alpha1.ConditionUnusableForm, metav1.ConditionTrue, v1alpha1.ReasonInvalidPort, "the port is no port")}, "InvalidPort: the port is no port"},
		{"forms that all kubelets can use", []change{says(v1alpha1.ConditionUnusableForm, metav1.ConditionFalse, "Usable", "all is well")}, ""},
		{"it is being deleted, and says no more of that",
			[]change{func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }}, "it is being deleted"},
		{"it is being deleted, and works at that",
			[]change{func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) },
				says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, "3 Secrets are left")}, "it is being deleted: 3 Secrets are left"},
		{"it ends at this moment", []change{ends(0)}, "the value in use ended at 2026-03-01T12:00:00Z"},
		{"its end is as far as the operator tells nobody", []change{ends(7 * 24 * time.Hour)}, ""},
		{"its end is near, and its source is of a later version", []change{ends(time.Hour), func(o *v1alpha1.RegistryCredential) { o.Spec.Source.Vault = nil }}, ""},
		{"nothing was counted yet", []change{func(o *v1alpha1.RegistryCredential) {
			o.Status.Credential, o.Status.Namespaces, o.Status.Pods = nil, nil, nil
		}}, ""},
		{"no pod is at risk", []change{func(o *v1alpha1.RegistryCredential) { o.Status.Pods.AtRisk = ptr.To[int32](0) }}, ""},
		{"nothing is said of the registry", []change{without(v1alpha1.ConditionVerified)}, ""},
		{"namespaces are not served, and none is named", []change{fails(11, 2)}, "2 of 13 namespaces are not served"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := overview.RowOf(healthy(test.changes...), noon).Problem
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestARowTellsOfValueAndSource(t *testing.T) {
	row := overview.RowOf(healthy(fails(12, 1), ends(time.Hour), func(o *v1alpha1.RegistryCredential) {
		o.Spec.Suspend, o.Status.Pods = true, &v1alpha1.PodsStatus{Stuck: 4, AtRisk: ptr.To[int32](5)}
	}), noon)
	if row.Name != "company" || row.StuckPods != 4 || *row.PodsAtRisk != 5 || !row.Source.Suspended {
		t.Errorf("%+v", row)
	}
	if row.Ready != metav1.ConditionTrue || row.Synced != 12 || row.Selected != 13 || row.Revision != "7" || !row.ChangeTime.Equal(noon.Add(-time.Hour)) || !row.ExpireTime.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", row)
	}
	if s := row.Source; s.Usable != metav1.ConditionTrue || s.Reason != v1alpha1.ReasonRead || s.PeriodSeconds != 60 || !s.Since.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%+v", s)
	}
}

func TestOfASourceThatWasNotReadNothingIsKnown(t *testing.T) {
	for _, engine := range []v1alpha1.Engine{v1alpha1.EngineKVv2, v1alpha1.EngineDynamic} {
		row := overview.RowOf(healthy(func(o *v1alpha1.RegistryCredential) {
			o.Spec.Source.Vault.Engine, o.Status = engine, v1alpha1.RegistryCredentialStatus{}
		}), noon)
		if s := row.Source; s.Usable != metav1.ConditionUnknown || s.Reason != v1alpha1.ReasonProgressing || s.Since != nil || s.Suspended || s.Made {
			t.Errorf("%s: %+v", engine, s)
		}
		if row.Ready != metav1.ConditionUnknown {
			t.Errorf("%s: it is ready: %q", engine, row.Ready)
		}
	}
	if got := overview.RowOf(healthy(says(v1alpha1.ConditionReady, "", "", "")), noon).Ready; got != metav1.ConditionUnknown {
		t.Errorf("a condition without a status says %q", got)
	}
}

func TestWhichSourcesMakeWhatTheyGive(t *testing.T) {
	engine := func(kind v1alpha1.Engine, exchange *v1alpha1.VaultExchange) change {
		return func(o *v1alpha1.RegistryCredential) {
			o.Spec.Source.Vault = &v1alpha1.VaultSource{Engine: kind, Exchange: exchange}
		}
	}
	for _, test := range []struct {
		name    string
		changes []change
		want    bool
	}{
		{"an engine whose credential ends", []change{engine(v1alpha1.EngineDynamic, nil), ends(time.Hour)}, true},
		{"a static role, which ends never", []change{engine(v1alpha1.EngineDynamic, nil)}, false},
		{"KV that tells of an end", []change{engine(v1alpha1.EngineKVv2, nil), ends(time.Hour)}, false},
		{"KV that is exchanged", []change{engine(v1alpha1.EngineKVv2, &v1alpha1.VaultExchange{}), ends(time.Hour)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := overview.RowOf(healthy(test.changes...), noon).Source.Made; got != test.want {
				t.Errorf("it is made: %t", got)
			}
		})
	}
}

func TestNothingInARowActsOnATerminal(t *testing.T) {
	const raw = "\x1b[2J\u202e"
	row := overview.RowOf(healthy(says(v1alpha1.ConditionReady, metav1.ConditionFalse, "x", strings.Repeat(raw, 1000)),
		says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionFalse, raw, ""),
		func(o *v1alpha1.RegistryCredential) { o.Status.Credential.Revision = raw }), noon)
	if strings.ContainsAny(row.Problem+row.Revision+row.Source.Reason, "\x1b\u202e") || len(row.Problem) > foreign.MessageLength {
		t.Errorf("%q %q", row.Problem, row.Revision)
	}
}

func TestWhetherTheValueBeforeMayBeRevoked(t *testing.T) {
	complete := func(status metav1.ConditionStatus, reason string) change {
		return says(v1alpha1.ConditionRotationComplete, status, reason, "")
	}
	for _, test := range []struct {
		name   string
		change change
		want   overview.Revocation
	}{
		{"the registry still accepts it, and no namespace has it", complete(metav1.ConditionFalse, v1alpha1.ReasonOldAccepted), overview.RevokeNow},
		{"nobody knows what the registry says of it", complete(metav1.ConditionUnknown, v1alpha1.ReasonOldUnknown), overview.RevokeNow},
		{"the registry refuses it", complete(metav1.ConditionTrue, v1alpha1.ReasonOldRefused), overview.RevokedAlready},
		{"it has ended", complete(metav1.ConditionTrue, v1alpha1.ReasonOldEnded), overview.RevokedAlready},
		{"the registry did not say whether it accepts the value in use", complete(metav1.ConditionFalse, v1alpha1.ReasonUnproven), overview.RevokeLater},
		{"namespaces still have it", delivering, overview.RevokeLater},
		{"a newer value waits", complete(metav1.ConditionFalse, v1alpha1.ReasonProgressing), overview.RevokeLater},
		{"a reason that this version does not know", complete(metav1.ConditionTrue, "New"), overview.RevokeLater},
		{"a namespace that is not selected any more has it", func(o *v1alpha1.RegistryCredential) { o.Status.Previous.Namespaces = 1 }, overview.RevokeLater},
		{"the spec changed since", func(o *v1alpha1.RegistryCredential) { o.Generation++ }, overview.RevokeLater},
		{"nothing is said of it", without(v1alpha1.ConditionRotationComplete), overview.RevokeLater},
		{"there was none, and a newer value waits", func(o *v1alpha1.RegistryCredential) {
			o.Status.Previous = nil
			complete(metav1.ConditionFalse, v1alpha1.ReasonProgressing)(o)
		}, overview.RevokeInUse},
		{"there is none at all, and the first waits", func(o *v1alpha1.RegistryCredential) {
			o.Status.Previous, o.Status.Credential = nil, nil
			complete(metav1.ConditionFalse, v1alpha1.ReasonProgressing)(o)
		}, overview.RevokeNothing},
		{"there was none", func(o *v1alpha1.RegistryCredential) { o.Status.Previous = nil }, overview.RevokeNothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := overview.DetailOf(healthy(test.change), noon).Revocation; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
