package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestQuickStart follows docs/quick-start.md command by command, and then docs/how-to/rotate.md and the pages of docs/migrate as far as they
// need no other tool. Of `make push` the chart alone is made; the operator runs with the rights and flags that Helm installed.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	c := &chartRun{installation: startAPIServer(t), release: "regcred"}
	c.home, c.account = operatorNamespace, operatorName
	server, registry := box.VaultForTest(t, box.VaultOptions{}), box.RegistryForTest(t, box.RegistryOptions{})
	start := newReader(t, c.installation, "docs/quick-start.md", server,
		"https://vault.company.io:8200", server.Address, "registry.company.io", registry.Basic)
	helm, err := box.Helm()
	vaultMust(t, err)
	chart, err := filepath.Abs(filepath.Join("..", "..", "charts", "regcred"))
	vaultMust(t, err)
	start.command(t, "helm", fmt.Sprintf("exec %s --kubeconfig %s \"$@\" --set image.repository=registry.company.io/regcred", helm, c.kubeconfig))
	start.command(t, "make", fmt.Sprintf("exec %s package %s --version 0.1.0 --destination dist >/dev/null", helm, chart))

	commands := blocks(page(t, start.page), "sh")[:5]
	if inReadme := blocks(page(t, "README.md"), "sh")[0]; inReadme != strings.Join(commands, "\n") {
		t.Error("the README has other commands than the quick start")
	}
	r := &operatorRun{installation: c.installation, vault: server, registry: registry}
	r.rotate(t, "first")
	for i, command := range commands {
		if i == 4 {
			makeTeams(t, c.installation, "shop-1")
		}
		start.do(t, command)
		if i == 1 {
			r = operatorOf(t, c, server, registry)
		}
	}
	awaitAPI(t, "the user of the VaultConnection is counted", func() error {
		var connection v1alpha1.VaultConnection
		if err := c.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection); err != nil {
			return err
		}
		return notYet(connection.Status.UsedBy != nil && *connection.Status.UsedBy == 1)
	})
	start.sees(t, "kubectl get registrycredentials,vaultconnections")
	start.sees(t, "kubectl get secrets,serviceaccounts -n shop-1 -o name")
	start.seenAll(t)
	t.Run("rotate", func(t *testing.T) { followRotation(t, r, start.at("docs/how-to/rotate.md")) })
	t.Run("migrate", func(t *testing.T) { followMigrations(t, r, start) })
}

// makeTeams makes namespaces as the pages take them for granted, with the ServiceAccount that a controller would add.
func makeTeams(t *testing.T, c *installation, names ...string) {
	t.Helper()
	for _, name := range names {
		vaultMust(t, c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "shop"}}}))
		vaultMust(t, c.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}))
	}
}

// followRotation changes the only password, and waits with the lines of the page. The last one ends when the registry refuses the old one, which
// it is asked 30 s after the last time: here it may give up before, and must not end too early.
func followRotation(t *testing.T, r *operatorRun, reader *reader) {
	r.rotate(t, "second")
	lines := blocks(section(t, page(t, reader.page), "## One password: change it and follow"), "sh")[0]
	lines, last, found := strings.Cut(lines, "kubectl wait registrycredential company-registry --for=condition=RotationComplete")
	if !found {
		t.Fatal("the page does not wait for RotationComplete")
	}
	reader.do(t, lines)
	ended := reader.do(t, "kubectl wait registrycredential company-registry --for=condition=RotationComplete"+
		strings.TrimSpace(strings.Replace(last, "15m", "2s", 1))+" || true")
	if err := r.holds(t, client.ObjectKey{Namespace: "shop-1", Name: "regcred"}, "second"); err != nil {
		t.Errorf("when the lines have ended: %v", err)
	}
	var object v1alpha1.RegistryCredential
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: "company-registry"}, &object))
	if before := object.Status.Previous; before == nil || strings.Contains(ended, "condition met") && before.Registry != "Rejected" {
		t.Errorf("the old password may still work: %+v, and the page says %q", before, ended)
	}
	shown := blocks(section(t, page(t, reader.page), "## See what happens"), "sh")[1]
	if said := reader.do(t, shown); !strings.Contains(said, "the value in use is ") {
		t.Errorf("the condition says %q", said)
	}
}

