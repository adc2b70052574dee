package attachment

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
	"regcred.dev/regcred/test/manager"
)

func TestWhatHasTheIndexLookedAt(t *testing.T) {
	r := newRig(t)
	cluster := r.Cluster.(client.WithWatch)
	one := &Reconciler{Cluster: cluster, Writer: cluster, Watches: cluster, Book: injection.NewBook(func(string, bool) {}), Watchdog: &watchdog.Watchdog{}}
	mgr, policy := manager.New(t, cluster), &wakeup.Notifier{}
	if err := one.SetupWithManager(mgr, policy); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	holds := func(what string, secrets int) {
		t.Helper()
		manager.Await(t, fmt.Sprintf("%s: it holds %d Secrets", what, secrets), func() bool {
			var index v1alpha1.InjectionIndex
			err := cluster.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index)
			return err == nil && len(index.Spec.Secrets) == secrets
		})
	}
	if err := cluster.Create(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	holds("a RegistryCredential came", 1)
	emptied := &v1alpha1.InjectionIndex{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, emptied); err != nil {
		t.Fatal(err)
	}
	emptied.Spec.Secrets = nil
	if err := cluster.Update(t.Context(), emptied); err != nil {
		t.Fatal(err)
	}
	policy.Notify("the policy came")
	holds("somebody emptied it, and the policy came", 1)
	if err := cluster.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	holds("the RegistryCredential went", 0)
	if one.Watchdog.Stalled() != 0 {
		t.Error("it stands still")
	}
}

func TestMostChangesLeaveTheIndexAsItIs(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after v1alpha1.AttachMode
		change        func(*v1alpha1.RegistryCredential)
		want          bool
	}{
		{"nothing", v1alpha1.AttachPods, v1alpha1.AttachPods, func(*v1alpha1.RegistryCredential) {}, false},
		{"its spec", v1alpha1.AttachPods, v1alpha1.AttachPods, func(o *v1alpha1.RegistryCredential) { o.Generation++ }, true},
		{"from Pods to ServiceAccounts", v1alpha1.AttachPods, v1alpha1.AttachServiceAccounts, func(o *v1alpha1.RegistryCredential) { o.Generation++ }, true},
		{"from ServiceAccounts to Pods", v1alpha1.AttachServiceAccounts, v1alpha1.AttachPods, func(o *v1alpha1.RegistryCredential) { o.Generation++ }, true},
		{"the spec of one for ServiceAccounts", v1alpha1.AttachServiceAccounts, v1alpha1.AttachServiceAccounts, func(o *v1alpha1.RegistryCredential) { o.Generation++ }, false},
		{"another object of the name", v1alpha1.AttachPods, v1alpha1.AttachPods, func(o *v1alpha1.RegistryCredential) { o.UID = "other" }, true},
		{"its deletion", v1alpha1.AttachPods, v1alpha1.AttachPods, func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.Now()) }, true},
		{"its status", v1alpha1.AttachPods, v1alpha1.AttachPods, func(o *v1alpha1.RegistryCredential) { o.Status.ObservedGeneration = 3 }, false},
	} {
		before, after := credential(c.before), credential(c.after)
		c.change(after)
		if got := onTarget().Update(event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	for mode, want := range map[v1alpha1.AttachMode]bool{v1alpha1.AttachPods: true, v1alpha1.AttachServiceAccounts: false, v1alpha1.AttachNone: false, "": false} {
		if onTarget().Create(event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: credential(mode)}) != want ||
			onTarget().Delete(event.TypedDeleteEvent[*v1alpha1.RegistryCredential]{Object: credential(mode)}) != want {
			t.Errorf("one with %q that comes or goes is looked at: %t", mode, !want)
		}
	}
}
