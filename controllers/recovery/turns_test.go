package recovery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// podsByName answers reads of pods.
type podsByName struct {
	client.Reader
	pods map[string]*corev1.Pod
}

func (p podsByName) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	pod := p.pods[key.Name]
	if pod == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
	}
	pod.DeepCopyInto(into.(*corev1.Pod))
	return nil
}

func ordinal(name string, uid types.UID, stuck bool) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: uid}, Status: corev1.PodStatus{Phase: corev1.PodPending}}
	if stuck {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "401 Unauthorized"}}}}
	}
	return pod
}

// A StatefulSet does not go on while one ordinal is stuck (docs/design/domain.md, 21), so its pods are restarted one at a time.
func TestWhenTheTurnOfAPodOfAStatefulSetIsOver(t *testing.T) {
	gone := ordinal("db-0", "old", true)
	leaving := gone.DeepCopy()
	leaving.DeletionTimestamp = &metav1.Time{Time: start}
	works := ordinal("db-0", "new", false)
	works.Status.Phase = corev1.PodRunning
	for _, test := range []struct {
		name string
		now  *corev1.Pod // db-0, whose turn it is
		wait time.Duration
		over bool
	}{
		{"it is not deleted yet", gone, time.Second, false},
		{"it is being deleted", leaving, time.Second, false},
		{"it is gone, and its successor is not there", nil, time.Second, false},
		{"its successor was created and pulls", ordinal("db-0", "new", false), time.Second, false},
		{"its successor runs", works, time.Second, true},
		{"its successor is stuck in its turn", ordinal("db-0", "new", true), time.Second, true},
		{"it is not stuck any more", ordinal("db-0", "old", false), time.Second, true},
		{"it takes almost a minute", gone, ordinalTimeout - 1, false},
		{"it takes a minute", gone, ordinalTimeout, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o ordinals
			reader := podsByName{pods: map[string]*corev1.Pod{"db-0": test.now}}
			if mine, other := o.take(t.Context(), reader, "set", gone, start); !mine || other != "" {
				t.Fatalf("the first has no turn: %s has it", other)
			}
			if mine, _ := o.take(t.Context(), reader, "set", gone, start.Add(test.wait)); !mine {
				t.Error("it loses its turn to nobody")
			}
			if mine, _ := o.take(t.Context(), reader, "another set", ordinal("x-0", "x", true), start.Add(test.wait)); !mine {
				t.Error("another StatefulSet waits, too")
			}
			mine, other := o.take(t.Context(), reader, "set", ordinal("db-1", "one", true), start.Add(test.wait))
			if mine != test.over || !mine && other != "db-0" {
				t.Errorf("the next has its turn: %t, %q has it", mine, other)
			}
		})
	}
}

func TestASuccessorThatIsStuckHasTheTurnOfItsName(t *testing.T) {
	var o ordinals
	reader := podsByName{pods: map[string]*corev1.Pod{}}
	o.take(t.Context(), reader, "set", ordinal("db-0", "old", true), start)
	if mine, _ := o.take(t.Context(), reader, "set", ordinal("db-0", "new", true), start.Add(time.Second)); !mine {
		t.Error("it waits for itself")
	}
	if got := o.turns["set"]; got.uid != "new" || !got.since.Equal(start.Add(time.Second)) {
		t.Errorf("the turn is that of %s since %s: the next one does not wait until this one has had its time", got.uid, got.since)
	}
}

func TestTurnsThatNobodyUsesAreForgotten(t *testing.T) {
	var o ordinals
	reader := podsByName{pods: map[string]*corev1.Pod{}}
	o.take(t.Context(), reader, "old", ordinal("a-0", "a", true), start)
	o.take(t.Context(), reader, "young", ordinal("b-0", "b", true), start.Add(time.Second))
	o.take(t.Context(), reader, "new", ordinal("c-0", "c", true), start.Add(2*ordinalTimeout+time.Second))
	if _, there := o.turns["old"]; there || len(o.turns) != 2 {
		t.Errorf("%d turns are remembered", len(o.turns))
	}
}

func TestOnlyOneOfTwoGetsATurnThatIsOver(t *testing.T) {
	var o ordinals
	first, _ := o.claim("set", nil, turn{pod: types.NamespacedName{Name: "db-0"}, since: start})
	if _, free := o.claim("set", &first, turn{pod: types.NamespacedName{Name: "db-1"}, since: start}); !free {
		t.Fatal("nobody gets it")
	}
	if now, free := o.claim("set", &first, turn{pod: types.NamespacedName{Name: "db-2"}, since: start}); free || now.pod.Name != "db-1" {
		t.Errorf("%s has the turn, and db-2 gets one: %t", now.pod.Name, free)
	}
}

