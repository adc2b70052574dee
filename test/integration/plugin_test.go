package integration

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestPlugin asks the plugin about a real operator that serves three namespaces, one of which has a Secret of somebody else.
func TestPlugin(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	r.flags = []string{"--leader-elect"}
	p := pluginOf(t, r.installation)
	p.fails(t, 1, "there is no RegistryCredential company", "status", "company")
	namespaces := r.makeNamespaces(t, 3)
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[2], Name: v1alpha1.DefaultSecretName, Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}}
	if err := r.admin.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	r.rotate(t, "first")
	// The ClusterRole view is empty here: a controller fills it that does not run.
	looks := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "looks-around"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces", "serviceaccounts"}, Verbs: []string{"get", "list"}}}}
	if err := r.admin.Create(t.Context(), looks); err != nil {
		t.Fatal(err)
	}
	r.bind(t, "viewer", "regcred-viewer", "registrycredentials")
	r.bind(t, "editor", "regcred-credential-editor", "registrycredentials")
	r.bind(t, "editor", looks.Name, "namespaces")
	r.bind(t, "tenant", looks.Name, "namespaces")
	r.start(t)
	r.applyCredential(t)
	awaitAPI(t, "two namespaces are served", func() error { return r.allHold(t.Context(), namespaces[:2], "first") })
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	t.Run("refresh", func(t *testing.T) { testPluginRefresh(t, r, p, namespaces) })
	t.Run("status", func(t *testing.T) { testPluginStatus(t, r, p) })
	t.Run("verify", func(t *testing.T) { testPluginVerify(t, r, p, namespaces) })
	t.Run("audit", func(t *testing.T) { testPluginAudit(t, r, p, namespaces) })
	t.Run("adopt", func(t *testing.T) { testPluginAdopt(t, r, p, namespaces) })
	t.Run("plan", func(t *testing.T) { testPluginPlan(t, r, p, namespaces) })
	t.Run("explain", func(t *testing.T) { testPluginExplain(t, r, p, namespaces) })
	t.Run("watch", func(t *testing.T) { testPluginWatch(t, r, p) })
	t.Run("doctor", func(t *testing.T) { testPluginDoctor(t, r, p) })
	documentedAll(t)
}

func testPluginRefresh(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	p.fails(t, 1, "regcred-credential-editor", "refresh", "company", "--as", "viewer")
	p.fails(t, 1, "regcred-viewer", "refresh", "company", "--as", "tenant")
	p.fails(t, 2, "1 cannot be served; the first, team-02: ForeignSecret", "refresh", "company", "--wait")
	if err := r.admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[2], Name: v1alpha1.DefaultSecretName}}); err != nil {
		t.Fatal(err)
	}
	awaitAPI(t, "all namespaces are served", func() error { return r.allHold(t.Context(), namespaces, "first") })

	r.rotate(t, "second")
	out, _, code := p.says(t, "refresh", "company", "--wait", "--as", "editor")
	if code != 0 || !strings.Contains(out, "took the place of") {
		t.Errorf("it exits with %d", code)
	}
	documented(t, "refresh company --wait", out)
	if err := r.allHold(t.Context(), namespaces, "second"); err != nil {
		t.Errorf("when refresh has ended, %v", err)
	}
	out, _, code = p.says(t, "refresh", "company", "--wait", "-o", "json")
	var ended struct{ Stage, Revision, RevisionBefore string }
	if err := json.Unmarshal([]byte(out), &ended); err != nil || code != 0 || ended.Stage != "Delivered" || ended.Revision != ended.RevisionBefore || ended.Revision == "" {
		t.Errorf("%v, exit %d: %+v", err, code, ended)
	}
	p.fails(t, 3, "not done within 1ms", "refresh", "company", "--wait", "--timeout", "1ms")
	if _, _, code := p.says(t, "refresh", "company"); code != 0 {
		t.Errorf("without --wait it exits with %d", code)
	}
	r.setVault(t, "wrong")
	out, complaint, code := p.says(t, "refresh", "company", "--wait", "--timeout", "1m")
	if code != 2 || !strings.Contains(complaint, "Rejected") {
		t.Errorf("with a wrong value it exits with %d", code)
	}
	documented(t, "refresh company --wait --timeout 1m", out+complaint)
	if _, err := r.vault.WriteKV2(t.Context(), "secret", operatorPath, map[string]any{"username": "robot"}); err != nil {
		t.Fatal(err)
	}
	p.fails(t, 2, "does not go on: KeyMissing: ", "refresh", "company", "--wait", "--timeout", "15s")
	p.fails(t, 2, "KeyMissing: ", "refresh", "company", "--wait", "--timeout", "1ms") // not "did not answer": what was wrong before still counts
	r.setVault(t, "second")
	if out, _, code := p.says(t, "refresh", "company", "--wait"); code != 0 || strings.Contains(out, "took the place of") {
		t.Errorf("after the wrong value was corrected it exits with %d", code)
	}
}

