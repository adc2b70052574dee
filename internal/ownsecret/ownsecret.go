// Package ownsecret decides which Secrets of the operator's own namespace may be sent to a server.
//
// Who may label Secrets there decides which ones are: that is more than who may edit VaultConnections. Without the label, whoever edits
// a VaultConnection would read any Secret at an address of their own.
package ownsecret

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// Recipient is who may be sent a Secret with some label.
type Recipient struct {
	// Label that allows it, with the value "true".
	Label string
	// Name in messages, such as "Vault".
	Name string
}

// The recipients.
var (
	Vault = Recipient{Label: v1alpha1.VaultAuthLabel, Name: "Vault"}
	Proxy = Recipient{Label: v1alpha1.ProxyAuthLabel, Name: "a proxy"}
)

// neverSent are the types of Secrets that are sent to no server, whatever label they have.
var neverSent = map[corev1.SecretType]string{
	"regcred.dev/published-credential":   "is a record of regcred",
	corev1.SecretTypeServiceAccountToken: "is a token of a ServiceAccount",
	corev1.SecretTypeBootstrapToken:      "is a bootstrap token",
	corev1.SecretTypeDockerConfigJson:    "is a pull Secret",
	corev1.SecretTypeDockercfg:           "is a pull Secret",
	"helm.sh/release.v1":                 "is a release of Helm",
}

// recordPrefix begins the names of regcred's records. A record that somebody copied under another type is still one.
const recordPrefix = "regcred-published-"

// Refusal says why a Secret must not be sent to a recipient and what to do, or nothing.
func (r Recipient) Refusal(secret *corev1.Secret) string {
	what, never := neverSent[secret.Type]
	if !never && strings.HasPrefix(secret.Name, recordPrefix) {
		what, never = "has the name of a record of regcred", true
	}
	where := fmt.Sprintf("Secret %s in the operator's namespace", secret.Name)
	switch {
	case never:
		return fmt.Sprintf("%s %s, and is never sent to %s: keep the login in a Secret of its own", where, what, r.Name)
	case secret.Labels[r.Label] != v1alpha1.VaultAuthAllowed:
		return fmt.Sprintf("%s may be sent to %s only with a label: kubectl -n %s label secret %s %s=%s",
			where, r.Name, secret.Namespace, secret.Name, r.Label, v1alpha1.VaultAuthAllowed)
	}
	return ""
}

// ProxyLogin reads user name and password for a proxy from a Secret as kubernetes.io/basic-auth has it: keys username and password. The
// text says why it cannot be used, and holds nothing of the values.
func ProxyLogin(secret *corev1.Secret) (dockerconfig.Credential, string) {
	if refused := Proxy.Refusal(secret); refused != "" {
		return dockerconfig.Credential{}, refused
	}
	login, err := dockerconfig.NewCredential(strings.TrimSpace(string(secret.Data[corev1.BasicAuthUsernameKey])), string(secret.Data[corev1.BasicAuthPasswordKey]))
	if err != nil {
		return login, fmt.Sprintf("Secret %s in the operator's namespace has no login for a proxy under the keys username and password: %v", secret.Name, err)
	}
	return login, ""
}
