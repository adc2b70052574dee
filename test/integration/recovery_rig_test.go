package integration

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/publish"
)

const (
	rigNamespace = "rig-operator"
	rigRegistry  = "registry.example.com"
	rigImage     = rigRegistry + "/shop/web:1"
	rigTimeout   = 30 * time.Second
)

// recoveryRig is a real API server with the controllers delivery and recovery. The test plays the parts that are missing: it
// publishes credentials, owns pods as their controllers do, and writes their status as a kubelet does.
type recoveryRig struct {
	admin   client.WithWatch
	config  *rest.Config
	store   *publish.Store
	board   *publish.Board
	tally   *publish.Tally
	metrics *rigMetrics
}

// rigMetrics counts what the controller says that it decided.
type rigMetrics struct {
	mu        sync.Mutex
	decided   map[string]int
	recovered int
}

func (m *rigMetrics) Decided(action, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decided[action+"/"+reason]++
}

func (m *rigMetrics) Recovered(string, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recovered++
}

func (m *rigMetrics) count(verdict string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.decided[verdict]
}

// startRecovery starts the API server and the controllers, and stops them with the test.
func startRecovery(t *testing.T, adjust ...func(*recovery.Reconciler)) *recoveryRig {
	t.Helper()
	objects := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(objects); err != nil {
			t.Fatal(err)
		}
	}
	environment := &envtest.Environment{Scheme: objects, CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	// Admission copies pull secrets from ServiceAccounts to pods, which envtest leaves out by default.
	environment.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
	restConfig, err := environment.Start()
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	restConfig.QPS = -1
	rig := &recoveryRig{config: restConfig, metrics: &rigMetrics{decided: map[string]int{}}}
	if rig.admin, err = client.NewWithWatch(restConfig, client.Options{Scheme: objects}); err != nil {
		t.Fatal(err)
	}
	rig.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: rigNamespace}})
	rig.startControllers(t, objects, adjust)
	return rig
}

func (rig *recoveryRig) startControllers(t *testing.T, objects *runtime.Scheme, adjust []func(*recovery.Reconciler)) {
	t.Helper()
	mgr, err := ctrl.NewManager(rig.config, ctrl.Options{
		Scheme: objects, Metrics: server.Options{BindAddress: "0"},
		Cache:      cache.Options{ByObject: recovery.CacheOptions()},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	rig.must(t, err)
	options := cache.Options{Scheme: objects}
	secrets, err := named.New(rig.config, options, []string{"regcred"})
	rig.must(t, err)
	accounts, err := named.New(rig.config, options, []string{"default"})
	rig.must(t, err)
	pods, err := recovery.NewPodCache(rig.config, objects)
	rig.must(t, err)
	typed, err := kubernetes.NewForConfig(rig.config)
	rig.must(t, err)
	rig.must(t, secrets.AddTo(t.Context(), mgr, &corev1.Secret{}))
	rig.must(t, accounts.AddTo(t.Context(), mgr, &corev1.ServiceAccount{}))

	changed, delivered := &publish.Bell{}, &publish.Bell{}
	rig.store = publish.NewStore(typed.CoreV1(), rigNamespace, changed.Ring)
	rig.must(t, rig.store.Load(t.Context()))
	rig.board = publish.NewBoard(delivered.Ring)
	rig.tally = publish.NewTally(func(string) {})
	direct, err := client.New(rig.config, client.Options{Scheme: objects})
	rig.must(t, err)
	protected := []string{"kube-system", "kube-public", "kube-node-lease"}

	rig.must(t, (&delivery.Reconciler{
		Cluster: mgr.GetClient(), Writer: direct, Secrets: secrets, ServiceAccounts: accounts,
		Store: rig.store, Board: rig.board, Protected: append(slices.Clone(protected), rigNamespace), Now: time.Now,
	}).SetupWithManager(mgr, changed))

	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: typed.EventsV1()})
	rig.must(t, broadcaster.StartRecordingToSinkWithContext(t.Context()))
	t.Cleanup(broadcaster.Shutdown)
	r := &recovery.Reconciler{
		Cluster: mgr.GetClient(), Writer: direct, Pods: pods, Secrets: secrets, ServiceAccounts: accounts,
		Store: rig.store, Board: rig.board, Tally: rig.tally, Protected: protected, OwnNamespace: rigNamespace,
		Events: broadcaster.NewRecorder(objects, "regcred"), Metrics: rig.metrics, Now: time.Now,
	}
	for _, f := range adjust {
		f(r)
	}
	rig.must(t, r.SetupWithManager(mgr, changed, delivered))
	rig.run(t, mgr)
}

func (rig *recoveryRig) run(t *testing.T, mgr ctrl.Manager) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("the manager: %v", err)
		}
	})
}