func testPluginStatus(t *testing.T, r *operatorRun, p *plugin) {
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused))
	out, _, code := p.says(t, "status")
	if code != 0 || !strings.Contains(out, "3 of 3") {
		t.Errorf("it exits with %d, and the table lacks the RegistryCredential", code)
	}
	documented(t, "status", out)
	out, _, code = p.says(t, "status", "company", "--as", "viewer")
	for _, words := range []string{"RegistryCredential company: ready", "Before:", "Old password:", "RotationComplete", "3 of 3 have the value", "You may not read events"} {
		if !strings.Contains(out, words) || code != 0 {
			t.Errorf("exit %d, and %q is missing", code, words)
		}
	}
	out, _, _ = p.says(t, "status", "company")
	if !strings.Contains(out, "Published") || strings.Contains(out, "Note:") {
		t.Error("the events are missing")
	}
	documented(t, "status company", out)
	p.fails(t, 1, "regcred-viewer", "status", "--as", "tenant")
	p.fails(t, 1, "there is no RegistryCredential other", "status", "other")
	for _, format := range []string{"json", "yaml"} {
		for _, arguments := range [][]string{{"status"}, {"status", "company"}} {
			out, _, code := p.says(t, append(arguments, "-o", format)...)
			if code != 0 || !strings.Contains(out, "revision") || strings.Contains(out, "second") {
				t.Errorf("%v -o %s exits with %d", arguments, format, code)
			}
		}
	}
	if out, _, _ := p.says(t, "__complete", "status", ""); !strings.HasPrefix(out, "company\n") {
		t.Error("names are not completed")
	}
}

// testPluginWatch sees that a rotation is shown while it happens: in the table, and of one in a line.
func testPluginWatch(t *testing.T, r *operatorRun, p *plugin) {
	table, one := p.follows(t, "status", "-w", "-o", "wide"), p.follows(t, "status", "company", "-w")
	before := r.credential(t).Status.Credential.Revision
	awaitWithin(t, 20*time.Second, table.holds(before))
	awaitWithin(t, 20*time.Second, one.holds("Changes"))
	r.rotate(t, "third")
	r.requestRefresh(t, "for the watch")
	var after string
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		after = r.credential(t).Status.Credential.Revision
		return notYet(after != before)
	})
	awaitWithin(t, 20*time.Second, table.holds(after))
	awaitWithin(t, 20*time.Second, one.holds("Value: "+before+" -> "+after))
}

// follows runs the plugin until the test ends, and returns what it prints.
func (p *plugin) follows(t *testing.T, arguments ...string) *buffer {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.path, append([]string{"--kubeconfig", p.kubeconfig}, arguments...)...)
	shown := &buffer{}
	command.Stdout = shown
	wait, err := box.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wait() }) // the context has ended by then
	return shown
}

