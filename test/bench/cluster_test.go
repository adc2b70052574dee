// Package bench measures the operator's own program on a real API server and etcd, beside a real Vault. There is no node: nothing here
// pulls an image. What a plain client needs for the same writes in the same run is the floor, so that ratios mean something on any
// machine.
package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/box/apiserver"
)

const (
	system     = "regcred-system"
	secretName = v1alpha1.DefaultSecretName
	// makers are the requests that are under way at once while a cluster is filled.
	makers = 32
)

func init() { utilruntime.Must(v1alpha1.AddToScheme(scheme.Scheme)) }

// cluster is an API server with regcred's manifests, and a Vault.
type cluster struct {
	config     *rest.Config
	admin      client.WithWatch
	plain      *kubernetes.Clientset
	kubeconfig string
	operator   string // kubeconfig of the operator
	vault      *box.Vault
}

// startCluster ends with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	environment := &envtest.Environment{}
	environment.ControlPlane.GetAPIServer().Configure().Set("authorization-mode", "RBAC")
	config, stop, err := apiserver.Start(environment)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	must(t, err)
	config.QPS = -1
	c := &cluster{config: config, kubeconfig: filepath.Join(t.TempDir(), "admin"), operator: filepath.Join(t.TempDir(), "operator")}
	c.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme})
	must(t, err)
	c.plain = plainClient(t, config)
	must(t, os.WriteFile(c.kubeconfig, environment.KubeConfig, 0o600))
	c.install(t)
	c.vault = box.VaultForTest(t, box.VaultOptions{})
	c.connect(t)
	return c
}

// plainClient speaks protobuf, as the operator does for what is built in.
func plainClient(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	config = rest.CopyConfig(config)
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	plain, err := kubernetes.NewForConfig(config)
	must(t, err)
	return plain
}

func (c *cluster) install(t *testing.T) {
	t.Helper()
	assets, err := box.Assets()
	must(t, err)
	apply := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), "--kubeconfig", c.kubeconfig, "--cache-dir", t.TempDir(),
		"apply", "-k", filepath.Join("..", "..", "config", "default"))
	if output, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("install regcred: %v: %s", err, output)
	}
	account, request := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "regcred"}}, &authenticationv1.TokenRequest{}
	must(t, c.admin.SubResource("token").Create(t.Context(), account, request))
	host := c.config.Host
	if _, _, err := net.SplitHostPort(host); err == nil {
		host = "https://" + host
	}
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: host, CertificateAuthorityData: c.config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: request.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, c.operator))
}

// connect lets the operator log in at Vault.
func (c *cluster) connect(t *testing.T) {
	t.Helper()
	must(t, c.vault.Policy(t.Context(), "regcred", `path "secret/data/*" { capabilities = ["read"] }`))
	token, err := c.vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"regcred"}, TTL: "2h"})
	must(t, err)
	must(t, c.admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "vault-token", Labels: map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}},
		StringData: map[string]string{"token": token.Auth.ClientToken},
	}))
	must(t, c.admin.Create(t.Context(), &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConnection},
		Spec: v1alpha1.VaultConnectionSpec{
			Address: c.vault.Address,
			Auth:    v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-token", Key: "token"}}},
		},
	}))
}

// makeNamespaces makes namespaces that all RegistryCredentials select, and returns their names.
func (c *cluster) makeNamespaces(t *testing.T, prefix string, count int) []string {
	t.Helper()
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	must(t, forAll(t.Context(), makers, len(names), func(ctx context.Context, i int) error { return c.makeNamespace(ctx, names[i]) }))
	return names
}

func (c *cluster) makeNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"served": "yes"}}}
	if _, err := c.plain.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}
	_, err := c.plain.CoreV1().ServiceAccounts(name).Create(ctx, account, metav1.CreateOptions{})
	return err
}

// makeForeign makes Secrets of 1 KB, and running Pods in these namespaces, that are none of the operator's business.
func (c *cluster) makeForeign(t *testing.T, namespaces []string) {
	t.Helper()
	must(t, forAll(t.Context(), makers, foreignSecrets, func(ctx context.Context, i int) error {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("foreign-%06d", i)},
			Data:       map[string][]byte{"x": []byte(strings.Repeat("x", 1000))},
		}
		_, err := c.plain.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, metav1.CreateOptions{})
		return err
	}))
	must(t, forAll(t.Context(), makers, foreignPods, func(ctx context.Context, i int) error {
		return c.makeRunningPod(ctx, namespaces[i%len(namespaces)], fmt.Sprintf("foreign-%06d", i))
	}))
}

// makeRunningPod makes a Pod of a registry that no RegistryCredential is for.
func (c *cluster) makeRunningPod(ctx context.Context, namespace, name string) error {
	const image = "other.example.org/team/app:1"
	pods := c.plain.CoreV1().Pods(namespace)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{NodeName: "none", Containers: []corev1.Container{{Name: "app", Image: image}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	pod.Status = corev1.PodStatus{
		Phase:             corev1.PodRunning,
		ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Image: image, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
	}
	_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// makeCredentials makes RegistryCredentials that all write into one Secret of each namespace.
func (c *cluster) makeCredentials(t *testing.T, count int) {
	t.Helper()
	for i := range count {
		c.setPassword(t, i, "password-0")
		period := int32(3600)
		must(t, c.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
			ObjectMeta: metav1.ObjectMeta{Name: credentialName(i)},
			Spec: v1alpha1.RegistryCredentialSpec{
				Registries:           []v1alpha1.Registry{v1alpha1.Registry(credentialName(i) + ".example.com")},
				Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: credentialName(i)}},
				RefreshPeriodSeconds: &period,
				Verification:         &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled},
				Target:               v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"served": "yes"}}},
			},
		}))
	}
}

func credentialName(i int) string { return fmt.Sprintf("company-%02d", i) }

// setPassword writes the password of a RegistryCredential to Vault.
func (c *cluster) setPassword(t *testing.T, credential int, password string) {
	t.Helper()
	_, err := c.vault.WriteKV2(t.Context(), "secret", credentialName(credential), map[string]any{"username": "robot", "password": password})
	must(t, err)
}

// forAll does something for each number, as many at once as there are workers.
func forAll(ctx context.Context, workers, count int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// await waits until a condition holds.
func await(t *testing.T, within time.Duration, condition func() error) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
