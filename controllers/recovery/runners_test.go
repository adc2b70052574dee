package recovery

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

// nobodyPending is a cache in which no pod is pending.
type nobodyPending struct{ client.Reader }

func (nobodyPending) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
}

// A pod whose container ran before stays in phase Running (docs/design/domain.md, 25), where no cache holds it.
func TestAPodInPhaseRunningIsCuredAndThenForgotten(t *testing.T) {
	r, seen := cured(t)
	r.Pods = podsOf{Reader: nobodyPending{r.Cluster}}
	look(t, r)
	if len(seen.deleted) > 0 {
		t.Error("a pod that nobody found stuck is read past the cache")
	}
	r.runners.add(looked)
	look(t, r)
	if len(seen.deleted) != 1 {
		t.Fatalf("%d are deleted", len(seen.deleted))
	}
	look(t, r)
	if r.runners.knows(looked) || r.Tally.Stuck("c-00") != 0 {
		t.Error("it is gone, and remembered")
	}
}

func TestWhatBecomesOfARunnerThatIsNotCured(t *testing.T) {
	for _, test := range []struct {
		name    string
		verdict diagnosis.Verdict
		known   bool
	}{
		{"it waits", diagnosis.Verdict{Action: diagnosis.Wait, Reason: diagnosis.NotAttached, RecheckAfter: time.Minute}, true},
		{"nothing can be done before the next change", diagnosis.Verdict{Action: diagnosis.Report, Reason: diagnosis.NoCredential, RecheckAfter: time.Minute}, false},
		{"in mode Report the next change may be one of the mode", diagnosis.Verdict{Action: diagnosis.Report, Reason: diagnosis.ReportOnly, RecheckAfter: time.Minute}, true},
	} {
		r, _ := cured(t)
		r.runners.add(looked)
		g := gathered{Facts: diagnosis.Facts{Pod: thePod(t, r.Writer), Now: r.Now()}}
		result, err := r.carryOut(t.Context(), g, test.verdict)
		if err != nil || r.runners.knows(looked) != test.known || (result.RequeueAfter == time.Minute) != test.known {
			t.Errorf("%s: known %t, again after %s: %v", test.name, r.runners.knows(looked), result.RequeueAfter, err)
		}
	}
}

func TestASuccessorThatRunsIsCounted(t *testing.T) {
	r, _ := cured(t)
	metrics := &countedMetrics{}
	r.Metrics = metrics
	look(t, r)
	next := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: looked.Name, UID: "next", CreationTimestamp: metav1.NewTime(r.Now()),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "set", Controller: ptr.To(true)}}}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	if err := r.Writer.Create(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	r.Pods = podsOf{Reader: nobodyPending{r.Cluster}}
	look(t, r)
	if len(metrics.recovered) != 1 || metrics.recovered[0] != "Restart 1h0m0s" || r.successors.any() {
		t.Errorf("counted: %q", metrics.recovered)
	}
}

func TestWhichRegistryCredentialsAPodLacksAndDoubts(t *testing.T) {
	g := gathered{}
	g.Credentials = []diagnosis.Credential{{Name: "other", Digest: "o"}, {Name: "company", Digest: "d"}}
	for _, test := range []struct {
		name            string
		finding         diagnosis.Finding
		wanted, doubted bool
	}{
		{"its credential was refused", diagnosis.Finding{Credential: "company", Reason: diagnosis.CredentialDidNotHelp, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, true, true},
		{"its credential is being asked about", diagnosis.Finding{Credential: "company", Reason: diagnosis.JudgingCredential, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, true, true},
		{"it came before the credential", diagnosis.Finding{Credential: "company", Reason: diagnosis.MissingReference, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, true, false},
		{"there is no such image", diagnosis.Finding{Credential: "company", Reason: diagnosis.CredentialDidNotHelp, Pull: diagnosis.Pull{Class: pullerror.NotFound}}, false, false},
		{"one that is nearly for it", diagnosis.Finding{Credential: "company", Reason: diagnosis.NoCredential, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, false, false},
		{"none is for it", diagnosis.Finding{Reason: diagnosis.MissingReference, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, false, false},
		{"one that does not select the namespace any more", diagnosis.Finding{Credential: "gone", Reason: diagnosis.CredentialDidNotHelp, Pull: diagnosis.Pull{Class: pullerror.AuthFailed}}, true, false},
	} {
		verdict := diagnosis.Verdict{Findings: []diagnosis.Finding{test.finding}}
		if got := wanted(verdict); (len(got) == 1) != test.wanted || test.wanted && got[0] != test.finding.Credential {
			t.Errorf("%s: it lacks %q", test.name, got)
		}
		if got := doubted(g, verdict); (len(got) == 1) != test.doubted || test.doubted && got[0] != (podcounts.Value{Credential: "company", Digest: "d"}) {
			t.Errorf("%s: it doubts %+v", test.name, got)
		}
	}
}

func TestWhenRunningPodsAreLookedAtAfterAChange(t *testing.T) {
	record := func(inUse string, tests map[string]rotation.Test) records.Record {
		r := records.Record{}
		r.Accounts, r.Tests = []rotation.Account{{Print: inUse}}, tests
		return r
	}
	refused, accepted := rotation.Test{Verdict: rotation.Rejected}, rotation.Test{Verdict: rotation.Accepted}
	for name, c := range map[string]struct {
		record records.Record
		want   bool
	}{
		"nothing was asked":                   {record("new", nil), false},
		"the one before was refused":          {record("new", map[string]rotation.Test{"old": refused, "new": accepted}), true},
		"the one before was accepted":         {record("new", map[string]rotation.Test{"old": accepted}), false},
		"the one in use is refused, no other": {record("new", map[string]rotation.Test{"new": refused}), false},
	} {
		if got := refusedBefore(c.record); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	r, _ := cured(t)
	if !r.replacedBad("c-00") || r.replacedBad("nobody's") {
		t.Error("whose pods are stuck is not known")
	}
}
