package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	keeper, keeperPath = "keeper", "platform/registries/zoo"
	steady, steadyPath = "steady", "platform/registries/steady"
	// loneBears are the pods that only the kubelet heals.
	loneBears = 3
)

// zoo holds one stuck pod of every kind.
type zoo struct {
	begun  time.Time
	plugin *plugin
	// stuck are the pods as they hung, by case.
	stuck map[string]corev1.Pod
	// fresh is when the Secrets held the good password.
	fresh time.Time
	// shown are the commands whose outputs were found in the documentation.
	shown map[string]bool
}

func openZoo(t *testing.T) *zoo {
	z := &zoo{begun: time.Now(), plugin: newPlugin(t), stuck: map[string]corev1.Pod{}, shown: map[string]bool{}}
	for _, namespace := range []string{shop, batch, mixed, pins, alone} {
		makeNamespace(t, namespace)
	}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.PodRecoveryAnnotation, v1alpha1.PodRecoveryDisabled))
	must(t, s.Client.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: alone}}, patch))
	z.setPassword(t, "first")
	z.setVault(t, "first")
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: steady, Password: "steady", Pull: []string{"steady/typo", "steady/failing"}}))
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", steadyPath, map[string]any{"username": steady, "password": "steady"})
	must(t, err)
	z.pushImages(t)
	return z
}

// makeNamespace makes a namespace that goes with the test, and waits until pods can be created in it.
func makeNamespace(t *testing.T, name string) {
	t.Helper()
	must(t, s.CreateNamespace(t.Context(), name, nil))
	t.Cleanup(func() {
		if err := s.Client.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Error(err)
		}
	})
	await(t, 30*time.Second, func(ctx context.Context) error {
		return s.Client.Get(ctx, client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	})
}

func (z *zoo) setPassword(t *testing.T, password string) {
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: keeper, Password: password, Pull: []string{shop + "/", batch + "/", mixed + "/", pins + "/", alone + "/"}}))
}

func (z *zoo) setVault(t *testing.T, password string) {
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", keeperPath, map[string]any{"username": keeper, "password": password})
	must(t, err)
}

// pushImages gives every case a repository of its own, and everybody an image.
func (z *zoo) pushImages(t *testing.T) {
	t.Helper()
	waits, err := box.Image(s.Pause, box.ImageOptions{})
	must(t, err)
	ends, err := box.Image(programThatEnds(t), box.ImageOptions{})
	must(t, err)
	references := []string{"regcred/public:1", "steady/failing:1", "steady/closed:1", "elsewhere/app:1", alone + "/bear:1"}
	for _, c := range stuckCases {
		references = append(references, c.String()+":1")
		if c.made == running {
			references = append(references, c.String()+":2")
		}
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for _, reference := range references {
		image := waits
		if strings.HasSuffix(reference, "/init:1") {
			image = ends
		}
		group.Go(func() error { return s.Box.Registry.Push(ctx, reference, image) })
	}
	must(t, group.Wait())
}

// programThatEnds is what an init container runs.
func programThatEnds(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600))
	program := filepath.Join(folder, "done")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, filepath.Join(folder, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a program: %v: %s", err, output)
	}
	return program
}

// make creates the workloads of one moment, no faster than a kubelet pulls by default.
func (z *zoo) make(t *testing.T, when moment) {
	t.Helper()
	pace := time.NewTicker(250 * time.Millisecond)
	defer pace.Stop()
	for _, c := range stuckCases {
		if c.made == when {
			must(t, s.Client.Create(t.Context(), c.workload(t, c)))
			<-pace.C
		}
	}
}

// credential provides the registry of some namespaces, in mode Report.
func credential(name, path string, adjust func(*v1alpha1.RegistryCredentialSpec), namespaces ...string) *v1alpha1.RegistryCredential {
	period, again := int32(5), int32(30)
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: path}},
			RefreshPeriodSeconds: &period,
			Verification:         &v1alpha1.Verification{PeriodSeconds: &again},
			PodRecovery:          &v1alpha1.PodRecovery{Mode: v1alpha1.RecoveryReport},
		},
	}
	for _, namespace := range namespaces {
		object.Spec.Target.Namespaces = append(object.Spec.Target.Namespaces, v1alpha1.NamespaceName(namespace))
		object.Spec.Registries = append(object.Spec.Registries, v1alpha1.Registry(s.Registry+"/"+namespace))
	}
	adjust(&object.Spec)
	return object
}

