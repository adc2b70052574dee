package connection

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// meeting is a check that ends when several connections are checked at the same time.
type meeting struct {
	all  chan struct{}
	come chan string
}

func (m *meeting) Check(ctx context.Context, connection *v1alpha1.VaultConnection) (State, error) {
	m.come <- connection.Name
	select {
	case <-m.all:
	case <-ctx.Done():
	}
	return State{}, nil
}

// A Vault that does not answer takes its time, and the others are looked at meanwhile.
func TestAConnectionThatDoesNotAnswerDelaysNoOther(t *testing.T) {
	g, m := newRig(t), &meeting{all: make(chan struct{}), come: make(chan string, workers)}
	for _, name := range []string{"a", "b", "c"} { // beside the one that is there
		if err := g.c.Create(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	g.r.Checker = m
	mgr := manager.New(t, g.c.(client.WithWatch))
	if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	defer close(m.all)
	for n := range workers {
		select {
		case <-m.come:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d are looked at while none answers", n, workers)
		}
	}
}

// strict is a manager that takes no two controllers of one name.
type strict struct{ ctrl.Manager }

func (strict) GetControllerOptions() config.Controller { return config.Controller{} }

func TestAControllerThatCannotBeMadeIsAnError(t *testing.T) {
	g := newRig(t)
	mgr := manager.New(t, g.c.(client.WithWatch))
	if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}); err == nil || !strings.Contains(err.Error(), connectionField) {
		t.Errorf("a second index of the name: %v", err)
	}
	var err error
	for range 2 {
		err = g.r.SetupWithManager(strict{manager.New(t, g.c.(client.WithWatch))}, &wakeup.Notifier{})
	}
	if err == nil || !strings.Contains(err.Error(), "connection already exists") {
		t.Errorf("a second one of the name: %v", err)
	}
}

func TestWhatStandsInTheWayIsToldInWords(t *testing.T) {
	for kind, err := range map[string]error{
		v1alpha1.ConditionStalled:     &source.Error{Reason: v1alpha1.ReasonLoginFailed, Message: "what to do", Stalled: true},
		v1alpha1.ConditionReconciling: &source.Error{Reason: v1alpha1.ReasonSealed, Message: "what to do", Err: errors.New("sealed")},
	} {
		g := newRig(t)
		g.err = err
		object, _ := g.look()
		for _, one := range []string{kind, v1alpha1.ConditionReady} {
			if c := meta.FindStatusCondition(object.Status.Conditions, one); c == nil || c.Message != "what to do" || c.ObservedGeneration != object.Generation {
				t.Errorf("%s says %+v", one, c)
			}
		}
	}
}

func TestOfAnotherKindNoConnectionIsCounted(t *testing.T) {
	if got := connectionsOf(&v1alpha1.VaultConnection{}); got != nil {
		t.Errorf("%q", got)
	}
}
