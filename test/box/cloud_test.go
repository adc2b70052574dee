package box_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/aws"
	"github.com/hashicorp/vault/api/auth/azure"
	"github.com/hashicorp/vault/api/auth/gcp"

	"regcred.dev/regcred/test/box"
)

// loginVariable makes this test binary log in at Vault with the identity that its environment gives it. It holds a
// cloudLogin in JSON. Go reads proxies from the environment once, so a process of its own must do it.
const loginVariable = "BOX_TEST_LOGS_IN"

// A cloudLogin says how Vault's own client for a cloud logs in.
type cloudLogin struct {
	Cloud, Role string
	Region      string // AWS
	ServerID    string // AWS
	Account     string // Google Cloud
	Resource    string // Azure
}

func init() {
	if os.Getenv(loginVariable) == "" {
		return
	}
	if err := logInByCloud(os.Getenv(loginVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func logInByCloud(content string) error {
	var login cloudLogin
	if err := json.Unmarshal([]byte(content), &login); err != nil {
		return err
	}
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return err
	}
	method, err := login.method()
	if err != nil {
		return err
	}
	secret, err := method.Login(context.Background(), client)
	if err != nil {
		return err
	}
	_, err = fmt.Println(strings.Join(secret.Auth.Policies, " "))
	return err
}

func (l cloudLogin) method() (api.AuthMethod, error) {
	switch l.Cloud {
	case "aws":
		return aws.NewAWSAuth(aws.WithIAMAuth(), aws.WithRole(l.Role), aws.WithRegion(l.Region), aws.WithIAMServerIDHeader(l.ServerID))
	case "gcp":
		return gcp.NewGCPAuth(l.Role, gcp.WithIAMAuth(l.Account))
	case "azure":
		return azure.NewAzureAuth(l.Role, azure.WithResource(l.Resource))
	default:
		return nil, errors.New("no such cloud: " + l.Cloud)
	}
}

// by logs in and returns the policies that it got.
func (l cloudLogin) by(t *testing.T, vault *box.Vault, environments ...[]string) ([]string, error) {
	t.Helper()
	content, err := json.Marshal(l)
	noError(t, err)
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), loginVariable+"="+string(content), api.EnvVaultAddress+"="+vault.Address,
		api.EnvVaultMaxRetries+"=0", "GORACE=atexit_sleep_ms=0")
	process.Env = append(process.Env, slices.Concat(environments...)...)
	output, err := process.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return nil, errors.New(string(failed.Stderr))
	}
	noError(t, err)
	return strings.Fields(string(output)), nil
}

const serverID = "vault.company.io"

// vaultOfClouds has a role for each identity of the clouds, and one for somebody else, called other.
func vaultOfClouds(t *testing.T, cloud *box.Cloud) *box.Vault {
	t.Helper()
	ctx, vault := t.Context(), box.VaultForTest(t, box.VaultOptions{Env: cloud.Env()})
	noError(t, vault.Policy(ctx, "reader", readPolicy))
	credentials, err := os.ReadFile(cloud.GCP.CredentialsFile)
	noError(t, err)
	for role, arn := range map[string]string{"user": cloud.AWS.UserARN, "role": cloud.AWS.RoleARN, "other": cloud.AWS.RoleARN + "-2"} {
		noError(t, vault.EnableAWSAuth(ctx, box.AWSAuth{
			STSEndpoint: cloud.AWS.STSEndpoint, Region: cloud.AWS.Region, ServerID: serverID,
			Role: role, PrincipalARN: arn, Policies: []string{"reader"},
		}))
	}
	for role, account := range map[string]string{"user": cloud.GCP.Account, "other": "other@project.iam.gserviceaccount.com"} {
		noError(t, vault.EnableGCPAuth(ctx, box.GCPAuth{
			Credentials: string(credentials), Role: role, ServiceAccount: account, Policies: []string{"reader"},
		}))
	}
	for role, principal := range map[string]string{"user": cloud.Azure.Principal, "other": "00000000-0000-0000-0000-000000000000"} {
		noError(t, vault.EnableAzureAuth(ctx, box.AzureAuth{
			Tenant: cloud.Azure.Tenant, Resource: cloud.Azure.Resource, Role: role, Principal: principal, Policies: []string{"reader"},
		}))
	}
	return vault
}

