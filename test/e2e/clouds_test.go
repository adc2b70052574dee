package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	cloudConnection = "clouds"
	cloudPolicy     = `path "aws/sts/*" { capabilities = ["read"] }
path "azure/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }`
)

// TestPodsPullWithLoginsOfClouds has a real node pull under the hosts of Amazon ECR and of a registry of Azure, with what the operator made
// of keys that Vault's own engines gave. The clouds are stand-ins, the registry is the box's. The operator runs on the host, where the clouds
// are, as the installed ServiceAccount. A login at Amazon lasts for half a minute: what pulls later pulls with another one.
func TestPodsPullWithLoginsOfClouds(t *testing.T) {
	if os.Getenv("BOX_VAULT_BIN") == "" {
		t.Skip("this needs a Vault of its own, and the node of the box, which knows the hosts of clouds")
	}
	ctx := t.Context()
	cloud := box.CloudForTest(t)
	vault := box.VaultForTest(t, box.VaultOptions{Env: cloud.Env()})
	cloud.AWS.SetECRLife(30 * time.Second)
	must(t, cloud.Serve(ctx, s.Box.Registry))
	must(t, vault.MountAWS(ctx, cloud, box.AWSEngine{LeaseSeconds: 600, LeaseMaxSeconds: 1200}))
	must(t, vault.MountAzure(ctx, cloud, 600, 1200))
	connectClouds(t, vault)
	leaveToTheHost(t)
	runOnTheHost(t, cloud)
	for _, test := range []struct {
		name, host, mount, path string
		exchange                v1alpha1.VaultExchange
		ends                    bool
	}{
		{"amazon", cloud.AWS.Registry(), "aws", "sts/session", v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}, true},
		{"azure", cloud.Azure.Registry, "azure", "creds/pull", v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{Tenant: cloud.Azure.Tenant}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := v1alpha1.VaultSource{Connection: cloudConnection, Mount: test.mount, Path: test.path, Engine: v1alpha1.EngineDynamic, Exchange: &test.exchange}
			must(t, s.CreateNamespace(t.Context(), "cloud-"+test.name, nil))
			credential := cloudCredential("cloud-"+test.name, test.host, source)
			must(t, s.Client.Create(t.Context(), credential))
			t.Cleanup(func() { must(t, client.IgnoreNotFound(s.Client.Delete(context.Background(), credential))) })
			pulls(t, "cloud-"+test.name, test.host, "first")
			if !test.ends {
				return
			}
			first := loginOf(t, "cloud-"+test.name, test.host)
			await(t, time.Minute, func(context.Context) error {
				if loginOf(t, "cloud-"+test.name, test.host) == first {
					return errors.New("the Secret holds the first login")
				}
				return nil
			})
			await(t, time.Minute, ended(first))
			pulls(t, "cloud-"+test.name, test.host, "later")
		})
	}
}

// cloudCredential delivers a source to the namespace of its name.
func cloudCredential(name, host string, source v1alpha1.VaultSource) *v1alpha1.RegistryCredential {
	return &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{v1alpha1.Registry(host)}, Source: v1alpha1.Source{Vault: &source}, RefreshPeriodSeconds: new(int32(5)),
			Target: v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(name)}},
		},
	}
}

// pulls wants a pod of a namespace to run an image that the node does not have yet.
func pulls(t *testing.T, namespace, host, tag string) {
	t.Helper()
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: namespace + tag})
	must(t, err)
	must(t, s.Box.Registry.Push(t.Context(), namespace+"/app:"+tag, image))
	reference := host + "/" + namespace + "/app:" + tag
	must(t, s.Client.Create(t.Context(), scenario.Deployment(namespace, tag, scenario.Template(tag, reference))))
	t.Logf("a pod runs %s after %s", reference, await(t, 2*time.Minute, s.Running(tag, reference, namespace)))
}

// loginOf is the password that a namespace has for a host, empty where it has none.
func loginOf(t *testing.T, namespace, host string) string {
	t.Helper()
	var secret corev1.Secret
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret))
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	must(t, err)
	return config[host].Password()
}