// provide creates the RegistryCredentials and waits until pods inherit their Secret.
func (z *zoo) provide(t *testing.T) {
	t.Helper()
	usual := func(*v1alpha1.RegistryCredentialSpec) {}
	for _, object := range []*v1alpha1.RegistryCredential{
		credential("zoo", keeperPath, usual, shop, batch, mixed, alone),
		credential("pins", keeperPath, func(spec *v1alpha1.RegistryCredentialSpec) { spec.PodRecovery.Repull = v1alpha1.RepullEnabled }, pins),
		credential("steady", steadyPath, func(spec *v1alpha1.RegistryCredentialSpec) {
			spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(s.Registry + "/steady")}
		}, mixed),
	} {
		createCredential(t, object)
	}
	await(t, time.Minute, z.holds("first"))
	await(t, time.Minute, holdsPassword(mixed, s.Registry+"/steady", "steady"))
}

func createCredential(t *testing.T, object *v1alpha1.RegistryCredential) {
	t.Helper()
	must(t, s.Client.Create(t.Context(), object))
	t.Cleanup(func() {
		if err := s.Client.Delete(context.Background(), object); err != nil {
			t.Error(err)
		}
	})
}

func (z *zoo) holds(password string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, namespace := range []string{shop, batch, mixed, pins, alone} {
			if err := holdsPassword(namespace, s.Registry+"/"+namespace, password)(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// holdsPassword reports whether Secret regcred of a namespace holds a password under a key, and is attached.
func holdsPassword(namespace, key, password string) func(context.Context) error {
	return func(ctx context.Context) error {
		var secret corev1.Secret
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
			return err
		}
		config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
		if err != nil {
			return err
		}
		if entry, ok := config[key]; !ok || entry.Password() != password {
			return fmt.Errorf("Secret regcred of namespace %s has another value for %s", namespace, key)
		}
		var account corev1.ServiceAccount
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
			return err
		}
		if len(account.ImagePullSecrets) == 0 {
			return fmt.Errorf("ServiceAccount default of namespace %s names no Secret", namespace)
		}
		return nil
	}
}

// foreignSecrets are what people made by hand: one that is stale, and one that no kubelet can read.
func (z *zoo) foreignSecrets(t *testing.T) {
	stale, err := dockerconfig.NewCredential(keeper, "first")
	must(t, err)
	for name, data := range map[string][]byte{
		"mine":   dockerconfig.Config{s.Registry + "/" + mixed: stale}.Render(),
		"broken": []byte(`{"auths":{"10.88.0.1:5000":{"auth":"no base64"}}}`),
	} {
		must(t, s.Client.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: mixed, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
			Data: map[string][]byte{corev1.DockerConfigJsonKey: data},
		}, client.FieldOwner("kubectl-create")))
	}
}

// break makes the workloads that run hang: a release, a container that is started again, a container for debugging.
func (z *zoo) breakRunning(t *testing.T) {
	t.Helper()
	must(t, s.SetImage(t.Context(), shop, "guarded", s.Registry+"/shop/guarded:2"))
	for _, c := range []stuckCase{{namespace: shop, name: "runner"}, {namespace: mixed, name: "partner"}} {
		pod := onlyPod(t, c.namespace, c.name)
		before := pod.DeepCopy()
		pod.Spec.Containers[0].Image = c.image("2")
		must(t, s.Client.Patch(t.Context(), &pod, client.StrategicMergeFrom(before)))
	}
	pod := onlyPod(t, mixed, "debugged")
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: "debugger", Image: stuckCase{namespace: mixed, name: "debugged"}.image("1"), TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}}}
	must(t, s.Client.SubResource("ephemeralcontainers").Update(t.Context(), &pod))
}

// leaveAlone makes pods in a namespace that opts out: what they take to run is the kubelet's own time.
func (z *zoo) leaveAlone(t *testing.T) {
	for i := range loneBears {
		template := scenario.Template("bear", s.Registry+"/"+alone+"/bear:1")
		must(t, s.Client.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: alone, Name: fmt.Sprint("bear-", i), Labels: template.Labels}, Spec: template.Spec,
		}))
	}
}

// awaitRunning waits until the workloads of the moment run.
func (z *zoo) awaitRunning(t *testing.T) {
	t.Helper()
	for _, c := range stuckCases {
		if c.made == running {
			await(t, time.Minute, func(ctx context.Context) error { return allRun(ctx, c, "") })
		}
	}
}

