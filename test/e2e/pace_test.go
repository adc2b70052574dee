package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	// paceBurst pods are stuck at once: as many as the default limits let a node pull at once, so that no pod waits for its turn.
	paceBurst  = 5
	paceRounds = 4
	// How long 95 of 100 pods may take at most, from the moment at which their Secret is fresh: until regcred acts, which is its own
	// share, and until they run. The latter is the node's work above all: where as many new pods, which need no cure, take longer on
	// the same node, twice their time counts.
	actWithin     = time.Second
	restartWithin = 5 * time.Second
	repullWithin  = 2 * time.Second
)

// track is a namespace in which the password is rotated again and again, and pods are stuck each time.
type track struct {
	name   string
	repull bool
	round  int
	// How long each pod took from its Secret being fresh: until regcred acted on it, and until it or its successor ran.
	acted, ran []time.Duration
	// floor is how long pods take that are created while the Secret is right.
	floor []time.Duration
}

func newTrack(t *testing.T, name string, repull bool) *track {
	t.Helper()
	makeNamespace(t, name)
	r := &track{name: name, repull: repull}
	r.setPassword(t, "0")
	r.setVault(t, "0")
	createCredential(t, credential(name, "platform/registries/"+name, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.PodRecovery, spec.Verification = &v1alpha1.PodRecovery{}, nil
		if repull {
			spec.PodRecovery.Repull = v1alpha1.RepullEnabled
		}
	}, name))
	await(t, time.Minute, holdsPassword(name, s.Registry+"/"+name, "0"))
	return r
}

func (r *track) setPassword(t *testing.T, password string) {
	t.Helper()
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: r.name, Password: password, Pull: []string{r.name + "/"}}))
}

func (r *track) setVault(t *testing.T, password string) {
	t.Helper()
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", "platform/registries/"+r.name, map[string]any{"username": r.name, "password": password})
	must(t, err)
}

// run rotates the password, makes pods get stuck, and measures how long each takes from its Secret being fresh to running.
func (r *track) run(t *testing.T) {
	t.Helper()
	r.round++
	app, password := fmt.Sprint("app-", r.round), fmt.Sprint(r.round)
	r.push(t, app)
	r.setPassword(t, password)
	owner := r.createPods(t, app)
	await(t, 30*time.Second, func(ctx context.Context) error { return allStuck(ctx, r.name, app) })
	await(t, 5*time.Second, func(ctx context.Context) error { return allOlder(ctx, r.name, app) })

	watch := watchPace(t, r.name, app, password)
	defer watch.stop()
	r.setVault(t, password)
	must(t, s.Client.Patch(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: r.name}}, client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RefreshRequestedAtAnnotation, password))))
	acted, ran := watch.times(t, paceBurst)
	r.acted, r.ran = append(r.acted, acted...), append(r.ran, ran...)
	r.remove(t, owner)
}

// measureFloor creates as many pods while the Secret is right, and measures how long each takes to run.
func (r *track) measureFloor(t *testing.T) {
	t.Helper()
	const app = "floor"
	r.push(t, app)
	watch := watchPace(t, r.name, app, "")
	defer watch.stop()
	start := time.Now()
	owner := r.createPods(t, app)
	r.floor = since(start, watch.running(t, paceBurst))
	r.remove(t, owner)
}

func (r *track) push(t *testing.T, app string) {
	t.Helper()
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: r.name + app})
	must(t, err)
	must(t, s.Box.Registry.Push(t.Context(), r.name+"/"+app+":1", image))
}

func (r *track) remove(t *testing.T, owner client.Object) {
	t.Helper()
	must(t, s.Client.DeleteAllOf(t.Context(), owner, client.InNamespace(r.name), client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

// createPods makes a Deployment or, to be repulled, pods that nobody would make anew. It returns their kind.
func (r *track) createPods(t *testing.T, app string) client.Object {
	t.Helper()
	template := scenario.Template(app, s.Registry+"/"+r.name+"/"+app+":1")
	if !r.repull {
		deployment := scenario.Deployment(r.name, app, template)
		replicas := int32(paceBurst)
		deployment.Spec.Replicas = &replicas
		must(t, s.Client.Create(t.Context(), deployment))
		return deployment
	}
	for i := range paceBurst {
		must(t, s.Client.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.name, Name: fmt.Sprint(app, "-", i), Labels: template.Labels}, Spec: template.Spec,
		}))
	}
	return &corev1.Pod{}
}

func allStuck(ctx context.Context, namespace, app string) error {
	pods, err := s.Pods(ctx, namespace, app)
	if err != nil {
		return err
	}
	stuck := 0
	for i := range pods {
		if diagnosis.IsStuck(&pods[i]) {
			stuck++
		}
	}
	if stuck != paceBurst {
		return fmt.Errorf("%d pods of %s are stuck, want %d", stuck, app, paceBurst)
	}
	return nil
}

