package integration

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// scaleNamespaces is how many namespaces the plugin is measured in, scaleFew how many it is compared with. The same pods are stuck in both.
	scaleNamespaces, scaleFew = 200, 20
	podsEach                  = 10
	scaleAtOnce               = 32
)

// scaleCommands are measured. A page of pods or of Secrets is one request more; nothing else may grow with namespaces that are not concerned.
var scaleCommands = []struct {
	arguments     []string
	pods, secrets int           // how many of these it lists in one request, 0 where it lists none
	limit         time.Duration // of its CPU time: that of a busy machine is the same
	says          string
}{
	{[]string{"status"}, 0, 0, time.Second, "200 of 200"},
	{[]string{"status", "company"}, 0, 0, time.Second, "200 of 200 have the value"},
	{[]string{"explain", "pods", "-A"}, 250, 50, time.Second, "20 pods cannot pull"},
	{[]string{"audit", "-A"}, 100, 50, 10 * time.Second, "201 pulls of "},
}

// morePages is how many requests a list takes more, of so many objects in each namespace and so many in a page.
func morePages(each, page int) int {
	if page == 0 {
		return 0
	}
	return (scaleNamespaces*each+page-1)/page - (scaleFew*each+page-1)/page
}

// TestPluginAtScale measures the plugin at 200 namespaces with 2,000 pods, of which 20 are stuck, on a real API server.
func TestPluginAtScale(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	c.kubectl(t, "wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev")
	proxy := countRequests(t, c)
	p := newPlugin(t, proxy.kubeconfig)
	object := c.makeServed(t)
	c.populate(t, 0, scaleFew)
	few := map[string]int{}
	for _, command := range scaleCommands {
		few[strings.Join(command.arguments, " ")] = proxy.measure(t, p, command.arguments).requests
	}
	begun := time.Now()
	c.populate(t, scaleFew, scaleNamespaces)
	t.Logf("made %d namespaces with %d pods each in %s", scaleNamespaces-scaleFew, podsEach, time.Since(begun).Round(time.Millisecond))
	object.Status.Namespaces = &v1alpha1.NamespacesStatus{Selected: scaleNamespaces, Synced: scaleNamespaces}
	vaultMust(t, c.admin.Status().Update(t.Context(), object))
	for _, command := range scaleCommands {
		name := strings.Join(command.arguments, " ")
		t.Run(name, func(t *testing.T) {
			got := proxy.measure(t, p, command.arguments)
			if !strings.Contains(got.out, command.says) {
				t.Errorf("it does not say %q:\n%s", command.says, got.out)
			}
			if more := morePages(podsEach, command.pods) + morePages(1, command.secrets); got.requests > few[name]+more {
				t.Errorf("%d requests at %d namespaces, %d at %d and %d more pages", got.requests, scaleNamespaces, few[name], scaleFew, more)
			}
			if got.cpu > command.limit {
				t.Errorf("it takes %s of CPU time, and %s is allowed", got.cpu, command.limit)
			}
			measuredAtScale(t, name, got)
		})
	}
}

// measurement is what one run of the plugin took.
type measurement struct {
	out       string
	requests  int
	cpu, time time.Duration
}

// requestCounter passes an administrator's requests on, and counts them.
type requestCounter struct {
	kubeconfig string
	requests   *atomic.Int64
}

func countRequests(t *testing.T, c *installation) requestCounter {
	t.Helper()
	transport, err := rest.TransportFor(c.config)
	vaultMust(t, err)
	address, _, err := rest.DefaultServerUrlFor(c.config)
	vaultMust(t, err)
	counted := requestCounter{filepath.Join(t.TempDir(), "kubeconfig"), &atomic.Int64{}}
	server := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		counted.requests.Add(1)
		r.SetURL(&url.URL{Scheme: address.Scheme, Host: address.Host})
	}})
	t.Cleanup(server.Close)
	vaultMust(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c"}},
		CurrentContext: "x",
	}, counted.kubeconfig))
	return counted
}

