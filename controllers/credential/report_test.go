package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
)

func TestWhatASpecMayNotNameIsTold(t *testing.T) {
	for _, test := range []struct {
		name            string
		secret, account string
		change          func(*v1alpha1.Target)
		reason, message string
	}{
		{"all is allowed", "regcred", "default", func(*v1alpha1.Target) {}, "", ""},
		{"a Secret's name", "other", "default", func(*v1alpha1.Target) {}, v1alpha1.ReasonSecretNameNotAllowed, "Secret regcred, only other: use one of these, or add the name to secretNames"},
		{"a ServiceAccount's name", "regcred", "builder", func(*v1alpha1.Target) {}, v1alpha1.ReasonServiceAccountNotAllowed, "ServiceAccount default, only builder: use one of these, or add the name to serviceAccountNames"},
		{"a selector that does not parse", "regcred", "default", func(t *v1alpha1.Target) {
			t.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}
		}, v1alpha1.ReasonInvalidSelector, "spec.target.namespaceSelector"},
		{"a label that is never written", "regcred", "default", func(t *v1alpha1.Target) {
			t.SecretLabels = map[string]v1alpha1.LabelValue{"k8s.io/x": "v"}
		}, v1alpha1.ReasonInvalidSecretMetadata, "spec.target.secretLabels: k8s.io/x"},
	} {
		r, object := reporting(t, 1, 1)
		r.Secrets, r.ServiceAccounts = onlyName(test.secret), onlyName(test.account)
		test.change(&object.Spec.Target)
		switch got := r.checkSpec(object); {
		case got == nil:
			if test.reason != "" {
				t.Errorf("%s: nothing is told", test.name)
			}
		case got.reason != test.reason || !strings.Contains(got.message, test.message):
			t.Errorf("%s: %+v, want %s %q", test.name, got, test.reason, test.message)
		}
	}
}

// onlyName allows one name.
type onlyName string

func (o onlyName) Allowed(name string) bool { return name == string(o) }
func (o onlyName) Names() []string          { return []string{string(o)} }

func TestWhichNamespacesASpecSelects(t *testing.T) {
	r, object := reporting(t, 3, 1)
	leaving := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "leaving", Labels: map[string]string{"team": "shop"}, Finalizers: []string{"kubernetes"}}}
	if err := r.Client.Create(t.Context(), leaving); err != nil {
		t.Fatal(err)
	}
	if err := r.Client.Delete(t.Context(), leaving); err != nil {
		t.Fatal(err)
	}
	object.Spec.Target.Namespaces = []v1alpha1.NamespaceName{"zebra", "n-00000", "ape", "out"}
	object.Spec.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"n-00002", "out"}
	got, err := r.selected(t.Context(), object)
	if err != nil || !slices.Equal(got, []string{"n-00000", "n-00001"}) {
		t.Errorf("selected are %q: %v", got, err)
	}
	if missing, err := r.missing(t.Context(), object); err != nil || !slices.Equal(missing, []string{"ape", "zebra"}) {
		t.Errorf("missing are %q: %v", missing, err)
	}
	c := before(r)
	c.away = errors.New("away")
	if _, err := r.selected(t.Context(), object); !errors.Is(err, c.away) {
		t.Error(err)
	}
	if _, err := r.missing(t.Context(), object); !errors.Is(err, c.away) {
		t.Error(err)
	}
	object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}
	if got, err := r.selected(t.Context(), object); err != nil || len(got) > 0 {
		t.Errorf("a selector that does not parse selects %q: %v", got, err)
	}
}