// allOlder waits until a Secret that is written now is surely later than the pods. Times have whole seconds: where a pod is created in the second of
// the change, its cure waits up to two seconds, so that the successor is later than the Secret. That is a case of its own, in internal/diagnosis.
func allOlder(ctx context.Context, namespace, app string) error {
	pods, err := s.Pods(ctx, namespace, app)
	if err != nil {
		return err
	}
	for i := range pods {
		if created := pods[i].CreationTimestamp.Time; time.Since(created) < time.Second {
			return fmt.Errorf("pod %s was created at %s, in this second", pods[i].Name, created.Format(time.TimeOnly))
		}
	}
	return nil
}

// paceWatch notes when the Secret of a namespace got a password, and when each pod of an app began to run.
type paceWatch struct {
	secrets, pods watch.Interface
	namespace     string
	app, password string
}

func watchPace(t *testing.T, namespace, app, password string) *paceWatch {
	t.Helper()
	w := &paceWatch{namespace: namespace, app: app, password: password}
	var err error
	w.secrets, err = scenario.Follow(t.Context(), s.Client, &corev1.SecretList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "regcred"})
	must(t, err)
	w.pods, err = scenario.Follow(t.Context(), s.Client, &corev1.PodList{}, client.InNamespace(namespace), client.MatchingLabels{"app": app})
	must(t, err)
	return w
}

func (w *paceWatch) stop() {
	w.secrets.Stop()
	w.pods.Stop()
}

// times waits until so many pods were acted on, and so many run. It returns how long after the Secret was fresh that was.
func (w *paceWatch) times(t *testing.T, count int) (acted, ran []time.Duration) {
	t.Helper()
	var fresh time.Time
	actedAt, ranAt := map[types.UID]time.Time{}, map[types.UID]time.Time{}
	timeout := time.After(time.Minute)
	for fresh.IsZero() || len(actedAt) < count || len(ranAt) < count {
		select {
		case event := <-w.secrets.ResultChan():
			if secret, ok := event.Object.(*corev1.Secret); ok && fresh.IsZero() && w.isFresh(secret) {
				fresh = time.Now()
			}
		case event := <-w.pods.ResultChan():
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			if cured(pod) && actedAt[pod.UID].IsZero() {
				actedAt[pod.UID] = time.Now()
			}
			if pod.Status.Phase == corev1.PodRunning && ranAt[pod.UID].IsZero() {
				ranAt[pod.UID] = time.Now()
			}
		case <-timeout:
			t.Fatalf("%d pods of %s were acted on and %d run a minute after the rotation, want %d (the Secret is fresh: %t)",
				len(actedAt), w.app, len(ranAt), count, !fresh.IsZero())
		}
	}
	return since(fresh, actedAt), since(fresh, ranAt)
}

// running waits until so many pods run, and returns when each began.
func (w *paceWatch) running(t *testing.T, count int) map[types.UID]time.Time {
	t.Helper()
	ran := map[types.UID]time.Time{}
	timeout := time.After(time.Minute)
	for len(ran) < count {
		select {
		case event := <-w.pods.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); ok && pod.Status.Phase == corev1.PodRunning && ran[pod.UID].IsZero() {
				ran[pod.UID] = time.Now()
			}
		case <-timeout:
			t.Fatalf("%d of %d pods of %s run after a minute", len(ran), count, w.app)
		}
	}
	return ran
}

// cured reports whether regcred deleted a pod, or pinned its image so that it is pulled at once.
func cured(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || strings.Contains(pod.Spec.Containers[0].Image, "@")
}

func since(start time.Time, times map[types.UID]time.Time) []time.Duration {
	var waits []time.Duration
	for _, at := range times {
		waits = append(waits, at.Sub(start))
	}
	return waits
}

func (w *paceWatch) isFresh(secret *corev1.Secret) bool {
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	return err == nil && config[s.Registry+"/"+w.namespace].Password() == w.password
}

// quantile of some times, which it sorts: 0.95 is what 95 of 100 need at most.
func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[int(q*float64(len(times)-1)+0.5)].Round(10 * time.Millisecond)
}

// report logs how fast pods of a track were acted on and came to run, and fails the test where either was too slow.
func (r *track) report(t *testing.T, what string, within time.Duration) time.Duration {
	t.Helper()
	floor, acted, ran := quantile(r.floor, 0.95), quantile(r.acted, 0.95), quantile(r.ran, 0.95)
	within = max(within, 2*floor)
	t.Logf("measured: new pods that need no cure: p95 %s of %d pods", floor, len(r.floor))
	t.Logf("measured: from Secret fresh to regcred acting, %s: p50 %s, p95 %s (at most %s)", what, quantile(r.acted, 0.5), acted, actWithin)
	t.Logf("measured: from Secret fresh to pod running, %s: p50 %s, p95 %s of %d pods (at most %s)", what, quantile(r.ran, 0.5), ran, len(r.ran), within)
	if acted > actWithin {
		t.Errorf("regcred acts on 95 of 100 pods %s after %s, want %s at most: %v", acted, what, actWithin, r.acted)
	}
	if ran > within {
		t.Errorf("95 of 100 pods run %s after %s, want %s at most: %v", ran, what, within, r.ran)
	}
	return ran
}
