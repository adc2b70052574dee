package recovery

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/named"
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

func TestWhichPodsAreLookedAt(t *testing.T) {
	r, _ := cured(t)
	stuck, fine := ordinal("web", "a", true), ordinal("web", "a", false)
	only := r.onStuck()
	if !only.Create(event.TypedCreateEvent[*corev1.Pod]{Object: stuck}) || only.Create(event.TypedCreateEvent[*corev1.Pod]{Object: fine}) {
		t.Error("of new pods those that are stuck are looked at")
	}
	for _, c := range []struct {
		before, after *corev1.Pod
		want          bool
	}{{stuck, fine, true}, {fine, stuck, true}, {stuck, stuck, true}, {fine, fine, false}} {
		if got := only.Update(event.TypedUpdateEvent[*corev1.Pod]{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("stuck %t, then %t: looked at is %t", diagnosis.IsStuck(c.before), diagnosis.IsStuck(c.after), got)
		}
	}
	left := event.TypedDeleteEvent[*corev1.Pod]{Object: fine}
	if only.Delete(left) {
		t.Error("a pod of which nothing is known is looked at when it runs")
	}
	r.memories.news(client.ObjectKeyFromObject(fine), fine.UID, diagnosis.Verdict{})
	if !only.Delete(left) {
		t.Error("what was said of a pod is not forgotten when it runs")
	}
	r.memories.forget(client.ObjectKeyFromObject(fine))
	r.successors.expect(fine, diagnosis.Verdict{Action: diagnosis.Repull}, r.Now())
	if !only.Delete(left) {
		t.Error("a pod that was expected to run is not counted")
	}
}

func TestWhichChangesWakePods(t *testing.T) {
	object := func(change func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
		o := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		change(o)
		return o
	}
	same := func(*v1alpha1.RegistryCredential) {}
	for _, c := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredential)
		want   bool
	}{
		{"nothing", same, false},
		{"the spec", func(o *v1alpha1.RegistryCredential) { o.Generation = 2 }, true},
		{"since when pods are injected", func(o *v1alpha1.RegistryCredential) { o.Status.Attachment = &v1alpha1.AttachmentStatus{} }, true},
		{"another part of the status", func(o *v1alpha1.RegistryCredential) { o.Status.Pods = &v1alpha1.PodsStatus{Stuck: 1} }, false},
	} {
		if got := onSpec().Update(event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: object(same), ObjectNew: object(c.change)}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	namespace := func(labels, annotations map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}}
	}
	team := map[string]string{"team": "shop"}
	for _, c := range []struct {
		after *corev1.Namespace
		want  bool
	}{{namespace(nil, nil), false}, {namespace(team, nil), true}, {namespace(nil, team), true}} {
		if got := onMetadata[*corev1.Namespace]().Update(event.TypedUpdateEvent[*corev1.Namespace]{ObjectOld: namespace(nil, nil), ObjectNew: c.after}); got != c.want {
			t.Errorf("%v, %v: %t", c.after.Labels, c.after.Annotations, got)
		}
	}
}

// refusing answers each read by name with an error.
type refusing struct {
	everyName
	err error
}

func (r refusing) Get(context.Context, client.ObjectKey, client.Object) error { return r.err }

func TestWhatIsKnownOfASecretAndAServiceAccountThatCannotBeRead(t *testing.T) {
	away := errors.New("away")
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "regcred")
	for _, c := range []struct {
		name            string
		err             error
		unread, missing bool
		fails           bool
	}{
		{"the operator was not given the name", named.ErrNotAllowed, true, false, false},
		{"it is not there", missing, false, true, false},
		{"nobody answers", away, false, false, true},
	} {
		r, _ := cured(t)
		r.Secrets, r.ServiceAccounts = refusing{err: c.err}, refusing{err: c.err}
		pod := thePod(t, r.Writer)
		secrets, err := r.secrets(t.Context(), pod, nil)
		if (err != nil) != c.fails || secrets["regcred"].Unread != c.unread || secrets["regcred"].Missing != c.missing {
			t.Errorf("%s: %+v, %v", c.name, secrets, err)
		}
		account, err := r.account(t.Context(), pod)
		if (err != nil) != c.fails || account.Unread != c.unread || account.Missing != c.missing || !c.fails && account.Name != "default" {
			t.Errorf("%s: %+v, %v", c.name, account, err)
		}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	r, _ := cured(t)
	r.Secrets, r.ServiceAccounts = refusing{err: named.ErrNotHeld}, refusing{err: named.ErrNotHeld}
	pod := thePod(t, r.Writer)
	if account, err := r.account(t.Context(), pod); err != nil || !account.Unread {
		t.Errorf("one that no cache holds: %+v, %v", account, err)
	}
	pod.Spec.ServiceAccountName = "builder"
	if account, err := r.account(t.Context(), pod); err != nil || account.Name != "builder" {
		t.Errorf("%+v, %v", account, err)
	}
	if secrets, err := r.secrets(t.Context(), pod, []diagnosis.Credential{{SecretName: "other"}}); err != nil || len(secrets) != 2 {
		t.Errorf("%+v, %v", secrets, err)
	}
}

func TestPodsOfRunnersAreFoundByNamespace(t *testing.T) {
	var s runners
	a, b := types.NamespacedName{Namespace: "a", Name: "x"}, types.NamespacedName{Namespace: "b", Name: "x"}
	s.add(a)
	s.add(b)
	if got := s.in("a"); len(got) != 1 || got[0] != a {
		t.Errorf("%v", got)
	}
	if got := s.in(""); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if s.remove(a); s.knows(a) || !s.knows(b) {
		t.Error("another one is removed")
	}
}
