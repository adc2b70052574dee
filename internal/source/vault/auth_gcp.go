package vault

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api/auth/gcp"

	"regcred.dev/regcred/api/v1alpha1"
)

// authGCP is made of a JWT that Google's IAM signs for a service account.
var authGCP = method{
	name:   "gcp",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.GCP != nil },
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.loginWithCloud(ctx, gcpLogin(c.spec.Auth.GCP))
	},
}

func gcpLogin(auth *v1alpha1.GCPAuth) cloudLogin {
	method, err := gcp.NewGCPAuth(auth.Role, gcp.WithIAMAuth(auth.ServiceAccountEmail))
	return cloudLogin{
		mount: auth.Mount, defaultMount: "gcp", method: method, broken: err,
		unknown: fmt.Sprintf("Google signs no JWT for %s: check that it exists, and that the operator's own identity (Workload Identity) has "+
			"roles/iam.serviceAccountTokenCreator on it", auth.ServiceAccountEmail),
		refused: fmt.Sprintf("role %q must be of type iam, bind service account %s, and have a max_jwt_exp of at least 10 minutes",
			auth.Role, auth.ServiceAccountEmail),
	}
}
