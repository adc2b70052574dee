package recovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
)

// "A StatefulSet with OrderedReady does not go on while one ordinal is stuck": its pods take turns, and those of nobody else do.
func TestWhosePodsAreRestartedOneAtATime(t *testing.T) {
	for kind, waits := range map[string]bool{"StatefulSet": true, "ReplicaSet": false, "DaemonSet": false} {
		r, _ := cured(t)
		var held []*diagnosis.Verdict
		for n := range 2 {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: fmt.Sprint("web-", n), UID: types.UID(fmt.Sprint(n))}}
			owner := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "owner"}}
			g := gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: pod, Owners: []diagnosis.Owner{{Kind: kind}}}, owners: []*metav1.PartialObjectMetadata{owner}}
			verdict, err := r.hold(t.Context(), g, diagnosis.Verdict{Action: diagnosis.Restart})
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, verdict)
		}
		if held[0] != nil || (held[1] != nil && held[1].Reason == diagnosis.OrdinalInProgress) != waits {
			t.Errorf("%s: the first is held for %+v, the second for %+v", kind, held[0], held[1])
		}
	}
}

func TestABarePodIsKnownByNothing(t *testing.T) {
	if top := (gathered{}).top(); top != nil {
		t.Errorf("%+v", top)
	}
}

// unread is a cluster of which one kind cannot be read.
type unread struct {
	client.Reader
	kind string
	err  error
}

func (u unread) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if strings.HasSuffix(fmt.Sprintf("%T", into), "."+u.kind) {
		return u.err
	}
	return u.Reader.Get(ctx, key, into, options...)
}

func (u unread) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if strings.HasSuffix(fmt.Sprintf("%T", list), "."+u.kind) {
		return u.err
	}
	return u.Reader.List(ctx, list, options...)
}

func TestNoPodIsTouchedWhereSomethingCannotBeRead(t *testing.T) {
	away := errors.New("away")
	for _, kind := range []string{"Namespace", "RegistryCredentialList"} {
		r, seen := cured(t)
		r.Cluster = unread{r.Cluster, kind, away}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); !errors.Is(err, away) || len(seen.deleted) > 0 || len(seen.told) > 0 {
			t.Errorf("%s: %v, %d deletions, told %q", kind, err, len(seen.deleted), seen.told)
		}
	}
}

func TestAPodThatMayNotBeDeletedComesWithTheCommand(t *testing.T) {
	r, seen := cured(t)
	said := &lastEvent{}
	r.Events, seen.refuse = announce.New(said), apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", nil)
	look(t, r)
	if !strings.Contains(said.text, "kubectl delete pod web -n "+looked.Namespace) || !strings.Contains(said.text, "does not let regcred delete the pod") {
		t.Errorf("told %q", said.text)
	}
}

func TestARepullThatFailsIsTold(t *testing.T) {
	r, seen := cured(t)
	seen.refuse = errors.New("away")
	if err := r.repull(t.Context(), &corev1.Pod{}, []diagnosis.Pin{{Container: "web", Pinned: "x"}}); !errors.Is(err, seen.refuse) {
		t.Errorf("%v", err)
	}
}

// docs/design/domain.md 28: where a message leaves it open, only a question with the credential in hand decides.
func TestWhatAnAnswerOfARegistryMeansAndForHowLong(t *testing.T) {
	for _, test := range []struct {
		result verify.Result
		access diagnosis.Access
		good   time.Duration
	}{
		{verify.Result{Reason: verify.PullAllowed, Digest: "sha256:1"}, diagnosis.AccessAllowed, goodFor},
		{verify.Result{Reason: verify.PullDenied}, diagnosis.AccessDenied, badFor},
		{verify.Result{Reason: verify.LoginFailed}, diagnosis.AccessRefused, badFor},
		{verify.Result{Reason: verify.ImageNotFound}, diagnosis.AccessNotFound, badFor},
		{verify.Result{Reason: verify.RateLimited}, diagnosis.AccessUnknown, silentFor},
		{verify.Result{Reason: verify.RateLimited, RetryAfter: time.Minute}, diagnosis.AccessUnknown, time.Minute},
		{verify.Result{Reason: verify.RateLimited, RetryAfter: time.Second}, diagnosis.AccessUnknown, silentFor},
		{verify.Result{Reason: verify.RateLimited, RetryAfter: time.Hour}, diagnosis.AccessUnknown, maxRetryAfter},
	} {
		test.result.Message = "said"
		got := probeOf(test.result, start)
		if got.Access != test.access || !got.until.Equal(start.Add(test.good)) || got.Digest != test.result.Digest || got.Message != "said" {
			t.Errorf("%s after %s: %+v until %s", test.result.Reason, test.result.RetryAfter, got.Probe, got.until.Sub(start))
		}
	}
}

