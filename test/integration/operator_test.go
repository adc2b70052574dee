package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// operatorRun is the operator's own program on a bare API server, with its own token, beside a real Vault and a real registry.
type operatorRun struct {
	*installation
	vault      *box.Vault
	registry   *box.Registry
	binary     string
	kubeconfig string
	flags, env []string // more of both, for the operator
	logs       string
	process    *exec.Cmd
	ended      func() error // waits for its end
}

func init() {
	// The clients of this package read and write regcred's own kinds, too.
	utilruntime.Must(v1alpha1.AddToScheme(scheme.Scheme))
}

const operatorPath = "platform/registries/company"

// startOperatorRun starts what the operator needs; the API server with the flags given.
func startOperatorRun(t *testing.T, flags ...string) *operatorRun {
	t.Helper()
	return startOperatorRunWith(t, box.VaultOptions{}, flags...)
}

func startOperatorRunWith(t *testing.T, vault box.VaultOptions, flags ...string) *operatorRun {
	t.Helper()
	r := newOperatorRun(t, startInstallation(t, flags...), vault)
	r.createConnection(t)
	return r
}

// newOperatorRun prepares the operator's program for an installation, with a token for Vault and without a VaultConnection.
func newOperatorRun(t *testing.T, c *installation, vault box.VaultOptions) *operatorRun {
	t.Helper()
	r := &operatorRun{
		installation: c, vault: box.VaultForTest(t, vault), registry: box.RegistryForTest(t, box.RegistryOptions{}),
		logs: filepath.Join(t.TempDir(), "log"),
	}
	var err error
	if r.binary, err = operatorProgram(); err != nil {
		t.Fatal(err)
	}
	r.kubeconfig = writeKubeconfig(t, r.withToken(t))
	r.storeVaultToken(t)
	t.Cleanup(func() { r.kill(t) })
	return r
}

// storeVaultToken lets the operator log in at Vault with a token from a Secret.
func (r *operatorRun) storeVaultToken(t *testing.T) {
	t.Helper()
	if err := r.vault.Policy(t.Context(), "regcred", policyOfRuns); err != nil {
		t.Fatal(err)
	}
	token, err := r.vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"regcred"}, TTL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	secret := vaultAuthSecret("vault-token", map[string]string{"token": token.Auth.ClientToken})
	secret.Namespace = r.home
	if err := r.admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// start runs the operator until kill.
func (r *operatorRun) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(r.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.process = exec.Command(r.binary, "--namespace", r.home, "--metrics-bind-address=0", "--health-probe-bind-address=0",
		"--allow-loopback-registries", "--insecure-registries="+r.registry.Basic)
	r.process.Args = append(r.process.Args, r.flags...)
	r.process.Env = append(append(os.Environ(), "KUBECONFIG="+r.kubeconfig), r.env...)
	r.process.Stdout, r.process.Stderr = log, log
	if r.ended, err = box.Start(r.process); err != nil {
		t.Fatal(err)
	}
}

// kill ends the operator as a failing node does: without a word.
func (r *operatorRun) kill(t *testing.T) {
	if r.process == nil {
		return
	}
	if err := r.process.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = r.ended() // it was killed: its error says so
	r.process = nil
	if t.Failed() {
		if log, err := os.ReadFile(r.logs); err == nil {
			t.Logf("the operator's log ends with:\n%s", lastLines(string(log), 30))
		}
	}
}

// rotate changes the password at the registry and in Vault.
func (r *operatorRun) rotate(t *testing.T, password string) {
	t.Helper()
	if err := r.registry.SetUser(t.Context(), box.User{Name: "robot", Password: password, Pull: []string{""}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.vault.WriteKV2(t.Context(), "secret", operatorPath, map[string]any{"username": "robot", "password": password}); err != nil {
		t.Fatal(err)
	}
}

// allHold reports whether the Secrets of all namespaces hold a password, and all ServiceAccounts name them once.
func (r *operatorRun) allHold(ctx context.Context, namespaces []string, password string) error {
	for _, namespace := range namespaces {
		var secret corev1.Secret
		if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
			return err
		}
		config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
		if err != nil {
			return err
		}
		if len(config) != 1 || config[r.registry.Basic].Password() != password {
			return fmt.Errorf("the Secret of %s is stale", namespace)
		}
		var account corev1.ServiceAccount
		if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
			return err
		}
		if len(account.ImagePullSecrets) != 2 || account.ImagePullSecrets[0].Name != "of-others" || account.ImagePullSecrets[1].Name != "regcred" {
			return fmt.Errorf("the ServiceAccount of %s names %v", namespace, account.ImagePullSecrets)
		}
	}
	return nil
}

