package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// ownServer is the Vault of somebody who may edit VaultConnections and nothing else: it takes whatever is sent to it.
type ownServer struct {
	mu   sync.Mutex
	sent strings.Builder
}

func (s *ownServer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(&s.sent, request.Method, request.URL, request.Header, string(body))
	w.WriteHeader(http.StatusForbidden)
}

func (s *ownServer) got(words string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.sent.String(), words) {
		return errors.New("it was not sent there")
	}
	return nil
}

// TestAConnectionSendsNoSecretThatIsNotMeantForVault gives the operator every right there is, and connections of an editor who asks for
// Secrets of the operator's namespace at an address of his own.
func TestAConnectionSendsNoSecretThatIsNotMeantForVault(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	r.widen(t)
	r.flags = []string{"--require-fence=false"} // the operator itself refuses, and no policy
	thief := &ownServer{}
	server := httptest.NewServer(thief)
	t.Cleanup(server.Close)
	namespaces := r.makeNamespaces(t, 1)
	const password = "the-password-in-use"
	r.rotate(t, password)
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, password) })

	marked := map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}
	for _, c := range []struct {
		name, secret, key string
		given             *corev1.Secret // nil for the record of what is published
		says              string
	}{
		{"the record of a published value", "regcred-published-company", "config", nil, "is a record of regcred, and is never sent to Vault"},
		{"the token of a ServiceAccount, labelled", "token-of-regcred", "token", &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Labels: marked, Annotations: map[string]string{corev1.ServiceAccountNameKey: operatorName}},
			Type:       corev1.SecretTypeServiceAccountToken, Data: map[string][]byte{"token": []byte(password)},
		}, "is a token of a ServiceAccount, and is never sent to Vault"},
		{"a copy of a record, labelled", "regcred-published-copy", "config", &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Labels: marked}, Data: map[string][]byte{"config": []byte(password)},
		}, "has the name of a record of regcred, and is never sent to Vault"},
		{"a Secret without the label", "database", "password", &corev1.Secret{Data: map[string][]byte{"password": []byte(password)}},
			"kubectl -n regcred-system label secret database regcred.dev/vault-auth=true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.given != nil {
				c.given.Namespace, c.given.Name = operatorNamespace, c.secret
				vaultMust(t, r.admin.Create(t.Context(), c.given))
			}
			reference := v1alpha1.KeyReference{Name: c.secret, Key: c.key}
			r.connectAt(t, "by-approle-"+c.secret, server.URL, v1alpha1.VaultAuth{AppRole: &v1alpha1.AppRoleAuth{RoleID: "x", SecretID: reference}})
			r.connectAt(t, "by-token-"+c.secret, server.URL, v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: reference}})
			for _, connection := range []string{"by-approle-" + c.secret, "by-token-" + c.secret} {
				awaitAPI(t, connection+" says why", func() error { return r.connectionMessage(t.Context(), connection, c.says) })
			}
			if thief.got(password) == nil {
				t.Error("the editor's server has the value")
			}
		})
	}
	t.Run("labelled by an administrator it is sent", func(t *testing.T) {
		r.kubectl(t, "-n", operatorNamespace, "label", "secret", "database", "regcred.dev/vault-auth=true")
		r.connectAt(t, "labelled", server.URL, v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "database", Key: "password"}}})
		awaitWithin(t, 90*time.Second, func(context.Context) error { return thief.got(password) })
	})
}

func (r *operatorRun) connectAt(t *testing.T, name, address string, auth v1alpha1.VaultAuth) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.VaultConnectionSpec{Address: address, Auth: auth},
	}))
}

func (r *operatorRun) connectionMessage(ctx context.Context, name, words string) error {
	var object v1alpha1.VaultConnection
	if err := r.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || !strings.Contains(ready.Message, words) {
		return fmt.Errorf("VaultConnection %s: %+v", name, object.Status.Conditions)
	}
	return nil
}