// migrations are the pages that take a Secret over from another tool, with the marks by which regcred knows its Secrets.
var migrations = []struct {
	page, tool          string
	labels, annotations map[string]string
}{
	{page: "external-secrets.md", tool: "External Secrets", labels: map[string]string{"reconcile.external-secrets.io/managed": "true"}},
	{page: "vault-secrets-operator.md", tool: "Vault Secrets Operator", labels: map[string]string{v1alpha1.ManagedByLabel: "hashicorp-vso"}},
	{page: "replicators.md", tool: "Reflector", annotations: map[string]string{"reflector.v1.k8s.emberstack.com/reflects": "infra/registry-creds"}},
	{page: "replicators.md", tool: "kubernetes-replicator", annotations: map[string]string{"replicator.v1.mittwald.de/replicated-by": "infra/registry-creds"}},
	{page: "replicators.md", tool: "imagepullsecret-patcher", annotations: map[string]string{v1alpha1.ManagedByLabel: "imagepullsecret-patcher"}},
	{page: "kyverno.md", tool: "Kyverno", labels: map[string]string{"generate.kyverno.io/policy-name": "sync-secret"}},
}

func followMigrations(t *testing.T, r *operatorRun, start *reader) {
	old := client.ObjectKey{Namespace: "shop-1", Name: "registry-creds"}
	for _, m := range migrations {
		t.Run(m.tool, func(t *testing.T) {
			reader := start.at("docs/migrate/" + m.page)
			r.forgetAll(t, old)
			vaultMust(t, r.admin.Create(t.Context(), &corev1.Secret{Type: corev1.SecretTypeDockerConfigJson,
				ObjectMeta: metav1.ObjectMeta{Namespace: old.Namespace, Name: old.Name, Labels: m.labels, Annotations: m.annotations},
				Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)}}))
			reader.apply(t, ownManifest(t, page(t, reader.page)))
			how := blocks(section(t, page(t, "docs/migrate/README.md"), "## Same name"), "sh")[0]
			reader.do(t, how) // the credential is proven
			awaitWithin(t, 20*time.Second, func(context.Context) error {
				said := reader.do(t, blocks(section(t, page(t, "docs/migrate/README.md"), "## See who owns what"), "sh")[1])
				return notYet(strings.Contains(said, "shop-1: ") && strings.Contains(said, m.tool))
			})
			for _, command := range blocks(page(t, reader.page), "sh") {
				reader.do(t, command)
			}
			awaitAPI(t, "regcred writes its own Secret", func() error { return r.holds(t, old, "second") })
		})
	}
	t.Run("hand-made", func(t *testing.T) { followHandMade(t, r, start.at("docs/migrate/hand-made.md"), old) })
}

// ownManifest is the first manifest of a page that is regcred's.
func ownManifest(t *testing.T, text string) string {
	t.Helper()
	for _, manifest := range blocks(text, "yaml") {
		if strings.Contains(manifest, "apiVersion: regcred.dev/v1alpha1") {
			return manifest
		}
	}
	t.Fatal("the page has no manifest")
	return ""
}

// forgetAll begins again: without the RegistryCredential and what it left under a name.
func (r *operatorRun) forgetAll(t *testing.T, left client.ObjectKey) {
	t.Helper()
	vaultMust(t, client.IgnoreNotFound(r.admin.Delete(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company-registry"}})))
	vaultMust(t, client.IgnoreNotFound(r.admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: left.Namespace, Name: left.Name}})))
}

// followHandMade takes over a Secret that kubectl made, in place.
func followHandMade(t *testing.T, r *operatorRun, reader *reader, old client.ObjectKey) {
	r.forgetAll(t, old)
	vaultMust(t, r.registry.SetUser(t.Context(), box.User{Name: "robot", Password: "example", Pull: []string{""}}))
	text := page(t, reader.page)
	reader.do(t, blocks(text, "sh")[0])
	var before, after corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), old, &before))
	reader.do(t, blocks(text, "sh")[1])
	reader.apply(t, ownManifest(t, text))
	said := reader.do(t, blocks(text, "sh")[3])
	if !strings.Contains(said, "registry-creds") {
		t.Errorf("the Secret is not listed as taken over: %s", said)
	}
	vaultMust(t, r.admin.Get(t.Context(), old, &after))
	if err := r.holds(t, old, "example"); err != nil || before.UID != after.UID {
		t.Errorf("%v; the Secret was %s and is %s", err, before.UID, after.UID)
	}
}
