package scenario

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

const reviewer = "vault-reviewer"

// ConnectVault lets the operator's ServiceAccount log in at Vault, with a reviewer of Vault's own, and creates the
// VaultConnection "default".
func (s *Scenario) ConnectVault(ctx context.Context) error {
	token, err := s.reviewerToken(ctx)
	if err != nil {
		return fmt.Errorf("a token for Vault's reviewer: %w", err)
	}
	if err := s.Box.Vault.Policy(ctx, "regcred", `path "secret/data/platform/*" { capabilities = ["read"] }`); err != nil {
		return err
	}
	err = s.Box.Vault.EnableKubernetesAuth(ctx, box.KubernetesAuth{
		APIServer: s.Box.APIServerInCluster, CA: string(s.Config.CAData), ReviewerJWT: token,
		Role: "regcred", ServiceAccount: "regcred-vault", Namespace: SystemNamespace, Audience: "vault", Policies: []string{"regcred"},
	})
	if err != nil {
		return fmt.Errorf("set up Vault's kubernetes auth: %w", err)
	}
	return client.IgnoreAlreadyExists(s.Client.Create(ctx, &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConnection},
		Spec: v1alpha1.VaultConnectionSpec{
			Address: s.Box.Vault.AddressInCluster,
			Auth:    v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred"}},
		},
	}))
}

func (s *Scenario) reviewerToken(ctx context.Context) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: reviewer}}
	if err := client.IgnoreAlreadyExists(s.Client.Create(ctx, account)); err != nil {
		return "", err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: reviewer},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: SystemNamespace, Name: reviewer}},
	}
	if err := client.IgnoreAlreadyExists(s.Client.Create(ctx, binding)); err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(24 * 3600))}}
	err := s.Client.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// SetRegistryPassword changes the robot's password at the registry: the old one fails from now on.
func (s *Scenario) SetRegistryPassword(ctx context.Context, password string) error {
	return s.Box.Registry.SetUser(ctx, box.User{Name: RobotUser, Password: password, Pull: []string{"shop/"}})
}

// SetVaultPassword writes the robot's password to Vault.
func (s *Scenario) SetVaultPassword(ctx context.Context, password string) error {
	_, err := s.Box.Vault.WriteKV2(ctx, "secret", VaultPath, map[string]any{"username": RobotUser, "password": password})
	return err
}

// PushApp pushes an application image, which no node has yet, and returns its reference.
func (s *Scenario) PushApp(ctx context.Context, tag string) (string, error) {
	image, err := box.Image(s.Pause, box.ImageOptions{Salt: tag})
	if err != nil {
		return "", err
	}
	return s.Registry + "/shop/app:" + tag, s.Box.Registry.Push(ctx, "shop/app:"+tag, image)
}