func (r *operatorRun) makeNamespaces(t *testing.T, count int) []string {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	namespaces := make([]string, count)
	for i := range namespaces {
		namespaces[i] = fmt.Sprintf("team-%02d", i)
		group.Go(func() error { return r.makeNamespace(t.Context(), namespaces[i]) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return namespaces
}

func (r *operatorRun) makeNamespace(ctx context.Context, name string) error {
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"served": "yes"}}},
		&corev1.ServiceAccount{
			ObjectMeta:       metav1.ObjectMeta{Namespace: name, Name: "default"},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "of-others"}},
		},
	} {
		if err := r.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (r *operatorRun) applyCredential(t *testing.T) {
	t.Helper()
	r.applyCredentialWith(t, func(*v1alpha1.RegistryCredentialSpec) {})
}

// applyCredentialWith creates the RegistryCredential of these tests, changed by change. What is published is tested again every
// 30 s, the shortest period.
func (r *operatorRun) applyCredentialWith(t *testing.T, change func(*v1alpha1.RegistryCredentialSpec)) {
	t.Helper()
	period, again := int32(5), int32(30)
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "company"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(r.registry.Basic)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: operatorPath}},
			RefreshPeriodSeconds: &period,
			Verification:         &v1alpha1.Verification{PeriodSeconds: &again},
			Target:               v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"served": "yes"}}},
		},
	}
	change(&object.Spec)
	if err := r.admin.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// TestKilledAtAnyMomentTheOperatorEndsInTheSameState kills the operator at four random moments of a rotation, and then sees that a
// quiet minute passes without a write. It alone has the real program die, with a test at the real registry under way. A death at each
// write in turn is in TestDeliveryWithFaults, and one at each step of a decision in the model of internal/rotation.
func TestKilledAtAnyMomentTheOperatorEndsInTheSameState(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 12)
	r.rotate(t, "password-0")
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Verification = nil })
	awaitAPI(t, "all namespaces are served", func() error { return r.allHold(t.Context(), namespaces, "password-0") })
	uids := r.secretUIDs(t, namespaces)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 4 {
		password := fmt.Sprintf("password-%d", i+1)
		r.kill(t)
		r.rotate(t, password)
		r.start(t)
		moment := time.Duration(200+325*i+random.IntN(325)) * time.Millisecond
		<-time.After(moment) // the moment of the crash is what this test varies
		r.kill(t)
		r.start(t)
		// A crash in the middle of a test at the registry counts as a test: the next one waits for 30 s.
		awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, password) })
	}
	for namespace, uid := range r.secretUIDs(t, namespaces) {
		if uid != uids[namespace] {
			t.Errorf("the Secret of %s was recreated", namespace)
		}
	}
	// The password before is tested once the new one is everywhere, and dropped when it is refused: with that the rotation ends.
	awaitWithin(t, 2*time.Minute, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused))
	r.quietMinute(t)
}

func awaitWithin(t *testing.T, limit time.Duration, condition func(context.Context) error) {
	t.Helper()
	if err := scenario.Await(t.Context(), limit, condition); err != nil {
		t.Fatal(err)
	}
}

func (r *operatorRun) secretUIDs(t *testing.T, namespaces []string) map[string]types.UID {
	t.Helper()
	uids := map[string]types.UID{}
	for _, namespace := range namespaces {
		var secret corev1.Secret
		if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
			t.Fatal(err)
		}
		if _, ok := pullsecret.SourcesOf(secret.Annotations)["company"]; !ok {
			t.Errorf("the Secret of %s does not record its source", namespace)
		}
		uids[namespace] = secret.UID
	}
	return uids
}

// quietMinute counts the writes that the API server took in a minute, by its own metrics. The lease is left out: this operator
// runs without one.
func (r *operatorRun) quietMinute(t *testing.T) {
	t.Helper()
	awaitAPI(t, "the status says Ready", func() error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
			return err
		}
		for _, c := range object.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions: %v", object.Status.Conditions)
	})
	<-time.After(3 * time.Second) // events are sent a moment later
	before := r.writes(t)
	<-time.After(time.Minute) // the minute is what is measured
	after := r.writes(t)
	for series, count := range after {
		if count != before[series] {
			t.Errorf("in a quiet minute %s went from %s to %s", series, before[series], count)
		}
	}
}

// writes are the API server's counters of requests that write, without those that write nothing that is kept.
func (r *operatorRun) writes(t *testing.T) map[string]string {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(r.config)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]string{}
	for line := range strings.Lines(string(metrics)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") || !strings.Contains(line, `group="`) {
			continue
		}
		writes := strings.Contains(line, `verb="POST"`) || strings.Contains(line, `verb="PUT"`) || strings.Contains(line, `verb="PATCH"`) ||
			strings.Contains(line, `verb="APPLY"`) || strings.Contains(line, `verb="DELETE"`)
		// Dry runs ask whether the admission policies stand. Of a deletion the metric does not say that it is one: theirs is of a pod that
		// is not there.
		dry := strings.Contains(line, `dry_run="All"`) || strings.Contains(line, `code="404"`) && strings.Contains(line, `resource="pods"`) && strings.Contains(line, `verb="DELETE"`)
		// The API server renews its own lease, and reviews are questions.
		if writes && !dry && !strings.Contains(line, `resource="leases"`) && !strings.Contains(line, "reviews\"") {
			series, count, _ := strings.Cut(line, "} ")
			counts[series] = count
		}
	}
	if len(counts) == 0 {
		t.Fatal("the API server's metrics name no write at all: the count proves nothing")
	}
	return counts
}

func writeKubeconfig(t *testing.T, config *rest.Config) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "operator.kubeconfig")
	kubeconfig := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: withScheme(config.Host), CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}
	if err := clientcmd.WriteToFile(kubeconfig, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func withScheme(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return "https://" + host
	}
	return host
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
