package policycheck

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// watched is a runner over one policy that stands or not, and when it asked.
type watched struct {
	runner *Runner
	stands atomic.Bool
	// first is what is answered before the policy is asked, if anything.
	first atomic.Pointer[apierrors.StatusError]
	asked []time.Duration
	told  []State
	// tooWide is what is found of the role, if anything was put there.
	tooWide atomic.Pointer[roleFinding]
}

type roleFinding struct {
	finding string
	err     error
}

func watch(t *testing.T, first ...*apierrors.StatusError) *watched {
	t.Helper()
	w, began := &watched{}, time.Now()
	w.stands.Store(true)
	for _, answer := range first {
		w.first.Store(answer)
	}
	w.runner = &Runner{
		Gate: NewGate(true),
		Probes: []Probe{{Policy: "regcred-secrets", Ask: func(context.Context) error {
			w.asked = append(w.asked, time.Since(began))
			if answer := w.first.Load(); answer != nil {
				return answer
			}
			if !w.stands.Load() {
				return nil
			}
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("ValidatingAdmissionPolicy 'regcred-secrets' denied request: no"))
		}}},
		TooWide: func(context.Context) (string, error) {
			if found := w.tooWide.Load(); found != nil {
				return found.finding, found.err
			}
			return "", nil
		},
		Changed: func(state State) { w.told = append(w.told, state) },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.runner.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return w
}

func TestThePoliciesAreAskedForAtTheStartAndThenHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		time.Sleep(3*time.Hour + time.Second)
		synctest.Wait()
		const settled = 15*time.Second + time.Minute + 5*time.Minute
		if want := []time.Duration{0, 15 * time.Second, 75 * time.Second, settled, settled + time.Hour, settled + 2*time.Hour}; !slices.Equal(w.asked, want) {
			t.Errorf("asked after %v, want %v", w.asked, want)
		}
		if len(w.told) != 1 || !w.told[0].Standing() {
			t.Errorf("told %+v, want once that all stand", w.told)
		}
	})
}

func TestAPolicyThatIsTakenAwayStopsWritesWithinTheHourAndItsReturnIsNoticedWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.stands.Store(false)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if w.runner.Gate.State().Standing() {
			t.Fatal("an hour later the gate is open")
		}
		w.stands.Store(true)
		time.Sleep(whileClosed)
		synctest.Wait()
		if !w.runner.Gate.State().Standing() || len(w.told) != 3 {
			t.Errorf("the policy is back, and the gate is closed; told %+v", w.told)
		}
	})
}

// What was just deleted or installed reaches what enforces it a moment later: the first answers are those of before.
func TestAnAnswerOfBeforeIsNoticedWithinSeconds(t *testing.T) {
	rbac := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New(`User "system:serviceaccount:a:b" cannot create resource "secrets"`))
	for _, test := range []struct {
		name  string
		first []*apierrors.StatusError
	}{
		{"a policy that the API server still enforces, though it is deleted", nil},
		{"a role that the API server does not know yet, of an operator without policies", []*apierrors.StatusError{rbac}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, test.first...)
				w.first.Store(nil)
				w.stands.Store(false)
				time.Sleep(15*time.Second + time.Millisecond)
				synctest.Wait()
				if w.runner.Gate.State().Standing() {
					t.Error("the gate is open")
				}
			})
		})
	}
}

func TestWhatCouldNotBeAskedIsAskedEveryFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "x"))
		time.Sleep(time.Hour)
		w.first.Store(nil)
		w.stands.Store(false)
		time.Sleep(whileUnasked)
		synctest.Wait()
		if w.runner.Gate.State().Standing() {
			t.Error("there is something to refuse now, and the gate is open")
		}
	})
}

func TestAWebhookThatRefusesTheProbeOpensNothingAndIsNamed(t *testing.T) {
	webhook := &apierrors.StatusError{ErrStatus: metav1.Status{Code: 403, Message: `admission webhook "validate.kyverno.svc" denied the request: no`}}
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, webhook)
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.runner.Gate.State().Standing() || len(w.told) != 1 {
			t.Fatalf("told %+v", w.told)
		}
		message := Message(w.told[0], true)
		for _, words := range []string{"regcred-secrets", "admission webhook validate.kyverno.svc", "no Secret is written", "Exempt the operator's ServiceAccount", "--require-fence=false"} {
			if !strings.Contains(message, words) || len(message) > 400 {
				t.Errorf("it lacks %q: %s", words, message)
			}
		}
		w.first.Store(nil)
		time.Sleep(whileClosed)
		synctest.Wait()
		if !w.runner.Gate.State().Standing() || Message(w.runner.Gate.State(), true) != "" {
			t.Errorf("it exempts the operator, and the state is %+v", w.runner.Gate.State())
		}
		w.first.Store(webhook)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if state := w.runner.Gate.State(); !state.Standing() || !strings.Contains(Message(state, true), "until the operator restarts") {
			t.Errorf("it hides what stood: %+v, %s", state, Message(state, true))
		}
	})
}

func TestTheMessageSaysWhatIsMissingAndWhatToDo(t *testing.T) {
	state := State{Known: true, Missing: []string{"regcred-records", "regcred-secrets"}}
	for required, words := range map[bool]string{true: "no Secret is written", false: "--require-fence=false"} {
		message := Message(state, required)
		if !strings.Contains(message, "regcred-records, regcred-secrets") || !strings.Contains(message, words) || !strings.Contains(message, "apply config/default") {
			t.Errorf("required %t: %s", required, message)
		}
	}
}

// The policies cannot refuse reads: a role that grants more than the limits say is a policy that does not stand.
func TestARoleThatIsTooWideStopsWrites(t *testing.T) {
	for _, test := range []struct {
		name    string
		finding string
		err     error
		stands  bool
		missing []string
	}{
		{"it grants what it must not", "the role reads all Secrets", nil, false, []string{"the role reads all Secrets"}},
		{"it grants what it should", "", nil, true, nil},
		{"nobody knows what it grants", "", errors.New("away"), false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t)
				w.runner.Gate.Set(State{}) // as at a start
				w.tooWide.Store(&roleFinding{test.finding, test.err})
				time.Sleep(period)
				synctest.Wait()
				if state := w.runner.Gate.State(); state.Standing() != test.stands || !slices.Equal(state.Missing, test.missing) {
					t.Errorf("%+v", state)
				}
			})
		})
	}
}
