package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/compute/metadata"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/hashicorp/vault/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"regcred.dev/regcred/api/v1alpha1"
)

// Real logins, with a real Vault and what stands for the clouds, are in test/integration.

func TestWhatTheAWSModuleSignsIsSentByTheConnection(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	server := newScripted(t)
	sent := map[string]string{}
	server.handle("/v1/auth/clouds/aws/login", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{AWS: &v1alpha1.AWSAuth{Mount: "clouds/aws", Role: "regcred", Region: "eu-west-1", ServerID: "vault.example"}}
	})
	rig.mustRead(atKV2)
	if sent["role"] != "regcred" {
		t.Errorf("role %q", sent["role"])
	}
	for _, want := range []struct{ key, part string }{
		{"iam_request_url", "https://sts."},
		{"iam_request_headers", `"X-Vault-Aws-Iam-Server-Id":["vault.example"]`},
		{"iam_request_headers", "/eu-west-1/sts/aws4_request"},
		{"iam_request_headers", "SignedHeaders=content-length;content-type;host;x-amz-date;x-vault-aws-iam-server-id"},
		{"iam_request_body", "Action=GetCallerIdentity"},
	} {
		got, err := base64.StdEncoding.DecodeString(sent[want.key])
		if err != nil || !strings.Contains(string(got), want.part) || strings.Contains(string(got), "hidden") {
			t.Errorf("%s is %q (%v), want %s", want.key, got, err, want.part)
		}
	}
}

// The environment has a region for other things. Vault's module would sign for that one, and Vault send it to the global endpoint.
func TestWithoutARegionTheGlobalEndpointOfAWSIsMeant(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	t.Setenv("AWS_REGION", "eu-north-1")
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	sent := loginsAt(t, server, "aws")
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{AWS: &v1alpha1.AWSAuth{Role: "regcred"}}
	})
	rig.mustRead(atKV2)
	if headers, err := base64.StdEncoding.DecodeString(sent["iam_request_headers"]); err != nil || !strings.Contains(string(headers), "/us-east-1/sts/aws4_request") {
		t.Errorf("it is signed so: %s (%v)", headers, err)
	}
}

// aMethod logs in as it is told.
type aMethod func(ctx context.Context, client *api.Client) error

func (m aMethod) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return nil, m(ctx, client)
}

func sends(body map[string]any) aMethod {
	return func(ctx context.Context, client *api.Client) error {
		_, err := client.Logical().WriteWithContext(ctx, "auth/any/login", body)
		return err
	}
}

func TestAModuleThatIsLateIsLeftAloneAndWhatItBringsIsNotUsed(t *testing.T) {
	var c connection
	goOn, ended := make(chan struct{}), make(chan struct{})
	late := aMethod(func(_ context.Context, client *api.Client) error {
		defer close(ended)
		<-goOn // whatever its context says
		return sends(map[string]any{"jwt": "old"})(context.Background(), client)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.gather(ctx, late); !errors.Is(err, context.Canceled) {
		t.Fatalf("the late one gives %v", err)
	}
	if _, err := c.gather(t.Context(), sends(nil)); !errors.Is(err, errStillGathering) {
		t.Fatalf("beside the late one: %v", err)
	}
	close(goOn)
	<-ended
	var body map[string]any
	await(t, "the next one is asked", func() (done bool) {
		var err error
		body, err = c.gather(t.Context(), sends(map[string]any{"jwt": "new"}))
		return err == nil
	})
	if body["jwt"] != "new" {
		t.Errorf("it brings %v", body)
	}
}

func TestOnlyTheCodeOfACloudIsQuoted(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"AWS names a code":                      {awserr.New("AccessDenied", "said: hidden", errors.New("hidden")), " (AccessDenied)"},
		"Google's IAM names a code":             {fmt.Errorf("signing: %w", status.Error(codes.PermissionDenied, "hidden")), " (PermissionDenied)"},
		"Google's metadata service is not well": {fmt.Errorf("token: %w", &metadata.Error{Code: 503, Message: "hidden"}), " (metadata service: status 503)"},
		"Azure says it in words":                {errors.New("invalid_resource error from Azure token endpoint: hidden"), ""},
		"no answer comes":                       {context.DeadlineExceeded, " (no answer in time)"},
		"an answer to an earlier request waits": {errStillGathering, " (no answer in time)"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			rig := newRig(t, server.URL)
			object, err := rig.getConnection(t.Context(), "default")
			if err != nil {
				t.Fatal(err)
			}
			c, f := rig.newConnection(object, material{})
			if f != nil {
				t.Fatal(f)
			}
			_, f = c.loginWithCloud(t.Context(), cloudLogin{
				method: aMethod(func(context.Context, *api.Client) error { return test.err }), unknown: "no identity",
			})
			if f.Outcome != outcomeLoginFailed || f.detail != "no identity"+test.want || strings.Contains(f.exported().Error(), "hidden") {
				t.Errorf("%+v", f)
			}
			if n := len(server.requests("")); n != 0 {
				t.Errorf("%d requests to Vault", n)
			}
		})
	}
}

func TestALoginThatVaultRefusesSaysWhatMustMatch(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	server := newScripted(t)
	server.handle("/v1/auth/aws/login", answers(400, `{"errors":["error making upstream request: hidden"]}`))
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{AWS: &v1alpha1.AWSAuth{Role: "regcred"}}
	})
	failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if !strings.Contains(failure.Message, "must bind the operator's AWS principal") || strings.Contains(failure.Message, "hidden") || !failure.Stalled {
		t.Errorf("%+v", failure)
	}
	if failure.RetryAfter < time.Minute {
		t.Errorf("again after %s", failure.RetryAfter)
	}
}

func TestATokenOfAzureIsShownToListedServersOnly(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{Azure: &v1alpha1.AzureAuth{Role: "regcred", Resource: "https://management.azure.com/"}}
	})
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "--vault-addresses") || !failure.Stalled {
		t.Errorf("%+v", failure)
	}
	if n := len(server.requests("")); n != 0 {
		t.Errorf("%d requests", n)
	}
	listed := newRig(t, server.URL, func(o *Options) { o.AllowedAddresses = []string{server.URL} })
	listed.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth = rig.connection.Spec.Auth })
	c, f := listed.connectionOf(t.Context(), listed.connection)
	if f != nil {
		t.Fatal(f)
	}
	c.usage.leave()
}
