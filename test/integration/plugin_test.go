package integration

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
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
	r.start(t)
	r.applyCredential(t)
	awaitAPI(t, "two namespaces are served", func() error { return r.allHold(t.Context(), namespaces[:2], "first") })
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	for user, role := range map[string]string{"viewer": "regcred-viewer", "editor": "regcred-credential-editor", "tenant": "view"} {
		r.bind(t, user, role)
	}
	t.Run("refresh", func(t *testing.T) { testPluginRefresh(t, r, p, namespaces) })
	t.Run("status", func(t *testing.T) { testPluginStatus(t, p) })
	t.Run("watch", func(t *testing.T) { testPluginWatch(t, r, p) })
}

func testPluginRefresh(t *testing.T, r *operatorRun, p *plugin, namespaces []string) {
	p.fails(t, 1, "regcred-credential-editor", "refresh", "company", "--as", "viewer")
	p.fails(t, 1, "regcred-viewer", "refresh", "company", "--as", "tenant")
	p.fails(t, 2, "app.kubernetes.io/managed-by", "refresh", "company", "--wait")
	if err := r.admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[2], Name: v1alpha1.DefaultSecretName}}); err != nil {
		t.Fatal(err)
	}
	awaitAPI(t, "all namespaces are served", func() error { return r.allHold(t.Context(), namespaces, "first") })

	r.rotate(t, "second")
	out, _, code := p.says(t, "refresh", "company", "--wait", "--as", "editor")
	if code != 0 || !strings.Contains(out, "took the place of") {
		t.Errorf("it exits with %d", code)
	}
	if err := r.allHold(t.Context(), namespaces, "second"); err != nil {
		t.Errorf("when refresh has ended, %v", err)
	}
	out, _, code = p.says(t, "refresh", "company", "--wait", "-o", "json")
	var ended struct{ Stage, Revision, RevisionBefore string }
	if err := json.Unmarshal([]byte(out), &ended); err != nil || code != 0 || ended.Stage != "Delivered" || ended.Revision != ended.RevisionBefore || ended.Revision == "" {
		t.Errorf("%v, exit %d: %+v", err, code, ended)
	}
	if _, _, code := p.says(t, "refresh", "company"); code != 0 {
		t.Errorf("without --wait it exits with %d", code)
	}
	r.setVault(t, "wrong")
	p.fails(t, 2, "Rejected", "refresh", "company", "--wait")
	r.setVault(t, "second")
	p.fails(t, 3, "not done within 1ms", "refresh", "company", "--wait", "--timeout", "1ms")
	if _, _, code := p.says(t, "refresh", "company", "--wait"); code != 0 {
		t.Errorf("after the wrong value was corrected it exits with %d", code)
	}
}

func testPluginStatus(t *testing.T, p *plugin) {
	begun := time.Now()
	if out, _, _ := p.says(t, "status"); !strings.Contains(out, "company") || !strings.Contains(out, "3 of 3") {
		t.Error("the table lacks the RegistryCredential")
	}
	t.Logf("status took %s", time.Since(begun))
	out, _, code := p.says(t, "status", "company", "--as", "viewer")
	for _, words := range []string{"RegistryCredential company: ready", "Before:", "Revoke it:", "RotationComplete", "3 of 3 have the value", "You may not read events"} {
		if !strings.Contains(out, words) || code != 0 {
			t.Errorf("exit %d, and %q is missing", code, words)
		}
	}
	if out, _, _ := p.says(t, "status", "company"); !strings.Contains(out, "Published") || strings.Contains(out, "Note:") {
		t.Error("the events are missing")
	}
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

// testPluginWatch sees that a rotation is shown while it happens.
func testPluginWatch(t *testing.T, r *operatorRun, p *plugin) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	command := exec.CommandContext(ctx, p.path, "--kubeconfig", p.kubeconfig, "status", "-w", "-o", "wide")
	var shown buffer
	command.Stdout = &shown
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	before := r.credential(t).Status.Credential.Revision
	awaitWithin(t, 20*time.Second, shown.holds(before))
	r.rotate(t, "third")
	r.requestRefresh(t, "for the watch")
	var after string
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		after = r.credential(t).Status.Credential.Revision
		return notYet(after != before)
	})
	awaitWithin(t, 20*time.Second, shown.holds(after))
	stop()
	_ = command.Wait()
}
