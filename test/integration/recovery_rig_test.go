package integration

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/operator"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/box/apiserver"
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
	admin  client.WithWatch
	config *rest.Config
	scheme *runtime.Scheme
	// kubeconfig is an administrator's.
	kubeconfig []byte
	store      *records.Store
	board      *delivered.Board
	tally      *podcounts.Counter
	metrics    *rigMetrics
	// interfere is what happens around writes of the controllers. Set by an adjustment.
	interfere interceptor.Funcs
}

// rigMetrics counts what the controller says that it decided.
type rigMetrics struct {
	mu        sync.Mutex
	decided   map[string]int
	recovered map[string][]time.Duration
}

func (m *rigMetrics) Decided(action, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decided[action+"/"+reason]++
}

func (m *rigMetrics) Recovered(action string, after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recovered[action] = append(m.recovered[action], after)
}

func (m *rigMetrics) recoveries(action string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.recovered[action])
}

func (m *rigMetrics) count(verdict string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.decided[verdict]
}

// startRecovery starts the API server and the controllers, and stops them with the test. With adjust, a test gives the controller
// other limits, a prober, or other rights.
func startRecovery(t *testing.T, adjust ...func(*recoveryRig, *curing)) *recoveryRig {
	t.Helper()
	objects := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(objects); err != nil {
			t.Fatal(err)
		}
	}
	environment := &envtest.Environment{Scheme: objects, CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	// Admission copies pull secrets from ServiceAccounts to pods, which envtest leaves out by default.
	environment.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins").Set("authorization-mode", "RBAC")
	restConfig, stop, err := apiserver.Start(environment)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	restConfig.QPS = -1
	rig := &recoveryRig{config: restConfig, scheme: objects, metrics: &rigMetrics{decided: map[string]int{}, recovered: map[string][]time.Duration{}}}
	if rig.admin, err = client.NewWithWatch(restConfig, client.Options{Scheme: objects}); err != nil {
		t.Fatal(err)
	}
	rig.kubeconfig = environment.KubeConfig
	rig.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: rigNamespace}})
	rig.startControllers(t, objects, adjust)
	return rig
}

// curing is how stuck pods are cured, and with whose rights: those of writer, where it is set.
type curing struct {
	operator.Curing
	writer client.Client
}

func (rig *recoveryRig) startControllers(t *testing.T, objects *runtime.Scheme, adjust []func(*recoveryRig, *curing)) {
	t.Helper()
	mgr, err := ctrl.NewManager(rig.config, ctrl.Options{
		Scheme: objects, Metrics: server.Options{BindAddress: "0"},
		Cache:      operator.CacheOptions(rigNamespace),
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	rig.must(t, err)
	p, err := operator.New(t.Context(), mgr, operator.Options{
		Namespace: rigNamespace, SecretNames: []string{"regcred"}, ServiceAccountNames: []string{"default"},
		Protected: []string{"kube-system", "kube-public", "kube-node-lease"}, Now: time.Now,
	})
	rig.must(t, err)
	rig.store, rig.board, rig.tally = p.Store, p.Board, p.Pods
	rig.must(t, rig.store.Load(t.Context()))
	c := &curing{Curing: operator.Curing{Metrics: rig.metrics}}
	for _, f := range adjust {
		f(rig, c)
	}
	if rig.interfere.Patch != nil || rig.interfere.Delete != nil {
		direct, err := client.NewWithWatch(rig.config, client.Options{Scheme: objects})
		rig.must(t, err)
		p.Writer = interceptor.NewClient(direct, rig.interfere)
	}
	rig.must(t, p.AddDelivery())
	if c.writer != nil {
		p.Writer = c.writer
	}
	rig.must(t, p.AddRecovery(objects, c.Curing))
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

// place is a namespace with a RegistryCredential of its own.
type place struct {
	rig        *recoveryRig
	name       string
	credential *v1alpha1.RegistryCredential
	registry   string
}

// place makes a namespace, its default ServiceAccount, and a RegistryCredential for it. Nothing is published yet. What is left at
// the end of the test is removed, so that it cannot be taken for the next test's.
func (rig *recoveryRig) place(t *testing.T, adjust ...func(*v1alpha1.RegistryCredential)) *place {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}
	rig.create(t, namespace)
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "default"}})
	p := &place{rig: rig, name: namespace.Name, registry: rigRegistry, credential: &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: namespace.Name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{rigRegistry},
			Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "shop"}},
			Target:     v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(namespace.Name)}},
		},
	}}
	for _, f := range adjust {
		f(p.credential)
	}
	p.registry = string(p.credential.Spec.Registries[0])
	rig.create(t, p.credential)
	t.Cleanup(func() {
		ctx := context.Background()
		if err := rig.admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(p.name), client.GracePeriodSeconds(0)); err != nil {
			t.Error(err)
		}
		if err := rig.admin.Delete(ctx, p.credential); err != nil {
			t.Error(err)
		}
	})
	return p
}

