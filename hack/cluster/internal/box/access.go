package box

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"regcred.dev/regcred/hack/cluster/internal/node"
)

// user is a client of the API server with a token of its own.
type user struct{ name, group, token string }

// users are the administrator and the components, as the API server's built-in roles name them.
type users struct{ admin, controllerManager, scheduler, kubelet user }

func newUsers() users {
	return users{
		admin:             user{"admin", "system:masters", rand.Text()},
		controllerManager: user{"system:kube-controller-manager", "", rand.Text()},
		scheduler:         user{"system:kube-scheduler", "", rand.Text()},
		kubelet:           user{"system:node:" + node.Name, "system:nodes", rand.Text()},
	}
}

// tokenFile is the content of kube-apiserver's --token-auth-file: token, name, uid, groups.
func (u users) tokenFile() string {
	var lines strings.Builder
	for i, one := range []user{u.admin, u.controllerManager, u.scheduler, u.kubelet} {
		fmt.Fprintf(&lines, "%s,%s,%d,%q\n", one.token, one.name, i+1, one.group)
	}
	return lines.String()
}

// writeKubeconfig writes a file that holds all it needs, so it can be copied anywhere.
func writeKubeconfig(path, server, caFile string, u user) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	content := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: box
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %s
  user:
    token: %s
contexts:
- name: box
  context: {cluster: box, user: %s}
current-context: box
`, server, base64.StdEncoding.EncodeToString(ca), u.name, u.token, u.name)
	return os.WriteFile(path, []byte(content), 0o600)
}