// ended reports whether the registry takes a login of Amazon no more.
func ended(password string) func(context.Context) error {
	return func(ctx context.Context) error {
		status, err := s.Box.Registry.TryLogin(ctx, "AWS", password)
		if err == nil && status != 401 {
			err = fmt.Errorf("the first login is answered with %d", status)
		}
		return err
	}
}

// connectClouds makes a VaultConnection with a token.
func connectClouds(t *testing.T, vault *box.Vault) {
	t.Helper()
	must(t, vault.Policy(t.Context(), "regcred", cloudPolicy))
	token, err := vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"regcred"}, TTL: "1h"})
	must(t, err)
	for _, object := range []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: scenario.SystemNamespace, Name: "vault-" + cloudConnection, Labels: map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed},
			},
			StringData: map[string]string{"token": token.Auth.ClientToken},
		},
		&v1alpha1.VaultConnection{
			ObjectMeta: metav1.ObjectMeta{Name: cloudConnection},
			Spec: v1alpha1.VaultConnectionSpec{
				Address: vault.Address,
				Auth:    v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-" + cloudConnection, Key: "token"}}},
			},
		},
	} {
		must(t, s.Client.Create(t.Context(), object))
		t.Cleanup(func() { must(t, client.IgnoreNotFound(s.Client.Delete(context.Background(), object))) })
	}
}

// leaveToTheHost stops the installed operator until the test ends.
func leaveToTheHost(t *testing.T) {
	t.Helper()
	key := client.ObjectKey{Namespace: scenario.SystemNamespace, Name: "regcred"}
	var deployment appsv1.Deployment
	must(t, s.Client.Get(t.Context(), key, &deployment))
	before := *deployment.Spec.Replicas
	scale := func(ctx context.Context, replicas int32) error {
		return s.Client.Patch(ctx, &deployment, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)))
	}
	running := func(want int32) func(context.Context) error {
		return func(ctx context.Context) error {
			var now appsv1.Deployment
			if err := s.Client.Get(ctx, key, &now); err != nil {
				return err
			}
			if now.Status.ReadyReplicas != want || now.Status.Replicas != want {
				return fmt.Errorf("the operator has %d replicas, %d of them ready", now.Status.Replicas, now.Status.ReadyReplicas)
			}
			return nil
		}
	}
	t.Cleanup(func() {
		must(t, scale(context.Background(), before))
		must(t, scenario.Await(context.Background(), 2*time.Minute, running(before)))
	})
	must(t, scale(t.Context(), 0))
	await(t, time.Minute, running(0))
}

// runOnTheHost runs the operator's program with the ServiceAccount's token until the test ends.
func runOnTheHost(t *testing.T, cloud *box.Cloud) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: scenario.SystemNamespace, Name: "regcred"}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}
	must(t, s.Client.SubResource("token").Create(t.Context(), account, request))
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"c": {Server: s.Config.Host, CertificateAuthorityData: s.Config.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {Token: request.Status.Token}}, Contexts: map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, kubeconfig))
	server, err := url.Parse(s.Config.Host)
	must(t, err)
	operator := exec.Command(s.Binary, "--namespace", scenario.SystemNamespace, "--metrics-bind-address=0", "--health-probe-bind-address=0",
		"--registry-proxy=url="+cloud.ProxyURL()+";hosts="+cloud.AWS.Registry()+","+cloud.Azure.Registry)
	operator.Env = append(append(os.Environ(), cloud.Env()...), "KUBECONFIG="+kubeconfig, "NO_PROXY="+server.Hostname(), "no_proxy="+server.Hostname())
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	operator.Stdout, operator.Stderr = log, log
	wait, err := box.Start(operator)
	must(t, err)
	t.Cleanup(func() {
		_ = operator.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = wait()                                   // and how does not matter
		if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the operator on the host said: %s", said[max(0, len(said)-8000):])
		}
	})
}