func TestARegistryThatTookAValueOnceIsAskedSeveralQuestionsAtOnce(t *testing.T) {
	for reason, want := range map[verify.Reason]int{
		verify.PullAllowed: questionsAtOnce, verify.PullDenied: questionsAtOnce, verify.ImageNotFound: questionsAtOnce, verify.LoginUnproven: 1,
	} {
		l := newLogin()
		if _, known, wait := l.begin("first", start); known || wait > 0 {
			t.Fatal("nobody asks, and one must wait")
		}
		l.end("first", false, reason, &answer{})
		asking := 0
		for n := range 2 * questionsAtOnce {
			if _, known, wait := l.begin(fmt.Sprint("n", n), start.Add(time.Minute)); !known && wait == 0 {
				asking++
			}
		}
		if asking != want {
			t.Errorf("after %s %d ask at once, want %d", reason, asking, want)
		}
	}
}

func TestOfAnswersNoMoreAreKeptThanTheBound(t *testing.T) {
	var p probes
	ask := func(n int) asked { return asked{diagnosis.Question{Image: fmt.Sprint(n)}, "value"} }
	for n := range maxAnswers {
		p.keep(ask(n), answer{until: start.Add(time.Duration(n%2) * badFor)}, start.Add(-time.Second))
	}
	p.keep(ask(maxAnswers), answer{until: start.Add(badFor)}, start)
	if len(p.answered) != maxAnswers/2+1 {
		t.Errorf("%d are kept, and half of %d are over", len(p.answered), maxAnswers)
	}
	more := maxAnswers/2 + 100
	for n := range more {
		p.keep(ask(-1-n), answer{until: start.Add(badFor)}, start)
	}
	if len(p.answered) != maxAnswers {
		t.Errorf("%d are kept, want %d", len(p.answered), maxAnswers)
	}
	if _, known := p.known(ask(-more), start.Add(badFor)); known {
		t.Error("an answer is good for longer than it is")
	}
	if _, known := p.known(ask(-more), start); !known {
		t.Error("the last one is not kept")
	}
}

func TestForWhichChangeAPodWasRepulledLast(t *testing.T) {
	var s successors
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "pod"}}
	if got := s.repulled("pod"); !got.IsZero() {
		t.Errorf("it was not, and it says %s", got)
	}
	for n := range 3 {
		s.expect(pod, diagnosis.Verdict{Action: diagnosis.Repull, Change: start.Add(time.Duration(n) * time.Minute)}, start)
	}
	if got := s.repulled("pod"); !got.Equal(start.Add(2 * time.Minute)) {
		t.Errorf("it says %s", got)
	}
}

func TestOfAnImageThatWasAskedForTheDigestIsKnownWhateverElseIs(t *testing.T) {
	object := &v1alpha1.RegistryCredential{}
	object.Spec.Registries = []v1alpha1.Registry{"r.example"}
	spec, account := rotation.SpecOf(object), rotation.Account{Print: "p", Host: "r.example", Keys: []string{"r.example"}}
	for _, verdict := range []rotation.Verdict{rotation.Accepted, rotation.Unknown, ""} {
		test := rotation.Test{Verdict: verdict, Question: spec.Question(account), Time: start, Digests: map[string]string{"a": "sha256:1"}}
		record := records.Record{Kept: rotation.Kept{Value: rotation.Value{Accounts: []rotation.Account{account}}, Tests: map[string]rotation.Test{"p": test}}}
		got := standingOf(&record, spec, "r.example")
		if got.Digests["a"] != "sha256:1" || got.Accepted.Equal(start) != (verdict == rotation.Accepted) || got.Rejected != "" {
			t.Errorf("%q: %+v", verdict, got)
		}
	}
	record := records.Record{Kept: rotation.Kept{Value: rotation.Value{Accounts: []rotation.Account{account}}, Tests: map[string]rotation.Test{"p": {Verdict: rotation.Rejected, Question: spec.Question(account)}}}}
	if got := standingOf(&record, spec, "r.example"); got.Rejected == "" {
		t.Errorf("refused without a word: %+v", got)
	}
}

