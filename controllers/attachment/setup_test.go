package attachment

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// run starts a controller.
func run(t *testing.T, one *Reconciler, policy *wakeup.Notifier) {
	t.Helper()
	one.Book = injection.NewBook(func(string, bool) {})
	mgr := manager.New(t, one.Cluster.(client.WithWatch))
	if err := one.SetupWithManager(mgr, policy); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
}

// running starts the controller with a RegistryCredential that is there already.
func running(t *testing.T, watched bool) (client.Client, *wakeup.Notifier) {
	t.Helper()
	cluster, policy := newRig(t, credential(v1alpha1.AttachPods)).Cluster.(client.WithWatch), &wakeup.Notifier{}
	one := &Reconciler{Cluster: cluster, Writer: cluster}
	if watched {
		one.Watches = cluster
	}
	run(t, one, policy)
	return cluster, policy
}

func awaitSecrets(t *testing.T, c client.Client, what string, want int) {
	t.Helper()
	manager.Await(t, what, func() bool {
		var index v1alpha1.InjectionIndex
		err := c.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index)
		return err == nil && len(index.Spec.Secrets) == want
	})
}

// emptied takes everything out of the index, as somebody does who may.
func emptied(t *testing.T, c client.Client) {
	t.Helper()
	var index v1alpha1.InjectionIndex
	if err := c.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index); err != nil {
		t.Fatal(err)
	}
	index.Spec.Secrets = nil
	if err := c.Update(t.Context(), &index); err != nil {
		t.Fatal(err)
	}
}

func TestAtTheStartTheIndexIsEmptiedOfWhatNobodyAsksForAnyMore(t *testing.T) {
	before := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := before.pass(t); err != nil || before.secrets(t) != 1 {
		t.Fatal(err)
	}
	cluster := before.Cluster.(client.WithWatch)
	if err := cluster.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	run(t, &Reconciler{Cluster: cluster, Writer: cluster}, &wakeup.Notifier{})
	awaitSecrets(t, cluster, "the index is emptied", 0)
}

func TestWhatSomebodyElseTookOutOfTheIndexIsBackAtOnce(t *testing.T) {
	c, _ := running(t, true)
	awaitSecrets(t, c, "the index is kept", 1)
	emptied(t, c)
	awaitSecrets(t, c, "it is as it was", 1)
}

func TestWhereTheIndexIsNotWatchedAPolicyThatComesHasItCompared(t *testing.T) {
	c, policy := running(t, false)
	awaitSecrets(t, c, "the index is kept", 1)
	emptied(t, c)
	policy.Notify("the policy came")
	awaitSecrets(t, c, "it is as it was", 1)
}

// strict is a manager that takes no two controllers of one name.
type strict struct{ ctrl.Manager }

func (strict) GetControllerOptions() config.Controller { return config.Controller{} }

func TestAControllerThatCannotBeMadeIsAnError(t *testing.T) {
	cluster := newRig(t).Cluster.(client.WithWatch)
	one := &Reconciler{Cluster: cluster, Writer: cluster, Book: injection.NewBook(func(string, bool) {})}
	var err error
	for range 2 {
		err = one.SetupWithManager(strict{manager.New(t, cluster)}, &wakeup.Notifier{})
	}
	if err == nil || !strings.Contains(err.Error(), "attachment already exists") {
		t.Errorf("a second one of the name: %v", err)
	}
}

// A failure is tried again soon, and not after the minute in which everything is compared; and not at once, which would be a storm.
func TestAnIndexThatCouldNotBeWrittenIsTriedAgainAfterAMoment(t *testing.T) {
	cluster := newRig(t, credential(v1alpha1.AttachPods)).Cluster.(client.WithWatch)
	tries := make(chan time.Time, 100)
	writer := interceptor.NewClient(cluster, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if tries <- time.Now(); len(tries) == 1 {
				return errors.New("away")
			}
			return c.Apply(ctx, object, options...)
		},
	})
	run(t, &Reconciler{Cluster: cluster, Writer: writer}, &wakeup.Notifier{})
	awaitSecrets(t, cluster, "it is written", 1)
	if first, second := <-tries, <-tries; second.Sub(first) < backOffStart {
		t.Errorf("it is tried again after %s", second.Sub(first))
	}
}

func TestARegistryCredentialThatComesOrGoesHasTheIndexLookedAt(t *testing.T) {
	c, _ := running(t, false)
	awaitSecrets(t, c, "the index is kept", 1)
	if err := c.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	awaitSecrets(t, c, "the one that asked is gone", 0)
	if err := c.Create(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	awaitSecrets(t, c, "it is back", 1)
}

// A status is written with each delivery: the index would be compared for each of them.
func TestWhatLeavesTheIndexAsItIsHasItNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		cluster := newRig(t, credential(v1alpha1.AttachPods)).Cluster.(client.WithWatch)
		counted := interceptor.NewClient(cluster, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				looks.Add(1)
				return c.List(ctx, list, options...)
			},
		})
		run(t, &Reconciler{Cluster: counted, Writer: cluster}, &wakeup.Notifier{})
		awaitSecrets(t, cluster, "the index is kept", 1)
		synctest.Wait()
		before, object := looks.Load(), credential(v1alpha1.AttachPods)
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		object.Status.ObservedGeneration = 1
		if err := cluster.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); looks.Load() != before {
			t.Errorf("it is looked at %d times", looks.Load()-before)
		}
		object.Generation++
		if err := cluster.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); looks.Load() == before {
			t.Error("it is not looked at after a change of a spec")
		}
	})
}
