package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/controllers/recovery"
)

// replacer plays the owners of pods and the kubelets: a deleted pod is let go and recreated, and a pod with the reference runs.
type replacer struct {
	rig *recoveryRig
	mu  sync.Mutex
	// restarts are when each pod was seen to be deleted, by its UID.
	restarts map[types.UID]restart
	errs     []error
}

type restart struct {
	at   time.Time
	node string
}

// replace watches all pods until the test ends.
func (rig *recoveryRig) replace(t *testing.T) *replacer {
	t.Helper()
	r := &replacer{rig: rig, restarts: map[types.UID]restart{}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil { // the API server ends the watch of whoever is slow
			r.note(r.watch(ctx))
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return r
}

func (r *replacer) watch(ctx context.Context) error {
	watch, err := r.rig.admin.Watch(ctx, &corev1.PodList{})
	if err != nil {
		return err
	}
	defer watch.Stop()
	var group errgroup.Group
	group.SetLimit(16)
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || event.Type == "DELETED" || pod.DeletionTimestamp == nil || !r.first(pod) {
			continue
		}
		group.Go(func() error {
			r.note(r.successor(ctx, pod))
			return nil
		})
	}
	return group.Wait()
}

// first notes that a pod is being deleted, and reports whether that is news.
func (r *replacer) first(pod *corev1.Pod) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.restarts[pod.UID]; known {
		return false
	}
	r.restarts[pod.UID] = restart{at: time.Now(), node: pod.Spec.NodeName}
	return true
}

func (r *replacer) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && !apierrors.IsNotFound(err) && !errors.Is(err, context.Canceled) {
		r.errs = append(r.errs, err)
	}
}

// check fails the test where an owner failed.
func (r *replacer) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) > 0 {
		t.Fatalf("the owners failed: %v", r.errs)
	}
}

func (r *replacer) successor(ctx context.Context, pod *corev1.Pod) error {
	err := client.IgnoreNotFound(r.rig.admin.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID}))
	if err != nil || len(pod.OwnerReferences) == 0 {
		return err
	}
	return r.rig.start(ctx, newPod(pod.Namespace, pod.Spec.NodeName, pod.OwnerReferences[0]))
}

func newPod(namespace, node string, owner metav1.OwnerReference) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "web-", OwnerReferences: []metav1.OwnerReference{owner}}, Spec: podTemplate(nil).Spec}
	pod.Spec.NodeName, pod.Spec.AutomountServiceAccountToken = node, ptr.To(false)
	return pod
}

// start creates a pod, which then runs if admission gave it the reference, and hangs if not.
func (rig *recoveryRig) start(ctx context.Context, pod *corev1.Pod) error {
	if err := rig.admin.Create(ctx, pod); err != nil {
		return err
	}
	if len(pod.Spec.ImagePullSecrets) > 0 {
		pod.Status.Phase = corev1.PodRunning
		return rig.admin.Status().Update(ctx, pod)
	}
	return rig.hang(ctx, pod, authFailed)
}

// startWhenAdmitted tries to create a pod until its ServiceAccount is there.
func (rig *recoveryRig) startWhenAdmitted(ctx context.Context, namespace string, owner metav1.OwnerReference) error {
	for {
		err := rig.start(ctx, newPod(namespace, "node-"+namespace, owner))
		if !apierrors.IsForbidden(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (rig *recoveryRig) hang(ctx context.Context, pod *corev1.Pod, cause string) error {
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: waitsFor("ImagePullBackOff",
		fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", rigImage, cause))}}
	return rig.admin.Status().Update(ctx, pod)
}

// incurable are causes that no credential cures.
var incurable = []string{
	notFound,
	`failed to resolve image: failed to do request: Head "https://registry.example.com/v2/": dial tcp 10.0.0.9:443: connect: connection refused`,
	`failed to resolve image: failed to do request: Head "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
	`rpc error: code = NotFound desc = failed to pull and unpack image "registry.example.com/shop/web:1": no match for platform in manifest: not found`,
	`failed to extract layer sha256:3f09: write /var/lib/containerd/fs/x: no space left on device: unknown`,
}

// TestACrowdOfStuckPods: 1,000 stuck pods on 20 nodes, 300 of them for causes that no credential cures. The 700 are restarted once
// each and within the limits, the 300 stay as they are.
func TestACrowdOfStuckPods(t *testing.T) {
	const nodes, namespaces, crowd = 20, 10, 1000
	limits := recovery.Limits{NodePullsPerSecond: 10, NodeBurst: 5, NamespacePodsPerMinute: 1000, PodsPerMinute: 10_000}
	rig := startRecovery(t, func(_ *recoveryRig, r *curing) { r.Limits = limits })
	var places []*place
	var owners []*metav1.OwnerReference
	for range namespaces {
		places = append(places, rig.place(t))
		owners = append(owners, places[len(places)-1].owner(t, "ReplicaSet"))
	}
	var mu sync.Mutex
	curable, others := map[types.UID]bool{}, map[types.UID]client.ObjectKey{}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range crowd {
		group.Go(func() error {
			pod := newPod(places[i%namespaces].name, fmt.Sprint("node-", i%nodes), *owners[i%namespaces])
			if err := rig.admin.Create(ctx, pod); err != nil {
				return err
			}
			cause := authFailed
			mu.Lock()
			if i%10 < 3 {
				cause, others[pod.UID] = incurable[i/10%len(incurable)], client.ObjectKeyFromObject(pod)
			} else {
				curable[pod.UID] = true
			}
			mu.Unlock()
			return rig.hang(ctx, pod, cause)
		})
	}
	rig.must(t, group.Wait())

	r := rig.replace(t)
	begin := time.Now()
	for _, p := range places {
		p.publish(t, "1")
	}
	awaitFor(t, 3*time.Minute, "700 restarts", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.restarts) >= len(curable)
	})
	took := time.Since(begin)
	awaitFor(t, 3*time.Minute, "700 recovered pods", func() bool { return rig.metrics.recoveries("Restart") == len(curable) })

	r.check(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	perNode := map[string][]time.Time{}
	for uid, restart := range r.restarts {
		if !curable[uid] {
			t.Errorf("pod %s was restarted, which is none of the 700", uid)
		}
		perNode[restart.node] = append(perNode[restart.node], restart.at)
	}
	for uid, key := range others {
		var pod corev1.Pod
		if err := rig.admin.Get(t.Context(), key, &pod); err != nil || pod.UID != uid || pod.DeletionTimestamp != nil {
			t.Errorf("pod %s did not stay as it was: %v", key, err)
		}
	}
	for node, times := range perNode {
		slices.SortFunc(times, time.Time.Compare)
		// What is seen of a restart lags by as much as the machine is busy.
		allowed := float64(limits.NodeBurst) + limits.NodePullsPerSecond*(times[len(times)-1].Sub(begin).Seconds()+1)
		if float64(len(times)) > allowed {
			t.Errorf("%s: %d restarts in %s", node, len(times), times[len(times)-1].Sub(begin))
		}
	}
	t.Logf("%d pods restarted in %s", len(r.restarts), took.Round(time.Millisecond))
}
