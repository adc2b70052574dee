package box_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/box/apiserver"
)

const accountNamespace = "default"

// Vault asks a real API server about the tokens. A token for another audience than the API server's cannot ask
// about itself, so Vault then needs a reviewer.
func TestKubernetesLoginsAreReviewedByTheAPIServer(t *testing.T) {
	ctx, vault, config := t.Context(), box.VaultForTest(t, box.VaultOptions{}), startControlPlane(t)
	client, err := kubernetes.NewForConfig(config)
	noError(t, err)
	for _, account := range []string{"regcred-vault", "stranger", "reviewer"} {
		makeAccount(ctx, t, client, account)
	}
	letReview(ctx, t, client, "reviewer")
	for _, test := range []struct {
		name, mount, reviewer, account, audience string
		allowed                                  bool
	}{
		{"with a reviewer", "reviewed", serviceAccountToken(ctx, t, client, "reviewer", ""), "regcred-vault", "vault", true},
		{"with a reviewer, another account", "reviewed-2", serviceAccountToken(ctx, t, client, "reviewer", ""), "stranger", "vault", false},
		{"with a reviewer, another audience", "reviewed-3", serviceAccountToken(ctx, t, client, "reviewer", ""), "regcred-vault", "other", false},
		{"without a reviewer", "alone", "", "regcred-vault", "vault", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			noError(t, vault.EnableKubernetesAuth(ctx, box.KubernetesAuth{
				Mount: test.mount, APIServer: config.Host, CA: string(config.CAData), ReviewerJWT: test.reviewer,
				Role: "regcred", ServiceAccount: "regcred-vault", Namespace: accountNamespace, Audience: "vault",
				Policies: []string{"default"},
			}))
			_, err := newClient(t, vault).Logical().WriteWithContext(ctx, "auth/"+test.mount+"/login", map[string]any{
				"role": "regcred", "jwt": serviceAccountToken(ctx, t, client, test.account, test.audience),
			})
			if (err == nil) != test.allowed {
				t.Errorf("login: %v", err)
			}
		})
	}
}

func startControlPlane(t *testing.T) *rest.Config {
	t.Helper()
	log.SetLogger(logr.Discard()) // envtest says nothing that its errors do not say
	config, stop, err := apiserver.Start(&envtest.Environment{ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute})
	t.Cleanup(func() { noError(t, stop()) })
	noError(t, err)
	return config
}

func makeAccount(ctx context.Context, t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := client.CoreV1().ServiceAccounts(accountNamespace).Create(ctx, account, metav1.CreateOptions{})
	noError(t, err)
}

func letReview(ctx context.Context, t *testing.T, client kubernetes.Interface, account string) {
	t.Helper()
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: accountNamespace, Name: account}},
	}, metav1.CreateOptions{})
	noError(t, err)
}

// serviceAccountToken asks for a token; the audience "" is the API server's own.
func serviceAccountToken(ctx context.Context, t *testing.T, client kubernetes.Interface, account, audience string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	answer, err := client.CoreV1().ServiceAccounts(accountNamespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	noError(t, err)
	return answer.Status.Token
}
