package vault

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api/auth/azure"

	"regcred.dev/regcred/api/v1alpha1"
)

// authAzure is made of a token for the managed identity of the operator's node.
var authAzure = method{
	name:   "azure",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.Azure != nil },
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.loginWithCloud(ctx, azureLogin(c.spec.Auth.Azure))
	},
}

// azureNeedsAddresses: other logins prove who the operator is, and this one shows a token that acts as the operator's node at whatever
// resource the connection names. Whoever may edit connections must not get it for any server they like.
const azureNeedsAddresses = "auth.azure shows the server a token of Azure: list the server's address in the operator's flag --vault-addresses"

func azureLogin(auth *v1alpha1.AzureAuth) cloudLogin {
	method, err := azure.NewAzureAuth(auth.Role, azure.WithResource(auth.Resource))
	return cloudLogin{
		mount: auth.Mount, defaultMount: "azure", method: method, broken: err,
		unknown: fmt.Sprintf("Azure gives the operator no token for %s: check that its node has one managed identity, and that pods may "+
			"reach the node's metadata service", auth.Resource),
		refused: fmt.Sprintf("role %q must bind the managed identity of the operator's node, and resource of the mount must be %s",
			auth.Role, auth.Resource),
	}
}