// publish makes a value the published one.
func (p *place) publish(t *testing.T, revision string) {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", "password-"+revision)
	p.rig.must(t, err)
	record := p.rig.store.Get(p.credential.Name)
	record.Credential, record.UID = p.credential.Name, p.credential.UID
	record.Config = dockerconfig.Config{p.registry: credential}
	record.Revision, record.Digest, record.ChangeTime, record.Salt = revision, "of "+revision, time.Now(), []byte("0123456789abcdef")
	record.Accounts = []rotation.Account{{Print: verify.Fingerprint(record.Salt, p.registry, credential), Host: registry.Host(p.registry), Keys: []string{p.registry}}}
	p.rig.must(t, p.rig.store.Save(t.Context(), record))
}

// accept records that the registry takes the published value now, as the controller of RegistryCredentials does.
func (p *place) accept(t *testing.T) {
	t.Helper()
	record := p.rig.store.Get(p.credential.Name)
	account := record.Accounts[0]
	record.Tests = map[string]rotation.Test{account.Print: {
		Question: rotation.SpecOf(p.credential).Question(account), Time: time.Now(), Attempt: time.Now(), Verdict: rotation.Accepted,
	}}
	p.rig.must(t, p.rig.store.Save(t.Context(), record))
}

// deliver publishes a value and waits until it is in the Secret and the ServiceAccount.
func (p *place) deliver(t *testing.T, revision string) {
	t.Helper()
	p.publish(t, revision)
	await(t, "the delivery of revision "+revision+" to "+p.name, func() bool {
		d := p.rig.board.Of(p.credential.Name, "regcred")[p.name]
		return d.Revision == revision && d.Reason == ""
	})
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	awaitFor(t, rigTimeout, what, condition)
}

func awaitFor(t *testing.T, timeout time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", timeout, what)
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

func podTemplate(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: rigImage}}},
	}
}

// owner makes a controller of pods of a kind.
func (p *place) owner(t *testing.T, kind string, adjust ...func(client.Object)) *metav1.OwnerReference {
	t.Helper()
	labels := map[string]string{"app": "web"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	meta := metav1.ObjectMeta{Namespace: p.name, GenerateName: "web-"}
	var object client.Object
	group := appsv1.SchemeGroupVersion
	switch kind {
	case "ReplicaSet":
		object = &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: podTemplate(labels)}}
	case "StatefulSet":
		object = &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: podTemplate(labels)}}
	case "DaemonSet":
		object = &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: podTemplate(labels)}}
	case "ReplicationController":
		object, group = &corev1.ReplicationController{ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: labels, Template: ptr.To(podTemplate(labels))}}, corev1.SchemeGroupVersion
	case "Job":
		template := podTemplate(nil)
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		object, group = &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template}}, batchv1.SchemeGroupVersion
	default:
		t.Fatalf("no owner of kind %s", kind)
	}
	for _, f := range adjust {
		f(object)
	}
	p.rig.create(t, object)
	return metav1.NewControllerRef(object, group.WithKind(kind))
}

