package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// raceRounds namespaces come into being in each race.
const raceRounds = 50

// TestNewNamespacesAndPodsRace: pods that are created while Secret and ServiceAccount of their namespace come into being all get
// the reference in the end, whichever moment they hit. Admission is that of a real API server.
func TestNewNamespacesAndPodsRace(t *testing.T) {
	t.Parallel()
	gap := &gap{}
	rig := startRecovery(t, gap.open)
	p := rig.place(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"race": "yes"}}
	})
	p.publish(t, "1")
	owners := rig.replace(t)
	t.Run("rule 18: pods come as soon as their ServiceAccount is there", func(t *testing.T) {
		rig.race(t, owners, "early", 4, func(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
			var pods errgroup.Group
			for range 4 {
				pods.Go(func() error { return rig.startWhenAdmitted(ctx, namespace, owner) })
			}
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
			return errors.Join(rig.admin.Create(ctx, account), pods.Wait())
		})
	})
	t.Run("rule 16: pods come between Secret and ServiceAccount, and in the moment after", func(t *testing.T) {
		rig.race(t, owners, "gap", 3, func(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
			passed := gap.expect(namespace, owner)
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
			if err := rig.admin.Create(ctx, account); err != nil {
				return err
			}
			select {
			case err := <-passed:
				return err
			case <-time.After(rigTimeout):
				return fmt.Errorf("ServiceAccount default of namespace %s is not written", namespace)
			}
		})
		if lagged := rig.metrics.count("Wait/AdmissionLag"); lagged < raceRounds {
			t.Errorf("%d pods were seen to miss an entry that was recorded before they were created, want %d at least", lagged, raceRounds)
		}
		t.Logf("beside them, %d of %d pods that were created right after the write missed the entry", gap.missed, raceRounds)
	})
	t.Run("rule 30: a pod that changes while it is about to be deleted is looked at again", func(t *testing.T) {
		p := rig.place(t)
		pod := p.pod(t, p.owner(t, "ReplicaSet"))
		gap.optsOut(pod)
		rig.hangs(t, pod, authFailed)
		rig.expect(t, "None/OptedOut", func() { p.publish(t, "1") })
		if rig.restarted(t, pod) {
			t.Error("the pod was deleted, though it is not the one that was looked at any more")
		}
	})
}

// race lets namespaces come into being, each with an owner of pods, and waits until every pod has the reference.
func (rig *recoveryRig) race(t *testing.T, owners *replacer, name string, pods int, run func(context.Context, string, metav1.OwnerReference) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(10)
	for i := range raceRounds {
		group.Go(func() error {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(name, "-", i), Labels: map[string]string{"race": "yes"}}}
			if err := rig.admin.Create(ctx, namespace); err != nil {
				return err
			}
			set := &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "web"},
				Spec: corev1.ReplicationControllerSpec{Selector: map[string]string{"app": "web"}, Template: ptr.To(podTemplate(map[string]string{"app": "web"}))}}
			if err := rig.admin.Create(ctx, set); err != nil {
				return err
			}
			return run(ctx, namespace.Name, *metav1.NewControllerRef(set, corev1.SchemeGroupVersion.WithKind("ReplicationController")))
		})
	}
	rig.must(t, group.Wait())
	awaitFor(t, time.Minute, fmt.Sprintf("%d of %d namespaces to have healed", raceRounds, raceRounds), func() bool {
		owners.check(t)
		var list corev1.PodList
		rig.must(t, rig.admin.List(t.Context(), &list))
		with := map[string]int{}
		for i := range list.Items {
			pod := &list.Items[i]
			if strings.HasPrefix(pod.Namespace, name+"-") && pod.DeletionTimestamp == nil && len(pod.Spec.ImagePullSecrets) > 0 {
				with[pod.Namespace]++
			}
		}
		healed := 0
		for _, count := range with {
			if count == pods {
				healed++
			}
		}
		return healed == raceRounds
	})
}

// gap stands between Secret and ServiceAccount of a namespace, and lets pods come there.
type gap struct {
	rig *recoveryRig
	mu  sync.Mutex
	// expected are the namespaces whose attachment is to be waited for.
	expected map[string]awaited
	missed   int
	// optingOut is a pod whose people opt out in the moment in which it is to be deleted.
	optingOut types.UID
}

type awaited struct {
	owner  metav1.OwnerReference
	passed chan error
}

func (g *gap) open(rig *recoveryRig, _ *curing) {
	g.rig, g.expected = rig, map[string]awaited{}
	rig.interfere.Delete = g.deletes
	rig.interfere.Patch = func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
		here, ok := g.take(object)
		if !ok {
			return c.Patch(ctx, object, patch, options...)
		}
		before := errors.Join(g.between(ctx, object.GetNamespace(), here.owner), g.late(ctx, object.GetNamespace(), here.owner))
		err := c.Patch(ctx, object, patch, options...)
		here.passed <- errors.Join(before, err, g.after(ctx, object.GetNamespace(), here.owner))
		return err
	}
}

func (g *gap) expect(namespace string, owner metav1.OwnerReference) <-chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	passed := make(chan error, 1)
	g.expected[namespace] = awaited{owner: owner, passed: passed}
	return passed
}

func (g *gap) optsOut(pod *corev1.Pod) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.optingOut = pod.UID
}

// deletes lets people opt out a pod before its deletion goes on as it was meant.
func (g *gap) deletes(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
	pod := &corev1.Pod{}
	if err := g.rig.admin.Get(ctx, client.ObjectKeyFromObject(object), pod); err != nil {
		return err
	}
	g.mu.Lock()
	optsOut := pod.UID == g.optingOut
	g.mu.Unlock()
	if optsOut {
		pod.Annotations = map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled}
		if err := g.rig.admin.Update(ctx, pod); err != nil {
			return err
		}
	}
	return c.Delete(ctx, object, options...)
}

// take is true for the first write of the ServiceAccount of a namespace that is waited for.
func (g *gap) take(object client.Object) (awaited, bool) {
	if _, ok := object.(*corev1.ServiceAccount); !ok {
		return awaited{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	here, ok := g.expected[object.GetNamespace()]
	delete(g.expected, object.GetNamespace())
	return here, ok
}

// between creates a pod after the Secret, which must be there first, and before the ServiceAccount names it.
func (g *gap) between(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
	if err := g.rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &corev1.Secret{}); err != nil {
		return fmt.Errorf("the ServiceAccount is written before the Secret: %w", err)
	}
	pod := newPod(namespace, "node-"+namespace, owner)
	if err := g.rig.start(ctx, pod); err != nil {
		return err
	}
	if len(pod.Spec.ImagePullSecrets) > 0 {
		return fmt.Errorf("pod %s in namespace %s has the reference before the ServiceAccount has it", pod.Name, namespace)
	}
	return nil
}

// late creates a pod a second after the time that the write records: admission lags, as far as anybody can tell from the objects.
func (g *gap) late(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	return g.between(ctx, namespace, owner)
}

// after creates a pod while admission may still see the ServiceAccount of before.
func (g *gap) after(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
	pod := newPod(namespace, "node-"+namespace, owner)
	if err := g.rig.start(ctx, pod); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(pod.Spec.ImagePullSecrets) == 0 {
		g.missed++
	}
	return nil
}
