package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// costs is a row of the table in docs/attach.md: pods are created at a pace while there are so many RegistryCredentials.
type costs struct {
	name  string
	count int
	make  func(i int) v1alpha1.Target
}

const (
	// costBlocks of costPods are created for each row where the policy is bound, and as many where it is not, by turns, costPace apart: a
	// thousand a minute. A thousand of each way give a p99 that one slow creation does not decide.
	costBlocks, costPods, costPace = 10, 100, 60 * time.Millisecond
	// outsideLabel is on the namespace whose pods the policy leaves alone while it is measured.
	outsideLabel = "outside"
)

// costOverlay is the policy as shipped, bound to all namespaces but one, with which the others are compared.
const costOverlay = `
namespace: regcred-system
resources: [DEFAULT, INJECTION]
transformers: [REPLACEMENTS]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "*"}
- target: {kind: MutatingAdmissionPolicyBinding, name: regcred-injection}
  patch: |
    - op: add
      path: /spec/matchResources
      value: {namespaceSelector: {matchExpressions: [{key: ` + outsideLabel + `, operator: DoesNotExist}]}}`

func costRows() []costs {
	byLabel := func(i int) v1alpha1.Target {
		return v1alpha1.Target{Attach: v1alpha1.AttachPods, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint(i)}}}
	}
	ofItsOwn := func(i int) v1alpha1.Target {
		target := byLabel(i)
		if i > 0 {
			target.SecretName = fmt.Sprint("regcred-", i)
		}
		return target
	}
	return []costs{
		{"1, which selects the namespace by label", 1, byLabel},
		{"100 with `attach: ServiceAccounts`", 100, func(int) v1alpha1.Target { return v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"elsewhere"}} }},
		{"100 that select other namespaces by label", 100, func(i int) v1alpha1.Target { return byLabel(i + 1) }},
		{"100 that select by label, of which one selects the namespace", 100, byLabel},
		{"the same with a Secret for each", 100, ofItsOwn},
		{"1,000 that select by label, of which one selects the namespace", 1000, byLabel},
		{"the same with a Secret for each", 1000, ofItsOwn},
	}
}

// TestWhatTheInjectionPolicyCosts measures how long the creation of a pod takes, and writes it into docs/attach.md.
func TestWhatTheInjectionPolicyCosts(t *testing.T) {
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Skip("it measures for minutes: run it alone on a quiet machine, with UPDATE_DOCS=1")
	}
	load := loadAverage(t)
	rig := &injectionRig{startAPIServer(t)}
	rig.kubectl(t, "apply", "-k", writeOverlay(t, costOverlay))
	rig.keepIndex(t)
	for name, labels := range map[string]map[string]string{
		"measured": {"team": "0"}, "outside": {"team": "0", outsideLabel: "true"},
	} {
		vaultMust(t, rig.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}))
	}
	table := "| RegistryCredentials | CPU time, without and with | median | p99 |\n|---|---|---|---|\n"
	for _, row := range costRows() {
		rig.stock(t, row)
		without, with := rig.createPods(t)
		line := fmt.Sprintf("| %s | %s | %s | %s |\n", row.name,
			compared(without.cpu/(costBlocks*costPods), with.cpu/(costBlocks*costPods)), comparedAt(50, without, with), comparedAt(99, without, with))
		t.Log(line)
		table += line
	}
	writeCosts(t, fmt.Sprintf("%d creations of a small pod each way, a thousand a minute, on a machine with %d cores that runs the API server, etcd and the client. Its\n"+
		"load average was %s before, and %s at the end. Pods are created by turns where the policy is not bound and where it is. CPU time is what\n"+
		"the API server used for a pod; in brackets is what the policy adds:\n\n%s", costBlocks*costPods, runtime.NumCPU(), load, loadAverage(t), table))
}

// loadAverage is that of the last minute: on a busy machine p99 says nothing of the policy.
func loadAverage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	average, _, _ := strings.Cut(string(text), " ")
	return average
}

// spent is what creations of pods cost: how long each took, and the CPU time of the API server for all of them.
type spent struct {
	took []time.Duration
	cpu  time.Duration
}

// comparedAt shows a percentile of two measurements.
func comparedAt(percent int, without, with spent) string {
	at := func(s spent) time.Duration { return s.took[len(s.took)*percent/100] }
	return compared(at(without), at(with))
}