func TestAStatusIsWrittenOnceASecondAtMostAndOnlyWhereItChanged(t *testing.T) {
	r, object := reporting(t, 1, 1)
	c, now := before(r), noon
	r.Now = func() time.Time { return now }
	object = stored(t, r, object.Name)
	report := func() (int, time.Duration) {
		t.Helper()
		one := r.begin(stored(t, r, object.Name))
		one.memory.seen, one.state.SpecHash = time.Time{}, one.spec.SpecHash // long ago, and read for this spec
		result, err := r.report(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		return len(c.take()), result.RequeueAfter
	}
	if wrote, _ := report(); wrote != 1 {
		t.Fatalf("the first is written %d times", wrote)
	}
	if got := stored(t, r, object.Name).Status; got.Namespaces.Synced != 1 || got.Pods.Stuck != 1 {
		t.Errorf("%+v", got)
	}
	if wrote, again := report(); wrote != 0 || again != 0 {
		t.Errorf("nothing changed: written %d times, looked at again after %s", wrote, again)
	}
	r.Pods.Note(types.NamespacedName{Namespace: "n-00000", Name: "web"})
	now = now.Add(300 * time.Millisecond)
	if wrote, again := report(); wrote != 0 || again != 700*time.Millisecond {
		t.Errorf("within the second it is written %d times, and looked at again after %s", wrote, again)
	}
	now = now.Add(700 * time.Millisecond)
	if wrote, _ := report(); wrote != 1 {
		t.Errorf("after the second it is written %d times", wrote)
	}
	c.refuse = conflict
	object = stored(t, r, object.Name)
	object.Generation = 2
	now = now.Add(time.Minute)
	if _, err := r.report(t.Context(), r.begin(object)); !apierrors.IsConflict(err) {
		t.Errorf("a status that was not written is not told: %v", err)
	}
	c.refuse = notFound
	if _, err := r.report(t.Context(), r.begin(object)); err != nil {
		t.Errorf("the object went meanwhile: %v", err)
	}
}

// A cache that is behind shows what was before the last write. What went back meanwhile is written, and nothing is written or told twice.
func TestAStatusIsComparedWithWhatWasWrittenLast(t *testing.T) {
	for name, look := range map[string]func(*Reconciler, *v1alpha1.RegistryCredential, delivered.Removal) error{
		"of one that changes": func(r *Reconciler, shown *v1alpha1.RegistryCredential, _ delivered.Removal) error {
			one := r.begin(shown)
			one.memory.seen, one.state.SpecHash = time.Time{}, one.spec.SpecHash // long ago, and read for this spec
			_, err := r.report(t.Context(), one)
			return err
		},
		"of one that is being deleted": func(r *Reconciler, shown *v1alpha1.RegistryCredential, removal delivered.Removal) error {
			return r.reportDeletion(t.Context(), shown, removal)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, object := reporting(t, 1, 1)
			recorder := events.NewFakeRecorder(10)
			c, now := before(r), noon
			r.Now, r.Events = func() time.Time { return now }, announce.New(recorder)
			removal := delivered.Removal{Holding: 7}
			r.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) { return removal, nil }
			report := func(shown *v1alpha1.RegistryCredential) int {
				t.Helper()
				now = now.Add(2 * time.Second)
				if err := look(r, shown, removal); err != nil {
					t.Fatal(err)
				}
				return len(c.take())
			}
			report(stored(t, r, object.Name))
			shown := stored(t, r, object.Name)
			heardOf(recorder)
			removal = delivered.Removal{Held: true, ID: "abc", Losing: 7, Holding: 7}
			if first, again := report(shown), report(shown); first != 1 || again != 0 || len(recorder.Events) != 1 {
				t.Errorf("it is written %d times and %d times more, and told %d times", first, again, len(recorder.Events))
			}
			removal = delivered.Removal{Holding: 7}
			if wrote := report(shown); wrote != 1 || stored(t, r, object.Name).Status.PendingRemoval != nil {
				t.Errorf("what waited is over, and that is written %d times: %+v", wrote, stored(t, r, object.Name).Status.PendingRemoval)
			}
		})
	}
}

// What is remembered of a status is compared with later: a report that changes its own copy, and cannot write it, changes nothing of that.
func TestWhatIsRememberedOfAStatusIsACopy(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	object := stored(t, r, "c-00")
	shown, told := object.DeepCopy(), metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, LastTransitionTime: metav1.NewTime(noon)}
	object.Status.Conditions = []metav1.Condition{told}
	memory, _ := r.memories.of(object, r.Now())
	if err := r.writeStatus(t.Context(), object, shown, memory); err != nil {
		t.Fatal(err)
	}
	for who, mine := range map[string]*v1alpha1.RegistryCredential{"what was written": object, "what was given": r.upToDate(shown)} {
		mine.Status.Conditions[0].Reason = "Changed"
		if got := r.upToDate(shown).Status.Conditions; len(got) != 1 || got[0].Reason != told.Reason {
			t.Errorf("%s is what is remembered: %+v", who, got)
		}
	}
}

func TestWhatIsNotKnownAfterAStartIsNotSaidToHaveChanged(t *testing.T) {
	r, object := reporting(t, 1, 1)
	c, now := before(r), noon
	r.Now = func() time.Time { return now }
	r.Board = delivered.NewBoard(func(string) {}) // nothing was looked at yet
	object = stored(t, r, object.Name)
	object.Status.ObservedGeneration = object.Generation
	report := func() (int, time.Duration) {
		t.Helper()
		result, err := r.report(t.Context(), r.begin(object))
		if err != nil {
			t.Fatal(err)
		}
		return len(c.take()), result.RequeueAfter
	}
	if wrote, again := report(); wrote != 0 || again != statusInterval {
		t.Errorf("written %d times, looked at again after %s", wrote, again)
	}
	now = now.Add(settleTime - time.Second)
	if wrote, _ := report(); wrote != 0 {
		t.Errorf("written %d times", wrote)
	}
	now = now.Add(time.Second)
	if wrote, _ := report(); wrote != 1 {
		t.Errorf("after %s it is written %d times", settleTime, wrote)
	}
}

