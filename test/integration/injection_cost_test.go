package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// costPods are created for each row, costPace apart: a thousand a minute.
	costPods, costPace = 150, 60 * time.Millisecond
)

func costRows() []costs {
	elsewhere := func(int) v1alpha1.Target { return v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"elsewhere"}} }
	byName := func(t v1alpha1.Target) v1alpha1.Target { t.Attach = v1alpha1.AttachPods; return t }
	byLabel := func(i int) v1alpha1.Target {
		return v1alpha1.Target{Attach: v1alpha1.AttachPods, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint(i)}}}
	}
	return []costs{
		{"no policy", 0, nil},
		{"1, which selects the namespace by label", 1, byLabel},
		{"100 with `attach: ServiceAccounts`", 100, elsewhere},
		{"100 that name other namespaces", 100, func(i int) v1alpha1.Target { return byName(elsewhere(i)) }},
		{"100 that select by label, of which one selects the namespace", 100, byLabel},
		{"1,000 that select by label, of which one selects the namespace", 1000, byLabel},
	}
}

// TestWhatTheInjectionPolicyCosts measures how long the creation of a pod takes, and writes it into docs/attach.md.
func TestWhatTheInjectionPolicyCosts(t *testing.T) {
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Skip("it measures for minutes: run it alone on a quiet machine, with UPDATE_DOCS=1")
	}
	rig := &injectionRig{startAPIServer(t)}
	rig.kubectl(t, "apply", "-k", writeOverlay(t, "resources: [DEFAULT]"))
	rig.kubectl(t, "wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev")
	vaultMust(t, rig.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "measured", Labels: map[string]string{"team": "0"}}}))
	table := "| RegistryCredentials | a pod takes | p99 |\n|---|---|---|\n"
	var base time.Duration
	for i, row := range costRows() {
		if i == 1 {
			rig.kubectl(t, "apply", "-k", writeOverlay(t, injectionOverlay))
		}
		rig.stock(t, row)
		took := rig.createPods(t)
		median, worst := took[len(took)/2], took[len(took)*99/100]
		if i == 0 {
			base = median
		}
		t.Logf("%s: median %s, p99 %s", row.name, median, worst)
		table += fmt.Sprintf("| %s | %.1f ms (%+.1f) | %.1f ms |\n", row.name, ms(median), ms(median-base), ms(worst))
	}
	t.Log("\n" + table)
	writeCosts(t, fmt.Sprintf("Creations of a small pod, a thousand a minute, on a machine with %d cores that runs the API server, etcd and the client; in brackets what is more than\nwithout the policy:\n\n%s", runtime.NumCPU(), table))
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
			return rig.admin.Create(t.Context(), object)
		})
	}
	vaultMust(t, group.Wait())
	want := []string{"own"}
	if row.count > 0 && row.make(0).NamespaceSelector != nil {
		want = append(want, "regcred")
	}
	rig.gets(t, "measured", plainPod("own"), want...)
}

func (rig *injectionRig) createPods(t *testing.T) []time.Duration {
	t.Helper()
	pace := time.NewTicker(costPace)
	defer pace.Stop()
	var took []time.Duration
	for range costPods {
		<-pace.C
		pod := plainPod("own")
		pod.Namespace = "measured"
		began := time.Now()
		vaultMust(t, rig.admin.Create(t.Context(), pod))
		took = append(took, time.Since(began))
	}
	vaultMust(t, rig.admin.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace("measured"), client.GracePeriodSeconds(0)))
	slices.Sort(took)
	return took
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
