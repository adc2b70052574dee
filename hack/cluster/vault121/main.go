// Command vault121 is Vault 1.21 for the box, which BOX_VAULT_VERSION=1.21 chooses. Vault is under the Business Source License 1.1 since
// 1.15: it is built and run by tests alone, and nothing of it is in what is released.
package main

import (
	"github.com/hashicorp/vault/audit"

	"regcred.dev/regcred/hack/cluster/vault/server"
)

// The engines of clouds are left to 1.14: that of AWS needs a later SDK than the core compiles with.
func main() {
	server.Main(server.Version{
		AuditDevices:  map[string]audit.Factory{"file": audit.NewFileBackend, "socket": audit.NewSocketBackend},
		Subscriptions: subscriptions,
	})
}