func TestAnAnswerThatIsAMomentAwayIsWaitedFor(t *testing.T) {
	for age, waits := range map[time.Duration]bool{0: true, statusInterval - 1: true, statusInterval: false, -1: false} {
		one := served().run
		one.state.Testing = map[string]time.Time{"one": noon.Add(-age)}
		if got := one.asksNow(noon); got != waits {
			t.Errorf("a test that began %s ago is waited for: %t", age, got)
		}
	}
}

func TestWhatCouldNotBeFoundOutIsTold(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(r *Reconciler, c *cluster, object *v1alpha1.RegistryCredential)
		want   string
	}{
		{"named namespaces", func(_ *Reconciler, c *cluster, object *v1alpha1.RegistryCredential) {
			c.away, object.Spec.Target.Namespaces = errors.New("away"), []v1alpha1.NamespaceName{"a"}
		}, "the namespaces of the spec could not be looked up"},
		{"what would be removed", func(r *Reconciler, _ *cluster, _ *v1alpha1.RegistryCredential) {
			r.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) {
				return delivered.Removal{}, errors.New("away")
			}
		}, "what the spec would remove could not be counted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, object := reporting(t, 1, 1)
			c := before(r)
			object = stored(t, r, object.Name)
			test.change(r, c, object)
			one := r.begin(object)
			one.memory.seen = time.Time{}
			result, err := r.report(t.Context(), one)
			if err != nil || result.RequeueAfter != askAgain {
				t.Errorf("it is asked again after %s: %v", result.RequeueAfter, err)
			}
			sees(t, &one.object.Status, []condition{ready("False", v1alpha1.ReasonClusterUnavailable, test.want+"; this is tried again"), working(v1alpha1.ReasonClusterUnavailable)})
		})
	}
}

func TestASecretNameThatIsNotAllowedCountsWhatItSelectsAllTheSame(t *testing.T) {
	r, object := reporting(t, 3, 1)
	r.Secrets, r.Board = onlyName("other"), delivered.NewBoard(func(string) {})
	one := r.begin(object)
	if f := r.factsOf(t.Context(), one); f.selected() != 3 {
		t.Errorf("%d namespaces are selected", f.selected())
	}
}

func TestARecordOfANewerVersionLeavesAllElseAsItIs(t *testing.T) {
	r, object := reporting(t, 1, 1)
	c := before(r)
	newer := &records.NewerError{Namespace: "regcred-system", Secret: "regcred-published-c-00", Format: 9}
	object = stored(t, r, object.Name)
	meta.SetStatusCondition(&object.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: "True", Reason: "x"})
	result, err := r.leaveAlone(t.Context(), object, newer)
	if err != nil || result.RequeueAfter != newerAgain || len(c.take()) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	object = stored(t, r, object.Name)
	sees(t, &object.Status, []condition{ready("False", v1alpha1.ReasonRecordNewer, "format 9, this version knows up to"), stuck(v1alpha1.ReasonRecordNewer), gone(v1alpha1.ConditionReconciling)})
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "delete Secret regcred-published-c-00 in regcred-system") || object.Status.ObservedGeneration != object.Generation {
		t.Errorf("%+v", c)
	}
	if result, err := r.leaveAlone(t.Context(), object, newer); err != nil || result.RequeueAfter != newerAgain || len(c.take()) != 0 {
		t.Errorf("nothing changed: %+v, %v", result, err)
	}
	if _, err := r.leaveAlone(t.Context(), object, source.ErrNotRenewable); !errors.Is(err, source.ErrNotRenewable) || len(c.take()) != 0 {
		t.Errorf("another error is taken for a newer record: %v", err)
	}
	for policy, goes := range map[v1alpha1.DeletionPolicy]bool{v1alpha1.DeletionRetain: true, v1alpha1.DeletionDelete: false} {
		held := stored(t, r, object.Name)
		held.Finalizers, held.DeletionTimestamp, held.Spec.DeletionPolicy, held.Status = []string{v1alpha1.Finalizer}, &metav1.Time{Time: noon}, policy, v1alpha1.RegistryCredentialStatus{}
		_, _ = r.leaveAlone(t.Context(), held, newer) // the cluster of this test knows no such object in deletion
		if sent := c.take(); len(sent) != 1 || strings.HasPrefix(sent[0], "object ") != goes {
			t.Errorf("%s: sent %q", policy, sent)
		}
	}
}
