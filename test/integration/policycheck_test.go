package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// unfencedCase is a mistake of whoever installs regcred.
type unfencedCase struct {
	name string
	make func(*testing.T, *operatorRun)
	// says is a part of what log and conditions say.
	says string
	undo func(*testing.T, *operatorRun)
}

// withoutTransformer moves everything to another namespace, and forgets what writes that into the policies.
const withoutTransformer = `
namespace: platform
resources: [DEFAULT]`

func unfencedCases() []unfencedCase {
	again := func(t *testing.T, r *operatorRun) { r.kubectl(t, "apply", "-k", configFolder("default")) }
	as := func(namespace, name string) func(*testing.T, *operatorRun) {
		return func(t *testing.T, r *operatorRun) {
			r.kubeconfig = writeKubeconfig(t, r.withTokenOf(t, namespace, name))
			r.flags = append(r.flags, "--namespace="+namespace)
		}
	}
	return []unfencedCase{
		// kubectl's kustomize refuses `list: []` in the limits. Whoever writes the role otherwise is not held back.
		{"an empty list of names in the role", func(t *testing.T, r *operatorRun) {
			r.kubectl(t, "patch", "clusterrole", "regcred", "--type=json", `-p=[{"op":"replace","path":"/rules/0/resourceNames","value":[]}]`)
		}, "the role grants secrets of any name", again},
		{"a renamed ServiceAccount", func(t *testing.T, r *operatorRun) {
			r.kubectl(t, "-n", operatorNamespace, "create", "serviceaccount", "renamed")
			r.kubectl(t, "create", "clusterrolebinding", "renamed", "--clusterrole=regcred", "--serviceaccount="+operatorNamespace+":renamed")
			r.kubectl(t, "-n", operatorNamespace, "create", "rolebinding", "renamed", "--role=regcred", "--serviceaccount="+operatorNamespace+":renamed")
			as(operatorNamespace, "renamed")(t, r)
		}, "regcred-records, regcred-secrets", as(operatorNamespace, operatorName)},
		{"a forgotten transformer", func(t *testing.T, r *operatorRun) {
			r.kubectl(t, "apply", "-k", writeOverlay(t, withoutTransformer))
			r.copyLogin(t, "platform")
			as("platform", operatorName)(t, r)
		}, "regcred-secrets", func(t *testing.T, r *operatorRun) {
			again(t, r)
			as(operatorNamespace, operatorName)(t, r)
		}},
		{"a policy that is not bound", func(t *testing.T, r *operatorRun) {
			r.kubectl(t, "delete", "validatingadmissionpolicybinding", "regcred-records")
			operator := client.NewDryRunClient(newAPIClient(t, r.withTokenOf(t, operatorNamespace, operatorName)))
			awaitAPI(t, "the API server notices that the policy is not bound", func() error {
				return operator.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "probe"}})
			})
		}, "regcred-records", nil},
	}
}

// TestOperatorWithoutItsPolicies starts the operator's own program where it is not bounded: it writes no Secret and says so in its log,
// in a metric and at every VaultConnection. Once all is in order it works, without a restart.
func TestOperatorWithoutItsPolicies(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	address := freeAddress(t)
	r.flags = []string{"--metrics-bind-address=" + address, "--metrics-insecure"}
	r.connectWith(t, "second", v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-token", Key: "token"}}})
	namespaces := r.makeNamespaces(t, 1)
	r.rotate(t, "password-0")
	r.applyCredential(t)
	for _, c := range unfencedCases() {
		t.Log(c.name)
		c.make(t, r)
		r.logs = filepath.Join(t.TempDir(), "log")
		r.start(t)
		r.saysUnfenced(t, address, c.says)
		r.wroteNothing(t, namespaces)
		if c.undo != nil { // the last one goes on below
			r.kill(t)
			c.undo(t, r)
		}
	}
	r.kubectl(t, "apply", "-k", configFolder("default"))
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "password-0") })
	for _, name := range []string{v1alpha1.DefaultConnection, "second"} {
		awaitAPI(t, "the condition goes at the next look", func() error {
			message, err := r.unfenced(t.Context(), name)
			if err == nil && message != "" {
				err = errors.New(message)
			}
			return err
		})
	}
	awaitAPI(t, "the metric says so", func() error { return policiesStand(t.Context(), address, "1") })
}

// saysUnfenced waits until log, metric and both connections say what is wrong and what to do.
func (r *operatorRun) saysUnfenced(t *testing.T, address, words string) {
	t.Helper()
	for _, name := range []string{v1alpha1.DefaultConnection, "second"} {
		awaitAPI(t, "connection "+name+" says it", func() error {
			message, err := r.unfenced(t.Context(), name)
			if err == nil && (!strings.Contains(message, words) || !strings.Contains(message, "no Secret is written") || !strings.Contains(message, "apply config/default")) {
				err = fmt.Errorf("the message is %q", message)
			}
			return err
		})
	}
	awaitAPI(t, "the metric says it", func() error { return policiesStand(t.Context(), address, "0") })
	awaitAPI(t, "the log says it, and that a write was not sent", func() error {
		log, err := os.ReadFile(r.logs)
		if err == nil && (!strings.Contains(string(log), words) || !strings.Contains(string(log), "not sent: the operator's admission policies")) {
			err = errors.New("it does not")
		}
		return err
	})
}

func (r *operatorRun) unfenced(ctx context.Context, name string) (string, error) {
	var connection v1alpha1.VaultConnection
	err := r.admin.Get(ctx, client.ObjectKey{Name: name}, &connection)
	if condition := meta.FindStatusCondition(connection.Status.Conditions, v1alpha1.ConditionUnfenced); condition != nil {
		return condition.Message, err
	}
	return "", err
}

// copyLogin makes what the connections log in with in another namespace, too.
func (r *operatorRun) copyLogin(t *testing.T, namespace string) {
	t.Helper()
	var login corev1.Secret
	if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "vault-token"}, &login); err != nil {
		t.Fatal(err)
	}
	login.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: login.Name, Labels: login.Labels}
	if err := r.admin.Create(t.Context(), &login); err != nil {
		t.Fatal(err)
	}
}

// wroteNothing fails where the operator wrote a pull Secret or a record.
func (r *operatorRun) wroteNothing(t *testing.T, namespaces []string) {
	t.Helper()
	keys := []client.ObjectKey{{Namespace: operatorNamespace, Name: "regcred-published-company"}, {Namespace: "platform", Name: "regcred-published-company"}}
	for _, namespace := range namespaces {
		keys = append(keys, client.ObjectKey{Namespace: namespace, Name: "regcred"})
	}
	for _, key := range keys {
		if err := r.admin.Get(t.Context(), key, &corev1.Secret{}); !apierrors.IsNotFound(err) {
			t.Errorf("Secret %s is there, or cannot be looked for: %v", key, err)
		}
	}
}

// withTokenOf is the identity of any ServiceAccount, by a token.
func (c *installation) withTokenOf(t *testing.T, namespace, name string) *rest.Config {
	t.Helper()
	account, request := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, &authenticationv1.TokenRequest{}
	if err := c.admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatalf("request a token of ServiceAccount %s/%s: %v", namespace, name, err)
	}
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken, config.QPS = request.Status.Token, -1
	return config
}

func policiesStand(ctx context.Context, address, want string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && !strings.Contains(string(body), "\nregcred_admission_policies_stand "+want+"\n") {
		err = errors.New("the metric says something else")
	}
	return err
}
