package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/test/box"
)

// asReader in the environment makes this test's program read what docs/vault.md writes, with the objects of the API server that the
// kubeconfig of this name leads to, and print it. It is a process of its own because clouds are found by the environment.
const (
	asReader = "REGCRED_TEST_READS_VAULT"
	// vaultOfReader is what --vault-addresses lists.
	vaultOfReader = "REGCRED_TEST_VAULT_ADDRESS"
)

func init() {
	kubeconfig := os.Getenv(asReader)
	if kubeconfig == "" {
		return
	}
	if err := printCredential(context.Background(), kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// readAsOperator reads the credential as the operator does in a pod that has the identity of one cloud.
func readAsOperator(t *testing.T, c *installation, server *box.Vault, cloud *box.Cloud, method string) string {
	t.Helper()
	program, err := os.Executable()
	vaultMust(t, err)
	var out, complaints bytes.Buffer
	reader := exec.CommandContext(t.Context(), program)
	reader.Stdout, reader.Stderr = &out, &complaints
	reader.Env = append(append(os.Environ(), cloud.Env()...), asReader+"="+c.kubeconfig, vaultOfReader+"="+server.Address)
	switch method {
	case "aws":
		reader.Env = append(reader.Env, cloud.AWS.WebIdentityEnv()...)
	case "gcp":
		reader.Env = append(reader.Env, cloud.GCP.Env()...)
	case "azure":
		reader.Env = append(reader.Env, cloud.Azure.Env()...)
	}
	if err := reader.Run(); err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	return out.String()
}

func printCredential(ctx context.Context, kubeconfig string) error {
	manager, err := managerOf(kubeconfig)
	if err != nil {
		return err
	}
	snapshot, err := manager.Read(ctx, source.Request{
		Registries: []v1alpha1.Registry{"registry.company.io"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/registries/company"}},
	})
	if err != nil {
		return errors.Join(err, manager.Close(ctx))
	}
	credential := snapshot.Config["registry.company.io"]
	fmt.Print(credential.Username() + ":" + credential.Password())
	return manager.Close(ctx)
}

// managerOf reads Vault as the operator does, with objects and tokens of the API server.
func managerOf(kubeconfig string) (*vault.Manager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(kinds), v1alpha1.AddToScheme(kinds)); err != nil {
		return nil, err
	}
	objects, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		return nil, err
	}
	return vault.New(vault.Options{
		AllowedAddresses: []string{os.Getenv(vaultOfReader)},
		Connection: func(ctx context.Context, name string) (*v1alpha1.VaultConnection, error) {
			var connection v1alpha1.VaultConnection
			return &connection, objects.Get(ctx, client.ObjectKey{Name: name}, &connection)
		},
		Secret: func(ctx context.Context, name string) (*corev1.Secret, error) {
			var secret corev1.Secret
			return &secret, objects.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, &secret)
		},
		ConfigMap: func(ctx context.Context, name, key string) ([]byte, error) {
			var configMap corev1.ConfigMap
			err := objects.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, &configMap)
			return []byte(configMap.Data[key]), err
		},
		RequestToken: func(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
			request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: new(int64(lifetime.Seconds()))}}
			answer, err := clientset.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
			if err != nil {
				return "", err
			}
			return answer.Status.Token, nil
		},
	})
}