// Whoever may create pods and owners decides how large they are.
func TestOfOwnersAndPodsOnlyWhatADiagnosisNeedsIsKept(t *testing.T) {
	owner := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "web", Labels: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}}, Annotations: map[string]string{"large": "x"},
	}}
	if _, err := stripOwner(owner); err != nil || owner.Labels != nil || owner.ManagedFields != nil || owner.Annotations["large"] != "" || owner.Name != "web" {
		t.Errorf("%+v, %v", owner, err)
	}
	other := &corev1.Secret{}
	if got, err := stripPod(other); err != nil || got != any(other) {
		t.Errorf("what is no pod becomes %+v, %v", got, err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", ManagedFields: owner.ManagedFields}}
	if got, err := stripPod(pod); err != nil || got.(*corev1.Pod).Name != "web" || got.(*corev1.Pod).ManagedFields != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhichStuckPodsAServiceAccountWakes(t *testing.T) {
	r, _ := cured(t)
	other := types.NamespacedName{Namespace: looked.Namespace, Name: "runner"}
	r.runners.add(other)
	r.runners.add(types.NamespacedName{Namespace: "elsewhere", Name: "runner"})
	for account, want := range map[string]int{"": 2, "default": 2, "builder": 2} {
		if got := r.stuckOf(t.Context(), looked.Namespace, account); len(got) != want {
			t.Errorf("%q: %v", account, got)
		}
	}
	pod := thePod(t, r.Writer)
	pod.Spec.ServiceAccountName = "builder"
	if err := r.Writer.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]int{"": 2, "default": 1, "builder": 2} {
		if got := r.stuckOf(t.Context(), looked.Namespace, account); len(got) != want {
			t.Errorf("of the pod with an account of its own, %q: %v", account, got)
		}
	}
}

// lastEvent keeps the text of what was told last.
type lastEvent struct{ text string }

func (e *lastEvent) Eventf(_, _ runtime.Object, _, _, _, note string, arguments ...any) {
	e.text = fmt.Sprintf(note, arguments...)
}

// Another value was published meanwhile: what has no login now must not be asked for with none.
func TestARegistryIsAskedOnlyWithALoginThatIsThere(t *testing.T) {
	now, asked := start, 0
	r := asking(t, &now, answers(func(string) verify.Result {
		asked++
		return verify.Result{Reason: verify.PullAllowed}
	}))
	for _, question := range []diagnosis.Question{{Credential: "hub", Key: "gone.example", Image: "x"}, {Credential: "nobody", Key: "r.example", Image: "x"}} {
		if probe, again := r.ask(t.Context(), "n", question); probe.Access != "" || again != askAgain {
			t.Errorf("%+v: %+v, again after %s", question, probe, again)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if probe, again := r.ask(ended, "n", diagnosis.Question{Credential: "hub", Key: "r.example", Image: "x"}); probe.Access != "" || again != askAgain {
		t.Errorf("what came back after the end counts: %+v, again after %s", probe, again)
	}
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	if probe, again := r.ask(t.Context(), "n", diagnosis.Question{Credential: "hub", Key: "r.example", Image: "x"}); probe.Access != diagnosis.AccessAllowed || again != 0 {
		t.Errorf("%+v, again after %s", probe, again)
	}
}

func TestAPodThatIsBeingDeletedKeepsItsTurn(t *testing.T) {
	r, _ := cured(t)
	pod := thePod(t, r.Writer)
	current := turn{pod: client.ObjectKeyFromObject(pod), uid: pod.UID}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning}
	if !isOver(t.Context(), podOnly{pod}, current) {
		t.Error("it is stuck no more, and keeps its turn")
	}
	now := metav1.Now()
	pod.DeletionTimestamp = &now
	if isOver(t.Context(), podOnly{pod}, current) {
		t.Error("its successor is still to come, and its turn is over")
	}
	if isOver(t.Context(), unread{kind: "Pod", err: errors.New("away")}, current) {
		t.Error("nobody knows, and its turn is over")
	}
}

// podOnly is a cluster of one pod.
type podOnly struct{ pod *corev1.Pod }

func (p podOnly) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	p.pod.DeepCopyInto(into.(*corev1.Pod))
	return nil
}

func (podOnly) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }
