package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"regcred.dev/regcred/test/box/apiserver"
)

const (
	operatorNamespace = "regcred-system"
	operatorName      = "regcred"
	operatorUser      = "system:serviceaccount:" + operatorNamespace + ":" + operatorName
)

// installation is a bare API server with the operator's objects applied to it: no controllers, no nodes.
type installation struct {
	config        *rest.Config
	admin         client.WithWatch
	kubeconfig    string
	home, account string // the operator's namespace and ServiceAccount
}

// startInstallation starts an API server for one test, with the flags given, and applies config/default as a person would. It stops
// with the test.
func startInstallation(t *testing.T, flags ...string) *installation {
	t.Helper()
	c := startAPIServer(t, flags...)
	if warnings := c.kubectl(t, "apply", "-k", configFolder("default")); warnings != "" {
		t.Fatalf("kubectl apply -k config/default warns: %s", warnings)
	}
	return c
}

// startAPIServer starts an API server without anything of the operator.
func startAPIServer(t *testing.T, flags ...string) *installation {
	t.Helper()
	kubectlPath(t)
	environment := &envtest.Environment{}
	arguments := environment.ControlPlane.GetAPIServer().Configure().Set("authorization-mode", "RBAC")
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, "=")
		arguments.Set(name, value)
	}
	config, stop, err := apiserver.Start(environment)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	config.QPS = -1
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return &installation{config: config, admin: newAPIClient(t, config), kubeconfig: kubeconfig, home: operatorNamespace, account: operatorName}
}

// kubectl runs a command as an administrator and returns what it says on standard error.
func (c *installation) kubectl(t *testing.T, arguments ...string) string {
	t.Helper()
	arguments = append([]string{"--kubeconfig", c.kubeconfig, "--cache-dir", t.TempDir()}, arguments...)
	_, warnings, err := runKubectl(t, arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(arguments, " "), err)
	}
	return warnings
}

func runKubectl(t *testing.T, arguments ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints strings.Builder
	command := exec.CommandContext(t.Context(), kubectlPath(t), arguments...)
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return "", "", fmt.Errorf("%w: %s", err, complaints.String())
	}
	return out.String(), complaints.String(), nil
}

func kubectlPath(t *testing.T) string {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: it names the folder that holds etcd, kube-apiserver and kubectl. Run these tests with `make test`.")
	}
	return filepath.Join(assets, "kubectl")
}

func configFolder(name string) string { return filepath.Join("..", "..", "config", name) }

func newAPIClient(t *testing.T, config *rest.Config) client.WithWatch {
	t.Helper()
	if config.UserAgent == "" { // what a test makes by hand bears the field manager of a person's client
		config = rest.CopyConfig(config)
		config.UserAgent = "kubectl/test"
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// impersonated is the operator's identity as an administrator can take it.
func (c *installation) impersonated() *rest.Config {
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: operatorUser, Groups: operatorGroups()}
	return config
}

func operatorGroups() []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace, "system:authenticated"}
}

// withToken is the operator's identity as its pod has it: by a token of its ServiceAccount.
func (c *installation) withToken(t *testing.T) *rest.Config {
	t.Helper()
	return c.withTokenOf(t, c.home, c.account)
}

// namespace makes a namespace that nobody else uses.
func (c *installation) namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}
	if err := c.admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// widen gives the operator every right there is, until the end of the test: what is refused then, the policies refuse.
func (c *installation) widen(t *testing.T) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "regcred-everything"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: operatorName}},
	}
	if err := c.admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.admin.Delete(context.Background(), binding); err != nil {
			t.Error(err)
		}
	})
}

// awaitAPI waits until a condition holds. The API server learns of roles and policies by watches of its own.
func awaitAPI(t *testing.T, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not so: %s: %v", what, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
