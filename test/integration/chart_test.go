package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
)

// chartRun is an API server in which the chart is installed by Helm itself.
type chartRun struct {
	*installation
	release string
}

func (c *chartRun) helm(t *testing.T, values string, arguments ...string) error {
	t.Helper()
	program, err := box.Helm()
	if err != nil {
		t.Fatal(err)
	}
	arguments = append(arguments, "--kubeconfig", c.kubeconfig, "--namespace", c.home)
	if values != "" {
		arguments = append(arguments, "--values", "-")
	}
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Stdin = strings.NewReader(values)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

// TestTheChartUnderAnyName installs the chart by Helm in a real API server, lets the operator's own program run with the rights, flags and
// policies that it got, and sees it deliver. Then the release is uninstalled.
func TestTheChartUnderAnyName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, release, home, account, secret, values string }{
		{"with the names as shipped", "regcred", operatorNamespace, operatorName, "regcred", ""},
		{"with another release, namespace, ServiceAccount and Secret", "platform-creds", "platform", "delivery", "pull", `
serviceAccount: {name: delivery}
secretNames: [pull]
vault: {serviceAccountNames: [vault-login], audiences: [vault.company.io]}
`},
		{"with names that YAML reads as numbers", "1e3", "123", "456", "789", `
serviceAccount: {name: "456"}
secretNames: ["789"]
vault: {serviceAccountNames: ["0x1"], audiences: ["1.0"]}
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &chartRun{installation: startAPIServer(t), release: test.release}
			c.home, c.account = test.home, test.account
			values := "image: {repository: registry.company.io/regcred, tag: v1}\n" + test.values
			install := []string{"install", c.release, filepath.Join("..", "..", "charts", "regcred"), "--create-namespace"}
			early := "\nvaultConnections: {default: {address: 'https://vault:8200', auth: {token: {secret: {name: vault-token, key: token}}}}}\n"
			if err := c.helm(t, values+early, install...); err == nil || !strings.Contains(err.Error(), "install it without them first") {
				t.Fatalf("connections are installed together with their CRD: %v", err)
			}
			vaultMust(t, c.helm(t, values, install...))
			r := newOperatorRun(t, c.installation, box.VaultOptions{})
			namespaces := r.makeNamespaces(t, 1)
			r.rotate(t, "password")
			upgrade := []string{"upgrade", c.release, filepath.Join("..", "..", "charts", "regcred")}
			vaultMust(t, c.helm(t, values+chartObjects(r, test.secret), upgrade...))
			r.flags = c.operatorArguments(t)
			r.start(t)
			delivered := client.ObjectKey{Namespace: namespaces[0], Name: test.secret}
			awaitAPI(t, "the Secret is delivered", func() error { return r.holds(t, delivered, "password") })
			c.standsBounded(t, r, delivered)
			r.kill(t)
			vaultMust(t, c.helm(t, "", "uninstall", c.release))
			vaultMust(t, r.holds(t, delivered, "password"))
			if err := r.admin.List(t.Context(), &v1alpha1.RegistryCredentialList{}); err != nil {
				t.Errorf("the CRDs went with the release: %v", err)
			}
		})
	}
}

// chartObjects are a VaultConnection and a RegistryCredential as values of the chart.
func chartObjects(r *operatorRun, secret string) string {
	return fmt.Sprintf(`
vaultConnections:
  default: {address: %q, auth: {token: {secret: {name: vault-token, key: token}}}}
registryCredentials:
  company:
    registries: [%q]
    source: {vault: {mount: secret, path: %s}}
    target: {secretName: %q, namespaceSelector: {matchLabels: {served: "yes"}}}
`, r.vault.Address, r.registry.Basic, operatorPath, secret)
}

// operatorArguments are those of the Deployment, as the kubelet would pass them, without addresses to listen on.
func (c *chartRun) operatorArguments(t *testing.T) []string {
	t.Helper()
	var deployment appsv1.Deployment
	vaultMust(t, c.admin.Get(t.Context(), client.ObjectKey{Namespace: c.home, Name: "regcred"}, &deployment))
	container := deployment.Spec.Template.Spec.Containers[0]
	var environment []string
	for _, variable := range container.Env {
		environment = append(environment, "$("+variable.Name+")", variable.Value)
	}
	var arguments []string
	for _, argument := range container.Args {
		if !strings.Contains(argument, "bind-address") {
			arguments = append(arguments, strings.NewReplacer(environment...).Replace(argument))
		}
	}
	if len(arguments) < 4 {
		t.Fatalf("the Deployment has the arguments %q", container.Args)
	}
	return arguments
}

func (r *operatorRun) holds(t *testing.T, key client.ObjectKey, password string) error {
	t.Helper()
	var secret corev1.Secret
	if err := r.admin.Get(t.Context(), key, &secret); err != nil {
		return err
	}
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return err
	}
	if config[r.registry.Basic].Password() != password {
		return errors.New("the Secret holds another password")
	}
	return nil
}

// standsBounded fails where the operator does not find its policies, or where one of them lets its own identity pass.
func (c *chartRun) standsBounded(t *testing.T, r *operatorRun, delivered client.ObjectKey) {
	t.Helper()
	var connection v1alpha1.VaultConnection
	vaultMust(t, c.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection))
	if found := meta.FindStatusCondition(connection.Status.Conditions, v1alpha1.ConditionUnfenced); found != nil {
		t.Errorf("the operator is not bounded: %s", found.Message)
	}
	log, err := os.ReadFile(r.logs)
	vaultMust(t, err)
	if !strings.Contains(string(log), "The admission policies that limit the operator are in effect") {
		t.Error("the operator did not look for its policies")
	}
	if !strings.Contains(string(log), "regcred starts") || !strings.Contains(string(log), `"kubernetes":"v1.`) {
		t.Error("the log does not say which versions run")
	}
	thief, err := client.New(c.withToken(t), client.Options{Scheme: scheme.Scheme})
	vaultMust(t, err)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: delivered.Namespace, Name: delivered.Name}}
	err = thief.Patch(t.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(`{"immutable":true}`)))
	if err == nil || !strings.Contains(err.Error(), "regcred-secrets") {
		t.Errorf("its own Secret made immutable: %v", err)
	}
	secret.Name = "another"
	if err = thief.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("a read of another Secret: %v", err)
	}
}