// awaitStuck waits until the pods of some moments hang for the cause that is theirs, and notes them. Each is seen in back-off once: that all
// are at the same moment is luck, where there are many.
func (z *zoo) awaitStuck(t *testing.T, within time.Duration, when ...moment) {
	t.Helper()
	seen := map[string]bool{}
	await(t, within, func(ctx context.Context) error {
		var all corev1.PodList
		if err := s.Client.List(ctx, &all); err != nil {
			return err
		}
		pods := map[string][]corev1.Pod{}
		for _, pod := range all.Items {
			name := pod.Namespace + "/" + pod.Labels["app"]
			pods[name] = append(pods[name], pod)
		}
		var missing []error
		for _, c := range stuckCases {
			if slices.Contains(when, c.made) && !seen[c.String()] {
				err := z.note(c, pods[c.String()])
				seen[c.String()] = err == nil
				missing = append(missing, err)
			}
		}
		return errors.Join(missing...)
	})
}

// note finds the stuck pod of a case, in back-off and not just in an attempt.
func (z *zoo) note(c stuckCase, pods []corev1.Pod) error {
	for i := range pods {
		for _, pull := range diagnosis.Pulls(&pods[i]) {
			// Of a container that ran before, the kubelet goes on saying ErrImagePull.
			between := pull.Waiting != "ErrImagePull" || pods[i].Status.Phase == corev1.PodRunning
			if pull.Class == c.cause && between {
				z.stuck[c.String()] = pods[i]
				return nil
			}
		}
	}
	return fmt.Errorf("no pod of %s is stuck for the cause %s: %s", c, c.cause, describe(pods))
}

func describe(pods []corev1.Pod) string {
	var states []string
	for i := range pods {
		state := string(pods[i].Status.Phase)
		for _, pull := range diagnosis.Pulls(&pods[i]) {
			state += fmt.Sprintf(" %s (%s: %s)", pull.Waiting, pull.Class, pull.Message)
		}
		states = append(states, state)
	}
	return strings.Join(states, ", ")
}

// awaitLongBackOff waits until the kubelet leaves every pod that refers to the Secret alone for 45 seconds at least, so that
// none recovers automatically while it is looked at.
func (z *zoo) awaitLongBackOff(t *testing.T, since int64) {
	t.Helper()
	const enough = 45 * time.Second
	await(t, 6*time.Minute, func(ctx context.Context) error {
		log, err := s.Box.Registry.Requests(ctx, since)
		if err != nil {
			return err
		}
		attempts := refusedAttempts(log.Requests)
		for _, c := range stuckCases {
			if c.end == left || c.made == early {
				continue
			}
			times := attempts[c.String()]
			if len(times) < 4 {
				return fmt.Errorf("%s was tried %d times", c, len(times))
			}
			if next := times[len(times)-1].Add(kubeletBackOff(len(times))); time.Until(next) < enough {
				return fmt.Errorf("%s may be tried again in %s", c, time.Until(next).Round(time.Second))
			}
		}
		return nil
	})
}

// refusedAttempts are the times at which the kubelet was refused, by repository.
func refusedAttempts(requests []box.Request) map[string][]time.Time {
	attempts := map[string][]time.Time{}
	for _, request := range requests {
		if strings.HasPrefix(request.UserAgent, "regcred") {
			continue // the operator asks as well, with the same user
		}
		known := attempts[request.Repository]
		// One attempt is several requests.
		if request.User == keeper && request.Status == 401 && (len(known) == 0 || request.Time.Sub(known[len(known)-1]) > 5*time.Second) {
			attempts[request.Repository] = append(known, request.Time)
		}
	}
	return attempts
}

// kubeletBackOff is how long the kubelet waits at least after so many attempts that failed: pkg/kubelet/images doubles from ten
// seconds to five minutes.
func kubeletBackOff(attempts int) time.Duration {
	return min(10*time.Second<<min(attempts-1, 5), 5*time.Minute)
}

// turnOn sets mode Restart.
func (z *zoo) turnOn(t *testing.T) {
	t.Helper()
	for _, name := range []string{"zoo", "pins"} {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"podRecovery":{"mode":"Restart"}}}`))
		must(t, s.Client.Patch(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}, patch))
	}
}

func disruptionBudget(c stuckCase) *policyv1.PodDisruptionBudget {
	all := intstr.FromInt32(2)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &all, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": c.name}}},
	}
}