func (rig *recoveryRig) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (rig *recoveryRig) create(t *testing.T, object client.Object) {
	t.Helper()
	if err := rig.admin.Create(t.Context(), object); err != nil {
		t.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
}

// namespace makes a namespace with its default ServiceAccount, and waits until admission knows that.
func (rig *recoveryRig) namespace(t *testing.T, annotations map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "team-", Labels: map[string]string{"team": "shop"}, Annotations: annotations}}
	rig.create(t, namespace)
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "default"}})
	return namespace.Name
}

// credential makes a RegistryCredential for namespaces with the label team=shop. Nothing is published yet.
func (rig *recoveryRig) credential(t *testing.T, adjust ...func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
	t.Helper()
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{rigRegistry},
			Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "shop"}},
			Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}},
		},
	}
	for _, f := range adjust {
		f(object)
	}
	rig.create(t, object)
	return object
}

// publish makes a value the published one, and waits until it is in the Secret and the ServiceAccount of a namespace.
func (rig *recoveryRig) publish(t *testing.T, object *v1alpha1.RegistryCredential, revision string) {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", "password-"+revision)
	rig.must(t, err)
	record := rig.store.Get(object.Name)
	record.Credential, record.UID = object.Name, object.UID
	record.Config = dockerconfig.Config{rigRegistry: credential}
	record.Revision, record.ChangeTime, record.Salt = revision, time.Now(), []byte("0123456789abcdef")
	rig.must(t, rig.store.Save(t.Context(), record))
}

// awaitDelivered waits until a revision is in the Secret and the ServiceAccount of a namespace.
func (rig *recoveryRig) awaitDelivered(t *testing.T, object *v1alpha1.RegistryCredential, namespace, revision string) {
	t.Helper()
	await(t, "the delivery of revision "+revision+" to "+namespace, func() bool {
		d := rig.board.Of(object.Name, "regcred")[namespace]
		return d.Revision == revision && d.Reason == ""
	})
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(rigTimeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", rigTimeout, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitNextSecond lets the clock of the API server move on: its times have whole seconds.
func awaitNextSecond(t *testing.T) {
	t.Helper()
	start := time.Now().Truncate(time.Second)
	await(t, "the next second", func() bool { return time.Now().Truncate(time.Second).After(start) })
}

// owner makes a ReplicaSet, the most common owner of pods.
func (rig *recoveryRig) replicaSet(t *testing.T, namespace, name string) metav1.OwnerReference {
	t.Helper()
	labels := map[string]string{"app": name}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template(labels)},
	}
	rig.create(t, set)
	return *metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
}

func template(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: rigImage}}},
	}
}

// pod makes a pod on a node that does not exist, so that a deleted pod stays in sight until its kubelet would let it go.
func (rig *recoveryRig) pod(t *testing.T, namespace, name string, owner *metav1.OwnerReference, adjust ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: template(nil).Spec}
	pod.Spec.NodeName = "node-1"
	pod.Spec.AutomountServiceAccountToken = ptr.To(false)
	if owner != nil {
		pod.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	for _, f := range adjust {
		f(pod)
	}
	rig.create(t, pod)
	return pod
}

const (
	authFailed = `Back-off pulling image "` + rigImage + `": ErrImagePull: failed to pull and unpack image "` + rigImage + `": failed to resolve image: ` +
		`unexpected status from HEAD request to https://` + rigRegistry + `/v2/shop/web/manifests/1: 401 Unauthorized`
	notFound = `Back-off pulling image "` + rigImage + `": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "` + rigImage +
		`": failed to resolve image: ` + rigImage + `: not found`
)

// hangs writes the status of a pod that cannot pull.
func (rig *recoveryRig) hangs(t *testing.T, pod *corev1.Pod, message string) {
	t.Helper()
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Image: rigImage,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: message}}}}
	rig.must(t, rig.admin.Status().Update(t.Context(), pod))
}

// restarted reports whether a pod was deleted.
func (rig *recoveryRig) restarted(t *testing.T, pod *corev1.Pod) bool {
	t.Helper()
	var current corev1.Pod
	err := rig.admin.Get(t.Context(), client.ObjectKeyFromObject(pod), &current)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err != nil || current.UID != pod.UID || current.DeletionTimestamp != nil
}

func (rig *recoveryRig) awaitRestart(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	await(t, "the restart of pod "+pod.Name, func() bool { return rig.restarted(t, pod) })
}

// awaitVerdict waits until the controller has come to a verdict, such as "Report/JobPod".
func (rig *recoveryRig) awaitVerdict(t *testing.T, verdict string) {
	t.Helper()
	deadline := time.Now().Add(rigTimeout)
	for rig.metrics.count(verdict) == 0 {
		if time.Now().After(deadline) {
			rig.metrics.mu.Lock()
			defer rig.metrics.mu.Unlock()
			t.Fatalf("waited %s in vain for the verdict %s, there are only %v", rigTimeout, verdict, slices.Sorted(maps.Keys(rig.metrics.decided)))
		}
		<-time.After(20 * time.Millisecond)
	}
}