// pod makes a pod on a node that does not exist, so that a deleted pod stays in sight until its kubelet would let it go.
func (p *place) pod(t *testing.T, owner *metav1.OwnerReference, adjust ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, GenerateName: "web-"}, Spec: podTemplate(nil).Spec}
	pod.Spec.NodeName = "node-" + p.name
	pod.Spec.AutomountServiceAccountToken = ptr.To(false)
	if owner != nil {
		pod.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	for _, f := range adjust {
		f(pod)
	}
	p.rig.create(t, pod)
	return pod
}

const (
	authFailed = `failed to pull and unpack image "` + rigImage + `": failed to resolve image: ` +
		`unexpected status from HEAD request to https://` + rigRegistry + `/v2/shop/web/manifests/1: 401 Unauthorized`
	notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "` + rigImage + `": failed to resolve image: ` + rigImage + `: not found`
)

// hangs writes the status of a pod that cannot pull, as a kubelet in back-off does.
func (rig *recoveryRig) hangs(t *testing.T, pod *corev1.Pod, cause string, adjust ...func(*corev1.PodStatus)) {
	t.Helper()
	rig.setStatus(t, pod, func(current *corev1.Pod) {
		image := current.Spec.Containers[0].Image
		current.Status.Phase = corev1.PodPending
		current.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Image: image, State: waitsFor("ImagePullBackOff",
			fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, cause))}}
		for _, f := range adjust {
			f(&current.Status)
		}
	})
}

// runs writes the status of a pod whose containers all run.
func (rig *recoveryRig) runs(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	rig.setStatus(t, pod, func(current *corev1.Pod) {
		current.Status.Phase = corev1.PodRunning
		current.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	})
}

// setStatus writes the status of a pod that others may change meanwhile.
func (rig *recoveryRig) setStatus(t *testing.T, pod *corev1.Pod, set func(*corev1.Pod)) {
	t.Helper()
	await(t, "a write of the status of "+pod.Name, func() bool {
		current := rig.get(t, pod)
		set(current)
		err := rig.admin.Status().Update(t.Context(), current)
		if err != nil && !apierrors.IsConflict(err) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func waitsFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// letGo ends a pod that is being deleted, as its kubelet does.
func (rig *recoveryRig) letGo(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	rig.must(t, client.IgnoreNotFound(rig.admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})))
}

func (rig *recoveryRig) get(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	var current corev1.Pod
	rig.must(t, rig.admin.Get(t.Context(), client.ObjectKeyFromObject(pod), &current))
	return &current
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

// expect runs something and waits until the controller has come to a verdict, such as "Report/JobPod", once more.
func (rig *recoveryRig) expect(t *testing.T, verdict string, do func()) {
	t.Helper()
	before := rig.metrics.count(verdict)
	do()
	deadline := time.Now().Add(rigTimeout)
	for rig.metrics.count(verdict) == before {
		if time.Now().After(deadline) {
			rig.metrics.mu.Lock()
			defer rig.metrics.mu.Unlock()
			t.Fatalf("waited %s in vain for the verdict %s, there are only %v", rigTimeout, verdict, rig.metrics.decided)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// notes are the events about an object, as people see them.
func (rig *recoveryRig) notes(t *testing.T, object client.Object) []eventsv1.Event {
	t.Helper()
	var list eventsv1.EventList
	// Events about cluster-scoped objects are in the namespace default.
	rig.must(t, rig.admin.List(t.Context(), &list, client.InNamespace(cmp.Or(object.GetNamespace(), metav1.NamespaceDefault))))
	var notes []eventsv1.Event
	for _, event := range list.Items {
		if event.Regarding.UID == object.GetUID() {
			notes = append(notes, event)
		}
	}
	return notes
}

// awaitCount waits until the controller came to a verdict at all.
func (rig *recoveryRig) awaitCount(t *testing.T, verdict string) {
	t.Helper()
	await(t, "the verdict "+verdict, func() bool { return rig.metrics.count(verdict) > 0 })
}

func (p *place) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	labels := map[string]string{"app": "web"}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(labels)},
	}
	p.rig.create(t, deployment)
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	return deployment
}

func templateOf(object client.Object) *corev1.PodSpec {
	return &object.(*appsv1.ReplicaSet).Spec.Template.Spec
}