func compared(without, with time.Duration) string {
	return fmt.Sprintf("%.1f, %.1f ms (%+.1f)", ms(without), ms(with), ms(with-without))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// stock replaces all RegistryCredentials by those of a row, and waits until the policy knows them.
func (rig *injectionRig) stock(t *testing.T, row costs) {
	t.Helper()
	vaultMust(t, rig.admin.DeleteAllOf(t.Context(), &v1alpha1.RegistryCredential{}))
	var group errgroup.Group
	group.SetLimit(32)
	for i := range row.count {
		group.Go(func() error {
			object := credentialObject()
			object.Name, object.Spec.DeletionPolicy, object.Spec.Target = fmt.Sprintf("measured-%04d", i), "", row.make(i)
			if err := rig.admin.Create(t.Context(), object); err != nil {
				return err
			}
			object.Status = costStatus()
			return rig.admin.Status().Update(t.Context(), object)
		})
	}
	vaultMust(t, group.Wait())
	awaitAPI(t, "the index has them", func() error {
		var index v1alpha1.InjectionIndex
		err := client.IgnoreNotFound(rig.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index))
		selectors, want := 0, row.count
		for _, secret := range index.Spec.Secrets {
			selectors += len(secret.Selectors)
		}
		if row.make(0).Attach != v1alpha1.AttachPods {
			want = 0
		}
		if err == nil && selectors != want {
			err = fmt.Errorf("it has %d selectors, want %d", selectors, want)
		}
		return err
	})
	want := []string{"own"}
	if selector := row.make(0).NamespaceSelector; selector != nil && selector.MatchLabels["team"] == "0" {
		want = append(want, "regcred")
	}
	rig.gets(t, "measured", plainPod("own"), want...)
}

// costStatus is as long as that of a RegistryCredential that is well: what is measured must not depend on it.
func costStatus() v1alpha1.RegistryCredentialStatus {
	var status v1alpha1.RegistryCredentialStatus
	for i := range 8 {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: fmt.Sprintf("Condition%d", i), Status: metav1.ConditionTrue, Reason: "AsItShouldBe", LastTransitionTime: metav1.Now(),
			Message: strings.Repeat("all is well ", 8),
		})
	}
	return status
}

// createPods measures creations of pods outside the policy's binding, and of those in it.
func (rig *injectionRig) createPods(t *testing.T) (without, with spent) {
	t.Helper()
	pace := time.NewTicker(costPace)
	defer pace.Stop()
	block := func(namespace string, s *spent) {
		before := rig.cpuTime(t)
		for range costPods {
			<-pace.C
			pod := plainPod("own")
			pod.Namespace = namespace
			began := time.Now()
			vaultMust(t, rig.admin.Create(t.Context(), pod))
			s.took = append(s.took, time.Since(began))
		}
		s.cpu += rig.cpuTime(t) - before
		vaultMust(t, rig.admin.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)))
	}
	for range costBlocks {
		block("outside", &without)
		block("measured", &with)
	}
	slices.Sort(without.took)
	slices.Sort(with.took)
	return without, with
}

var cpuSeconds = regexp.MustCompile(`(?m)^process_cpu_seconds_total ([0-9.e+]+)$`)

// cpuTime is the CPU time that the API server used since its start.
func (rig *injectionRig) cpuTime(t *testing.T) time.Duration {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(rig.config)
	vaultMust(t, err)
	metrics, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	vaultMust(t, err)
	found := cpuSeconds.FindSubmatch(metrics)
	if found == nil {
		t.Fatal("the API server's metrics have no process_cpu_seconds_total")
	}
	seconds, err := strconv.ParseFloat(string(found[1]), 64)
	vaultMust(t, err)
	return time.Duration(seconds * float64(time.Second))
}

func writeCosts(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "attach.md")
	between := regexp.MustCompile(`(?s)(<!-- cost: [^\n]*-->\n).*(<!-- end of cost -->)`)
	document := page(t, "docs/attach.md")
	if !between.MatchString(document) {
		t.Fatal("docs/attach.md has no place for the costs")
	}
	document = between.ReplaceAllString(document, "${1}\n"+strings.ReplaceAll(text, "$", "$$")+"\n${2}")
	vaultMust(t, os.WriteFile(path, []byte(document), 0o600))
}