func (p requestCounter) measure(t *testing.T, plugin *plugin, arguments []string) measurement {
	t.Helper()
	p.requests.Store(0)
	begun := time.Now()
	command := exec.CommandContext(t.Context(), plugin.path, append([]string{"--kubeconfig", p.kubeconfig}, arguments...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl regcred %s: %v: %s", strings.Join(arguments, " "), err, out)
	}
	got := measurement{string(out), int(p.requests.Load()), command.ProcessState.UserTime() + command.ProcessState.SystemTime(), time.Since(begun)}
	t.Logf("kubectl regcred %s: %d requests, %s of CPU time, %s", strings.Join(arguments, " "), got.requests, got.cpu.Round(time.Millisecond), got.time.Round(time.Millisecond))
	return got
}

// makeServed makes a RegistryCredential and says of it what the operator would.
func (c *installation) makeServed(t *testing.T) *v1alpha1.RegistryCredential {
	t.Helper()
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"registry.example.com"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/company"}},
		Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"served": "yes"}}},
	}}
	vaultMust(t, c.admin.Create(t.Context(), object))
	now := metav1.Now()
	object.Status = v1alpha1.RegistryCredentialStatus{
		ObservedGeneration: object.Generation, Credential: &v1alpha1.CredentialStatus{Revision: "1", ChangeTime: &now, VerifiedTime: &now, ProvenBy: "Pull"},
		Namespaces: &v1alpha1.NamespacesStatus{Selected: scaleFew, Synced: scaleFew},
	}
	for kind, reason := range map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonSucceeded, v1alpha1.ConditionVerified: v1alpha1.ReasonAccepted} {
		object.Status.Conditions = append(object.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: "all is well", LastTransitionTime: now})
	}
	vaultMust(t, c.admin.Status().Update(t.Context(), object))
	return object
}

// populate makes namespaces as the operator serves them, with a workload of ten pods each. A pod is stuck in each of the first ones.
func (c *installation) populate(t *testing.T, from, to int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(scaleAtOnce)
	for i := from; i < to; i++ {
		group.Go(func() error {
			for _, object := range servedNamespace(fmt.Sprintf("team-%03d", i)) {
				if err := c.admin.Create(ctx, object); err != nil {
					return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
				}
				pod, ok := object.(*corev1.Pod)
				if !ok || pod.Name != "web-0" || i >= scaleFew {
					continue
				}
				pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Image: pod.Spec.Containers[0].Image, State: waitsFor("ImagePullBackOff",
					"unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized")}}
				if err := c.admin.Status().Update(ctx, pod); err != nil {
					return err
				}
			}
			return nil
		})
	}
	vaultMust(t, group.Wait())
}

// servedNamespace are the objects of one, in the order in which they are made.
func servedNamespace(name string) []client.Object {
	here := func(object string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: name, Name: object} }
	secret := &corev1.Secret{ObjectMeta: here(v1alpha1.DefaultSecretName), Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"registry.example.com":{"username":"robot","password":"good"}}}`)}}
	secret.Labels = map[string]string{"app.kubernetes.io/managed-by": "regcred", v1alpha1.ManagedLabel: "true"}
	secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: `{"version":1,"sources":{"company":{"keys":["registry.example.com"],"revision":"1","changed":"2026-01-01T00:00:00Z"}}}`}
	labels := map[string]string{"app": "web"}
	spec := corev1.PodSpec{AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{Name: "web", Image: "registry.example.com/shop/web:1"}}}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"served": "yes"}}},
		&corev1.ServiceAccount{ObjectMeta: here(v1alpha1.DefaultServiceAccount), ImagePullSecrets: []corev1.LocalObjectReference{{Name: secret.Name}}},
		secret,
		&appsv1.Deployment{ObjectMeta: here("web"), Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}}},
	}
	for i := range podsEach {
		pod := &corev1.Pod{ObjectMeta: here(fmt.Sprintf("web-%d", i)), Spec: *spec.DeepCopy()}
		pod.Spec.NodeName = "node-1"
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d8f", UID: "u", Controller: new(true)}}
		pod.Labels = map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: "5d8f"}
		objects = append(objects, pod)
	}
	return objects
}

// measuredAtScale compares how many requests the documentation tells with those that were counted. With UPDATE_DOCS=1 it puts the present
// figures there.
func measuredAtScale(t *testing.T, command string, got measurement) {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(command) + "` \\| (\\d+) \\| .*\\|$")
	text := page(t, "docs/plugin.md")
	found := row.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("docs/plugin.md does not say what kubectl regcred %s costs", command)
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		if found[1] != fmt.Sprint(got.requests) {
			t.Errorf("docs/plugin.md tells of %s requests of kubectl regcred %s, and it sends %d; UPDATE_DOCS=1 puts that there", found[1], command, got.requests)
		}
		return
	}
	now := fmt.Sprintf("| `%s` | %d | %.2f s | %.2f s |", command, got.requests, got.cpu.Seconds(), got.time.Seconds())
	vaultMust(t, os.WriteFile(pluginManual, []byte(row.ReplaceAllLiteralString(text, now)), 0o644))
}
