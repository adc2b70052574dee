package credential

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/rotation"
)

// fails has namespaces fail for a reason, in the place of so many of the two that are served.
func (f *facts) fails(reason string, accounts bool, namespaces ...string) {
	one := delivered.Version{Revision: "v1", Digest: "one"}
	if f.summary.Causes == nil {
		f.summary.Causes = map[delivered.Cause]int{}
	}
	for _, namespace := range namespaces {
		failure := delivered.Failure{Namespace: namespace, Delivery: delivered.Delivery{Reason: reason, Message: "because of " + namespace, ServiceAccounts: accounts}}
		f.summary.Failures = append(f.summary.Failures, failure)
		f.summary.Causes[delivered.Cause{Reason: reason, ServiceAccounts: accounts}]++
		f.summary.Right[delivered.Served{Version: one, Generation: 3}]--
		if !accounts {
			f.summary.Present[one]--
		}
	}
}

// condition is what one says: its reason, its status, and a part of its message.
type condition struct{ kind, status, reason, message string }

func ready(status, reason, message string) condition {
	return condition{v1alpha1.ConditionReady, status, reason, message}
}

func secrets(status, reason, message string) condition {
	return condition{v1alpha1.ConditionSecretsSynced, status, reason, message}
}

func accounts(status, reason, message string) condition {
	return condition{v1alpha1.ConditionServiceAccountsAttached, status, reason, message}
}

func working(reason string) condition {
	return condition{v1alpha1.ConditionReconciling, "True", reason, ""}
}
func stuck(reason string) condition { return condition{v1alpha1.ConditionStalled, "True", reason, ""} }

func gone(kind string) condition { return condition{kind: kind} }

func sees(t *testing.T, status *v1alpha1.RegistryCredentialStatus, all []condition) {
	t.Helper()
	for _, want := range all {
		c := meta.FindStatusCondition(status.Conditions, want.kind)
		if want.status == "" {
			if c != nil {
				t.Errorf("%s is there: %+v", want.kind, c)
			}
			continue
		}
		if c == nil || string(c.Status) != want.status || c.Reason != want.reason || !strings.Contains(c.Message, want.message) {
			t.Errorf("%s is %+v, want %s %s %q", want.kind, c, want.status, want.reason, want.message)
		}
	}
}