func TestAnIdentityOfACloudLogsInAtVault(t *testing.T) {
	cloud := box.CloudForTest(t)
	vault := vaultOfClouds(t, cloud)
	amazon := cloudLogin{Cloud: "aws", Role: "user", Region: cloud.AWS.Region, ServerID: serverID}
	google := cloudLogin{Cloud: "gcp", Role: "user", Account: cloud.GCP.Account}
	microsoft := cloudLogin{Cloud: "azure", Role: "user", Resource: cloud.Azure.Resource}
	ofRole := amazon
	ofRole.Role = "role"
	for _, test := range []struct {
		name  string
		login cloudLogin
		env   []string
	}{
		{"AWS: an access key", amazon, cloud.AWS.Env()},
		{"AWS: a role by web identity (IRSA)", ofRole, cloud.AWS.WebIdentityEnv()},
		{"AWS: a role by Pod Identity", ofRole, cloud.AWS.PodIdentityEnv()},
		{"Google Cloud: a service account by Workload Identity", google, cloud.GCP.Env()},
		{"Azure: a managed identity", microsoft, cloud.Azure.Env()},
	} {
		t.Run(test.name, func(t *testing.T) {
			policies, err := test.login.by(t, vault, cloud.Env(), test.env)
			if err != nil || !slices.Contains(policies, "reader") {
				t.Errorf("policies %v, error: %v", policies, err)
			}
		})
	}
	google.Role, microsoft.Role, amazon.Role = "other", "other", "other"
	ofNobody, forNobody, elsewhere, anotherVault := google, microsoft, amazon, amazon
	ofNobody.Account, forNobody.Resource, elsewhere.Region = "other@project.iam.gserviceaccount.com", "api://other", "us-east-2"
	anotherVault.ServerID = "vault.other.example"
	for _, test := range []struct {
		name  string
		login cloudLogin
		env   []string
		says  string
	}{
		{"AWS: a principal that the role does not bind", amazon, cloud.AWS.Env(), "does not belong to the role"},
		{"AWS: a signature by another secret", amazon, append(cloud.AWS.Env(), "AWS_SECRET_ACCESS_KEY=other"), "SignatureDoesNotMatch"},
		{"AWS: an access key that AWS does not know", amazon, append(cloud.AWS.Env(), "AWS_ACCESS_KEY_ID=AKIAOTHER"), "InvalidClientTokenId"},
		{"AWS: a signature for another region", elsewhere, cloud.AWS.Env(), "SignatureDoesNotMatch"},
		{"AWS: a signature for another Vault", anotherVault, cloud.AWS.Env(), "error validating X-Vault-AWS-IAM-Server-ID header"},
		{"Google Cloud: an account that the role does not bind", google, cloud.GCP.Env(), "not authorized"},
		{"Google Cloud: an account for which the caller may not sign", ofNobody, cloud.GCP.Env(), "PermissionDenied"},
		{"Azure: a principal that the role does not bind", microsoft, nil, "service principal not authorized"},
		{"Azure: a resource that the tenant does not know", forNobody, nil, "invalid_resource"},
	} {
		t.Run(test.name, func(t *testing.T) {
			policies, err := test.login.by(t, vault, cloud.Env(), test.env)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("policies %v, error: %v, want %q", policies, err, test.says)
			}
		})
	}
}

func TestACloudTakesAnIdentityAway(t *testing.T) {
	cloud := box.CloudForTest(t)
	vault := vaultOfClouds(t, cloud)
	for _, test := range []struct {
		name   string
		login  cloudLogin
		env    []string
		refuse func(bool)
	}{
		{"AWS", cloudLogin{Cloud: "aws", Role: "user", Region: cloud.AWS.Region, ServerID: serverID}, cloud.AWS.Env(), cloud.AWS.Refuse},
		{"Google Cloud", cloudLogin{Cloud: "gcp", Role: "user", Account: cloud.GCP.Account}, cloud.GCP.Env(), cloud.GCP.Refuse},
		{"Azure", cloudLogin{Cloud: "azure", Role: "user", Resource: cloud.Azure.Resource}, nil, cloud.Azure.Refuse},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.refuse(true)
			if policies, err := test.login.by(t, vault, cloud.Env(), test.env); err == nil || !strings.Contains(err.Error(), box.CloudWords) {
				t.Errorf("policies %v, and not the cloud's refusal: %v", policies, err)
			}
			test.refuse(false)
			if _, err := test.login.by(t, vault, cloud.Env(), test.env); err != nil {
				t.Errorf("the cloud accepts again, but: %v", err)
			}
		})
	}
}