// testPluginPlan asks what a changed object would do, and sees that nothing was written.
func testPluginPlan(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: v1alpha1.DefaultSecretName, Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}}
	if err := r.admin.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	before := r.credential(t)
	changed := v1alpha1.RegistryCredential{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RegistryCredential"},
		ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: *before.Spec.DeepCopy(),
	}
	write := func(change func(*v1alpha1.Target)) string {
		object := changed.DeepCopy()
		change(&object.Spec.Target)
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return writeManifest(t, string(text))
	}
	same := write(func(*v1alpha1.Target) {})
	if out, _, code := p.says(t, "plan", "-f", same); code != 0 || !strings.Contains(out, "is the same already, and its spec would not be changed: 3 Keep") {
		t.Errorf("nothing would change, and it exits with %d", code)
	}
	file := write(func(target *v1alpha1.Target) {
		target.Namespaces = []v1alpha1.NamespaceName{"default", "later"}
		target.ExcludedNamespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(namespaces[0])}
	})
	out, complaint, code := p.says(t, "plan", "-f", file)
	if code != 2 || !strings.Contains(out, "1 Remove, 1 Refuse, 1 Create, 2 Keep") {
		t.Errorf("it exits with %d", code)
	}
	documented(t, "plan -f company.yaml", out+complaint)
	if out, _, _ := p.says(t, "plan", "-f", file, "--as", "tenant"); out != "" {
		t.Error("a tenant is told what is planned")
	}
	if out, _, code := p.says(t, "plan", "-f", same, "--as", "editor"); code != 0 || !strings.Contains(out, "3 Unknown") || !strings.Contains(out, "you may not read Secret") {
		t.Errorf("who may not read Secrets is not told so; it exits with %d", code)
	}
	system := write(func(target *v1alpha1.Target) {
		target.Namespaces, target.SecretName = []v1alpha1.NamespaceName{"kube-system", v1alpha1.NamespaceName(r.home)}, "not-given"
	})
	if out, _, _ := p.says(t, "plan", "-f", system); !strings.Contains(out, "2 Refuse") || !strings.Contains(out, "Stalled: nothing would be delivered, because the operator was not given Secret not-given") {
		t.Error("protected namespaces and names that the operator may not write are not told")
	}
	p.fails(t, 1, "would refuse", "plan", "-f", write(func(target *v1alpha1.Target) { target.NamespaceSelector = nil }))
	p.fails(t, 1, "no RegistryCredential in it", "plan", "-f", writeManifest(t, "kind: ConfigMap\n"))
	if after := r.credential(t); after.Generation != before.Generation {
		t.Error("plan wrote the object")
	}
}

func testPluginDoctor(t *testing.T, r *operatorRun, p *plugin) {
	p.fails(t, 2, "problems", "doctor") // no pod runs where no kubelet does
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	deployment := &appsv1.Deployment{}
	if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: r.home, Name: operatorName}, deployment); err != nil {
		t.Fatal(err)
	}
	deployment.Status.Replicas, deployment.Status.ReadyReplicas, deployment.Status.AvailableReplicas = 2, 2, 2
	if err := r.admin.Status().Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	out, _, code := p.says(t, "doctor")
	if code != 0 || strings.Contains(out, "Problem") || strings.Contains(out, "Unknown") {
		t.Errorf("where all is well it exits with %d", code)
	}
	documented(t, "doctor", out)
	if out, _, code := p.says(t, "doctor", "--as", "viewer"); code != 0 || strings.Count(out, "Unknown") < 4 || !strings.Contains(out, "you may not read ValidatingAdmissionPolicies") {
		t.Errorf("a viewer is not told what is not known; it exits with %d", code)
	}
	if out, _, code := p.says(t, "doctor", "--as", "tenant", "-o", "json"); code != 0 || !strings.Contains(out, "you may not list RegistryCredentials: status does not work") {
		t.Errorf("a tenant is not told which rights are missing; it exits with %d", code)
	}
	p.fails(t, 2, "problems", "doctor", "--operator-namespace", "default")
	testPluginBundle(t, r, p)
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "regcred-tokens"}}
	if err := r.admin.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "support.tar.gz")
	out, complaint, code := p.says(t, "doctor", "--support-bundle", file)
	if code != 2 {
		t.Errorf("without a binding it exits with %d", code)
	}
	documented(t, "doctor --support-bundle support.tar.gz", out+strings.ReplaceAll(complaint, file, "support.tar.gz"))
	r.kill(t)
	out, _, code = p.says(t, "doctor", "-o", "yaml")
	if code != 2 || !strings.Contains(out, "regcred-tokens has no binding that denies") {
		t.Errorf("without a binding it exits with %d", code)
	}
	awaitWithin(t, time.Minute, func(context.Context) error {
		out, _, _ := p.says(t, "doctor")
		return notYet(strings.Contains(out, "did not renew its lease"))
	})
}
