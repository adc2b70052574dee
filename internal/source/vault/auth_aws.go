package vault

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api/auth/aws"

	"regcred.dev/regcred/api/v1alpha1"
)

// authAWS is made of a signed request to AWS, which Vault sends on to learn who signed it.
var authAWS = method{
	name:   "aws",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.AWS != nil },
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.loginWithCloud(ctx, awsLogin(c.spec.Auth.AWS))
	},
}

func awsLogin(auth *v1alpha1.AWSAuth) cloudLogin {
	options := []aws.LoginOption{aws.WithIAMAuth(), aws.WithRole(auth.Role), aws.WithIAMServerIDHeader(auth.ServerID)}
	if auth.Region != "" {
		options = append(options, aws.WithRegion(auth.Region))
	}
	method, err := aws.NewAWSAuth(options...)
	return cloudLogin{
		mount: auth.Mount, defaultMount: "aws", method: method, broken: err,
		unknown: "AWS gives the operator no identity: check its role for the ServiceAccount (Pod Identity or IRSA), and that role's trust policy",
		refused: fmt.Sprintf("role %q must bind the operator's AWS principal, sts_endpoint of the mount must be of the region "+
			"that spec.auth.aws.region names, and iam_server_id_header_value must be spec.auth.aws.serverID", auth.Role),
	}
}