// The rules are those of docs/registrycredential.md, "Ready" and the tables below it.
func TestWhatFailingNamespacesMakeOfTheConditions(t *testing.T) {
	const quota, noAccount, noNamespace = v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ReasonNamespaceNotFound
	for _, test := range []struct {
		name   string
		change func(f *facts)
		want   []condition
	}{
		{"one is selected", func(f *facts) {
			one := delivered.Version{Revision: "v1", Digest: "one"}
			f.summary.Selected, f.summary.Right = 1, map[delivered.Served]int{{Version: one, Generation: 3}: 1}
		}, []condition{ready("True", v1alpha1.ReasonSucceeded, "revision v1 is in the selected namespace")}},
		{"two have no quota", func(f *facts) {
			f.summary.Selected = 4
			f.fails(quota, false, "shop", "web")
			f.summary.Right = map[delivered.Served]int{{Version: delivered.Version{Revision: "v1", Digest: "one"}, Generation: 3}: 2}
		}, []condition{ready("True", v1alpha1.ReasonSucceeded, "is in 2 of 4 selected namespaces; 2 namespaces are not served: see")}},
		{"none fails", func(*facts) {}, []condition{
			ready("True", v1alpha1.ReasonSucceeded, "revision v1 is in all 2 selected namespaces"), secrets("True", v1alpha1.ReasonSynced, "Secret regcred is right"),
			accounts("True", v1alpha1.ReasonAttached, "all ServiceAccounts name the Secret"), gone(v1alpha1.ConditionReconciling), gone(v1alpha1.ConditionStalled)}},
		{"one has no quota", func(f *facts) { f.fails(quota, false, "shop") }, []condition{
			ready("True", v1alpha1.ReasonSucceeded, "is in 1 of 2 selected namespaces; 1 namespace is not served: see status.namespaces.failures"),
			secrets("False", quota, "namespace shop: because of shop"), accounts("False", v1alpha1.ReasonSecretMissing, "in 1 namespace there is no Secret"), gone(v1alpha1.ConditionStalled)}},
		{"none has a quota: a person must act", func(f *facts) { f.fails(quota, false, "web", "shop") }, []condition{
			ready("False", quota, "2 of 2 namespaces are not served; the first, shop: because of shop"), stuck(quota), gone(v1alpha1.ConditionReconciling)}},
		{"one has no ServiceAccount, its Secret is right", func(f *facts) { f.fails(noAccount, true, "shop") }, []condition{
			ready("True", v1alpha1.ReasonSucceeded, ""), secrets("True", v1alpha1.ReasonSynced, ""), accounts("False", noAccount, "namespace shop: because of shop")}},
		{"none has a ServiceAccount: one comes a moment after its namespace", func(f *facts) { f.fails(noAccount, true, "shop", "web") }, []condition{
			ready("False", noAccount, "2 of 2"), working(noAccount), gone(v1alpha1.ConditionStalled)}},
		{"one has no quota, one no ServiceAccount: each is told at its own", func(f *facts) {
			f.fails(noAccount, true, "a")
			f.fails(quota, false, "b")
		}, []condition{ready("False", quota, "namespace b: because of b"), stuck(quota), secrets("False", quota, "namespace b: because of b"), accounts("False", noAccount, "namespace a: because of a")}},
		{"one is forbidden to the operator: its own fault, and nobody else's", func(f *facts) { f.fails(v1alpha1.ReasonForbidden, false, "shop") }, []condition{
			ready("False", v1alpha1.ReasonForbidden, "namespace shop: because of shop"), stuck(v1alpha1.ReasonForbidden)}},
		{"one write failed: it is tried again", func(f *facts) { f.fails(v1alpha1.ReasonWriteFailed, false, "shop") }, []condition{
			ready("False", v1alpha1.ReasonWriteFailed, "namespace shop"), working(v1alpha1.ReasonWriteFailed)}},
		{"another one provides the registry", func(f *facts) {
			f.fails(v1alpha1.ReasonRegistryTaken, false, "shop")
			f.summary.Failures[0].Delivery = delivered.Delivery{TakenBy: "older", Reason: noAccount, ServiceAccounts: true, Message: "another matter"}
		}, []condition{ready("False", v1alpha1.ReasonRegistryTaken, "namespace shop: RegistryCredential older is older and provides the same registry in Secret regcred"),
			stuck(v1alpha1.ReasonRegistryTaken), secrets("False", v1alpha1.ReasonRegistryTaken, "RegistryCredential older")}},
		{"a named one does not exist", func(f *facts) { f.missing = []string{"typo"} }, []condition{
			ready("True", v1alpha1.ReasonSucceeded, "in 2 of 3"), secrets("False", noNamespace, "namespace typo: the namespace does not exist"), accounts("False", v1alpha1.ReasonSecretMissing, "")}},
		{"no named one exists: it may yet be made", func(f *facts) {
			f.summary.Selected, f.summary.Right, f.summary.Present, f.missing = 0, nil, nil, []string{"typo"}
		}, []condition{ready("False", noNamespace, "namespace typo"), working(noNamespace)}},
		{"none is selected", func(f *facts) { f.summary.Selected, f.summary.Right, f.summary.Present = 0, nil, nil }, []condition{
			ready("False", v1alpha1.ReasonNoNamespaces, "selects no namespace"), working(v1alpha1.ReasonNoNamespaces),
			secrets("False", v1alpha1.ReasonNoNamespaces, "selects no namespace"), accounts("False", v1alpha1.ReasonNoNamespaces, "spec.target selects no namespace: see SecretsSynced")}},
		{"more fail than are named", func(f *facts) {
			f.summary.Selected, f.summary.Causes = 100, map[delivered.Cause]int{
				{Reason: v1alpha1.ReasonWriteRefused}: 50, {Reason: quota}: 40, {Reason: v1alpha1.ReasonProgressing}: 3, {Reason: noAccount, ServiceAccounts: true}: 5}
		}, []condition{secrets("False", quota, "90 of 100 namespaces are not served"), accounts("False", noAccount, "5 of 100 namespaces are not served"),
			ready("False", v1alpha1.ReasonProgressing, "revision v1 is in 2 of 100 namespaces and is being written into the others")}},
		{"of one whose fault is the operator's none is named", func(f *facts) {
			f.summary.Causes = map[delivered.Cause]int{{Reason: v1alpha1.ReasonForbidden}: 1}
		}, []condition{ready("False", v1alpha1.ReasonForbidden, "because of Forbidden: see the operator's log")}},
		{"one is being written", func(f *facts) {
			f.summary.Selected = 3
			f.summary.Causes = map[delivered.Cause]int{{Reason: v1alpha1.ReasonProgressing}: 1}
		}, []condition{ready("False", v1alpha1.ReasonProgressing, "in 2 of 3"), working(v1alpha1.ReasonProgressing),
			secrets("False", v1alpha1.ReasonProgressing, "Secret regcred is being written"), accounts("False", v1alpha1.ReasonProgressing, "the Secret is being attached")}},
		{"some that are not selected still hold it", func(f *facts) { f.summary.Unselected = 4 }, []condition{
			ready("True", v1alpha1.ReasonSucceeded, "in all 2 selected namespaces; it is still in 4 namespaces outside of spec.target")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			sees(t, f.status(&v1alpha1.RegistryCredentialStatus{}, noon), test.want)
		})
	}
}

