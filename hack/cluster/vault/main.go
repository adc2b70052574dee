// Command vault is Vault 1.14 for the box: the last line of Vault under the Mozilla Public License.
package main

import (
	azure "github.com/hashicorp/vault-plugin-secrets-azure"
	"github.com/hashicorp/vault/audit"
	auditfile "github.com/hashicorp/vault/builtin/audit/file"
	auditsocket "github.com/hashicorp/vault/builtin/audit/socket"
	"github.com/hashicorp/vault/builtin/logical/aws"
	"github.com/hashicorp/vault/sdk/logical"

	"regcred.dev/regcred/hack/cluster/vault/server"
)

func main() {
	server.Main(server.Version{
		AuditDevices: map[string]audit.Factory{"file": auditfile.Factory, "socket": auditsocket.Factory},
		Engines:      map[string]logical.Factory{"aws": aws.Factory, "azure": azure.Factory},
	})
}
