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
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// watched is a runner over one policy that stands or not, and when it asked.
type watched struct {
	runner *Runner
	stands atomic.Bool
	asked  []time.Duration
	told   []State
}

func watch(t *testing.T) *watched {
	t.Helper()
	w, began := &watched{}, time.Now()
	w.stands.Store(true)
	w.runner = &Runner{
		Gate: NewGate(true),
		Probes: []Probe{{Policy: "regcred-secrets", Ask: func(context.Context) error {
			w.asked = append(w.asked, time.Since(began))
			if !w.stands.Load() {
				return nil
			}
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("ValidatingAdmissionPolicy 'regcred-secrets' denied request: no"))
		}}},
		TooWide: func(context.Context) (string, error) { return "", nil },
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
		if want := []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}; !slices.Equal(w.asked, want) {
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

func TestTheMessageSaysWhatIsMissingAndWhatToDo(t *testing.T) {
	state := State{Known: true, Missing: []string{"regcred-records", "regcred-secrets"}}
	for required, words := range map[bool]string{true: "no Secret is written", false: "--require-fence=false"} {
		message := Message(state, required)
		if !strings.Contains(message, "regcred-records, regcred-secrets") || !strings.Contains(message, words) || !strings.Contains(message, "apply config/default") {
			t.Errorf("required %t: %s", required, message)
		}
	}
}