func TestWhatTheSpecMakesOfTheConditions(t *testing.T) {
	hub := v1alpha1.Registry("docker.io")
	for _, test := range []struct {
		name   string
		change func(f *facts)
		want   []condition
	}{
		{"it is suspended: nothing is worked on, and nobody must act", func(f *facts) {
			f.run.spec.Suspended, f.run.stall = true, &stall{v1alpha1.ReasonInvalidSelector, "broken"}
		}, []condition{ready("False", v1alpha1.ReasonSuspended, "what is in the namespaces stays"), gone(v1alpha1.ConditionReconciling), gone(v1alpha1.ConditionStalled),
			secrets("False", v1alpha1.ReasonInvalidSelector, "broken"), accounts("False", v1alpha1.ReasonInvalidSelector, "broken"),
			{v1alpha1.ConditionCredentialAvailable, "Unknown", v1alpha1.ReasonSuspended, "not read while spec.suspend is true"}}},
		{"its selector does not parse", func(f *facts) { f.run.stall = &stall{v1alpha1.ReasonInvalidSelector, "broken"} }, []condition{
			ready("False", v1alpha1.ReasonInvalidSelector, "broken"), stuck(v1alpha1.ReasonInvalidSelector), secrets("False", v1alpha1.ReasonInvalidSelector, "no Secret is written: see Ready"), accounts("False", v1alpha1.ReasonInvalidSelector, "nothing is attached: see Ready")}},
		{"its change would take the credential from many", func(f *facts) {
			f.removal = delivered.Removal{Held: true, ID: "abc", Losing: 11, Holding: 12}
		}, []condition{ready("False", v1alpha1.ReasonRemovalUnconfirmed, "11 of the 12 namespaces"), stuck(v1alpha1.ReasonRemovalUnconfirmed)}},
		{"its selector selects nothing, and what few have it is not taken from them", func(f *facts) {
			f.run.object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shpo"}}
			f.summary.Selected, f.summary.Right, f.summary.Present = 0, nil, nil
			f.removal = delivered.Removal{Held: true, ID: "abc", Losing: 3, Holding: 3}
		}, []condition{ready("False", v1alpha1.ReasonRemovalUnconfirmed, "spec.target selects no namespace (labels team=shpo), so all 3 namespaces that hold the credential would lose it"), stuck(v1alpha1.ReasonRemovalUnconfirmed),
			secrets("False", v1alpha1.ReasonNoNamespaces, "selects no namespace (labels team=shpo)")}},
		{"what would be removed is graver than a refused value", func(f *facts) {
			f.removal = delivered.Removal{Held: true, ID: "abc"}
			f.answer("one", rotation.Rejected, noon)
		}, []condition{ready("False", v1alpha1.ReasonRemovalUnconfirmed, "")}},
		{"it has no ServiceAccounts", func(f *facts) { f.run.object.Spec.Target.ServiceAccounts = &[]string{} }, []condition{
			accounts("True", v1alpha1.ReasonNoServiceAccounts, "spec.target.serviceAccounts is empty")}},
		{"it attaches nothing", func(f *facts) { f.run.object.Spec.Target.Attach = v1alpha1.AttachNone }, []condition{
			accounts("True", v1alpha1.ReasonNoServiceAccounts, "spec.target.attach is None")}},
		{"it has Docker Hub in it", func(f *facts) { f.run.object.Spec.Registries = []v1alpha1.Registry{host, hub} }, []condition{
			accounts("True", v1alpha1.ReasonEndsAnonymousPulls, "no longer pull from Docker Hub (docker.io) anonymously")}},
		{"nothing was published yet", func(f *facts) { f.run.state.Config = nil }, []condition{
			secrets("False", v1alpha1.ReasonNothingPublished, "no credential to write yet"), accounts("False", v1alpha1.ReasonNothingPublished, "no Secret to attach yet"),
			{v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonNothingPublished, "nothing was published yet"},
			{v1alpha1.ConditionRotationComplete, "False", v1alpha1.ReasonNothingPublished, ""}}},
		{"it wants no test", func(f *facts) { f.run.spec.Mode = v1alpha1.VerifyDisabled }, []condition{
			ready("True", v1alpha1.ReasonSucceeded, "it was not tested"), {v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonVerificationOff, "published untested"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			sees(t, f.status(&v1alpha1.RegistryCredentialStatus{}, noon), test.want)
		})
	}
}

func TestWhatTheStatusCounts(t *testing.T) {
	f := served()
	f.run.state.ChangeTime, f.run.state.VerifiedTime, f.run.state.ExpireTime = noon, noon.Add(time.Minute), noon.Add(time.Hour+300*time.Millisecond)
	f.missing, f.stuck, f.atRisk = []string{"typo"}, 7, &risk{pods: 9, truncated: true}
	f.removal = delivered.Removal{Held: true, ID: "abc", Losing: 11, Holding: 12}
	f.fails(v1alpha1.ReasonQuotaExceeded, false, "shop")
	f.summary.Leaving = []delivered.Failure{{Namespace: "bye", Delivery: delivered.Delivery{Reason: v1alpha1.ReasonNamespaceTerminating}}}
	status := f.status(&v1alpha1.RegistryCredentialStatus{}, noon)
	if n := status.Namespaces; n.Selected != 3 || n.Synced != 1 || n.Failed != 2 {
		t.Errorf("%+v", n)
	}
	var names []string
	for _, failure := range status.Namespaces.Failures {
		names = append(names, failure.Namespace+" "+failure.Reason)
	}
	if got := strings.Join(names, ", "); got != "bye NamespaceTerminating, shop QuotaExceeded, typo NamespaceNotFound" {
		t.Errorf("named are %s", got)
	}
	if p := status.Pods; p.Stuck != 7 || p.AtRisk == nil || *p.AtRisk != 9 || !p.AtRiskTruncated {
		t.Errorf("%+v", p)
	}
	if r := status.PendingRemoval; r == nil || r.ID != "abc" || r.Losing != 11 || r.Holding != 12 {
		t.Errorf("%+v", r)
	}
	if c := status.Credential; c.Revision != "v1" || !c.ChangeTime.Time.Equal(noon) || !c.VerifiedTime.Time.Equal(noon.Add(time.Minute)) || !c.ExpireTime.Time.Equal(noon.Add(time.Hour)) || c.ProvenBy != string(rotation.ProofPull) {
		t.Errorf("%+v", c)
	}
	if status.ObservedGeneration != 3 || status.Conditions[0].ObservedGeneration != 3 || status.Previous != nil {
		t.Errorf("%+v", status)
	}
	f.atRisk, f.verdict, f.removal = nil, rotation.Unknown, delivered.Removal{}
	if status = f.status(status, noon); status.Pods.AtRisk != nil || status.Credential.ProvenBy != "" || status.PendingRemoval != nil {
		t.Errorf("what is not known is told: %+v, %+v, %+v", status.Pods, status.Credential, status.PendingRemoval)
	}
	f.run.state.Config = nil
	if status = f.status(status, noon); status.Credential != nil || status.Namespaces.Synced != 0 {
		t.Errorf("nothing is published, and told are %+v, %d", status.Credential, status.Namespaces.Synced)
	}
}

func TestAStatusNamesTheFirstTwentyFailures(t *testing.T) {
	f := served()
	for i := range v1alpha1.MaxNamespaceFailures {
		f.fails(v1alpha1.ReasonQuotaExceeded, false, fmt.Sprintf("n%02d", i))
	}
	f.summary.Leaving = []delivered.Failure{{Namespace: "bye"}}
	listed := f.status(&v1alpha1.RegistryCredentialStatus{}, noon).Namespaces.Failures
	if len(listed) != v1alpha1.MaxNamespaceFailures || listed[0].Namespace != "n00" || listed[len(listed)-1].Namespace != "n19" {
		t.Errorf("%d are named: %+v", len(listed), listed)
	}
}

func TestWhenAConditionChangedIsWrittenInWholeSeconds(t *testing.T) {
	status := served().status(&v1alpha1.RegistryCredentialStatus{}, noon.Add(700*time.Millisecond))
	for _, c := range status.Conditions {
		if !c.LastTransitionTime.Time.Equal(noon) {
			t.Errorf("%s changed at %s", c.Type, c.LastTransitionTime)
		}
	}
	again := served().status(status, noon.Add(time.Hour))
	if c := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionReady); !c.LastTransitionTime.Time.Equal(noon) {
		t.Errorf("nothing changed, and %+v", c)
	}
	long := []metav1.Condition{}
	setCondition(&long, 1, noon, metav1.Condition{Type: "T", Message: strings.Repeat("x", 1<<20) + "\x1b"})
	if got := len(long[0].Message); got > 32<<10 {
		t.Errorf("a message of %d bytes is written", got)
	}
}
