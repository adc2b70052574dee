package main

import (
	"github.com/hashicorp/vault/audit"

	"regcred.dev/regcred/hack/cluster/vault/server"
)

func main() {
	server.Main(server.Version{
		AuditDevices: map[string]audit.Factory{"file": audit.NewFileBackend, "socket": audit.NewSocketBackend},
	})
}