// ofStatefulSet has the owner of the pod that is looked at be a StatefulSet.
func ofStatefulSet(t *testing.T, r *Reconciler) {
	t.Helper()
	set := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: "web", UID: "db"}}
	set.SetGroupVersionKind(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"})
	if err := r.Writer.Create(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	pod := thePod(t, r.Writer)
	pod.OwnerReferences[0].Kind, pod.OwnerReferences[0].UID = "StatefulSet", "db"
	if err := r.Writer.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func TestAPodThatMayNotBeRestartedYetWaitsForItsTurn(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, r *Reconciler)
		reason diagnosis.Reason
		after  time.Duration
	}{
		{"nothing is in its way", func(*testing.T, *Reconciler) {}, "", 0},
		{"it is the first of its StatefulSet", ofStatefulSet, "", 0},
		{"another one of its StatefulSet comes first", func(t *testing.T, r *Reconciler) {
			ofStatefulSet(t, r)
			r.ordinals.claim("db", nil, turn{pod: types.NamespacedName{Namespace: looked.Namespace, Name: "web-0"}, uid: "other", since: r.Now()})
		}, diagnosis.OrdinalInProgress, time.Second},
		{"its node pulls enough", func(_ *testing.T, r *Reconciler) {
			r.Limits = Limits{NodePullsPerSecond: 0.5, NodeBurst: 1}
			r.budget.reserve(r.Limits, "other", "node", "other", 1, r.Now())
		}, diagnosis.BudgetUsed, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, seen := cured(t)
			test.change(t, r)
			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked})
			if err != nil || result.RequeueAfter != test.after || (len(seen.deleted) == 1) != (test.reason == "") {
				t.Errorf("looked at again after %s, %d are deleted: %v", result.RequeueAfter, len(seen.deleted), err)
			}
			if said := r.memories.pods[looked]; test.reason != "" && (said.reason != test.reason || said.action != diagnosis.Wait) {
				t.Errorf("said is %+v, want %s", said, test.reason)
			}
		})
	}
}

// countedMetrics notes what was decided.
type countedMetrics struct{ decided, recovered []string }

func (m *countedMetrics) Decided(action, reason string) {
	m.decided = append(m.decided, action+" "+reason)
}
func (m *countedMetrics) Recovered(action string, after time.Duration) {
	m.recovered = append(m.recovered, action+" "+after.String())
}

func TestPeopleAreToldAtThePodBeforeAndAtItsOwnerAfter(t *testing.T) {
	r, seen := cured(t)
	metrics := &countedMetrics{}
	r.Metrics = metrics
	look(t, r)
	if len(seen.told) != 2 || !strings.HasSuffix(seen.told[0], " at web") || seen.told[0] != seen.told[1] {
		t.Errorf("told: %q", seen.told)
	}
	if len(metrics.decided) != 1 || !strings.HasPrefix(metrics.decided[0], string(diagnosis.Restart)+" ") {
		t.Errorf("counted: %q", metrics.decided)
	}
	if _, waits := r.budget.due["pod of n-00000"]; waits {
		t.Error("a pod that is gone still has its turn")
	}
}

func TestWhatIsSaidOfAPod(t *testing.T) {
	ours := []diagnosis.Finding{{Credential: "c-00"}}
	for _, test := range []struct {
		name    string
		verdict diagnosis.Verdict
		told    []string
	}{
		{"it waits", diagnosis.Verdict{Action: diagnosis.Wait, Reason: diagnosis.NotAttached, Findings: ours}, nil},
		{"it waits, and a repull is not allowed", diagnosis.Verdict{Action: diagnosis.Wait, Reason: diagnosis.NotAttached, Findings: ours, RepullRefused: true}, []string{"ActionForbidden at web"}},
		{"a person must act", diagnosis.Verdict{Action: diagnosis.Report, Reason: diagnosis.NoCredential, Findings: ours}, []string{"NoCredential at web"}},
		{"a person must act, and that a repull is not allowed is said with it", diagnosis.Verdict{Action: diagnosis.Report, Reason: diagnosis.NoCredential, Findings: ours, RepullRefused: true}, []string{"NoCredential at web"}},
		{"a person must act, of a registry that is nobody's business here", diagnosis.Verdict{Action: diagnosis.Report, Reason: diagnosis.NoCredential}, nil},
		{"nothing is to be done", diagnosis.Verdict{Action: diagnosis.None, Reason: diagnosis.NoCredential, Findings: ours}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, seen := cured(t)
			g := gathered{Facts: diagnosis.Facts{Pod: thePod(t, r.Writer), Now: r.Now()}}
			for range 2 {
				r.say(t.Context(), g, test.verdict)
			}
			if !slices.Equal([]string(seen.told), test.told) {
				t.Errorf("told %q, want %q", seen.told, test.told)
			}
			again := test.verdict
			again.Reason = "Another"
			if r.say(t.Context(), g, again); len(test.told) > 0 && len(seen.told) != 2*len(test.told) {
				t.Errorf("another reason is not told: %q", seen.told)
			}
		})
	}
}

func TestACacheThatCannotBeReadIsNoPodThatIsGone(t *testing.T) {
	r, seen := cured(t)
	away := errors.New("away")
	r.memories.news(looked, "pod of n-00000", diagnosis.Verdict{Action: diagnosis.Wait})
	r.Pods = podsOf{Reader: failing{r.Cluster, away}}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); !errors.Is(err, away) || !r.memories.knows(looked) || len(seen.deleted) > 0 {
		t.Errorf("%v", err)
	}
}

// failing is a reader whose reads fail.
type failing struct {
	client.Reader
	err error
}

func (f failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return f.err
}
