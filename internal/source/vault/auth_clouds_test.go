package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/api/v1alpha1"
)

// connectionTo is a connection of its own, without a Manager.
func connectionTo(t *testing.T, r *rig) *connection {
	t.Helper()
	object, err := r.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	c, f := r.newConnection(object, material{})
	if f != nil {
		t.Fatal(f)
	}
	return c
}

// clouds are the logins with the identity of a cloud, at their usual mount and at another.
func clouds() map[string]struct {
	usual, other cloudLogin
	role         string
} {
	aws := v1alpha1.AWSAuth{Role: "of-aws"}
	gcp := v1alpha1.GCPAuth{Role: "of-gcp", ServiceAccountEmail: "operator@gcp.example"}
	azure := v1alpha1.AzureAuth{Role: "of-azure", Resource: "https://azure.example/"}
	otherAWS, otherGCP, otherAzure := aws, gcp, azure
	otherAWS.Mount, otherGCP.Mount, otherAzure.Mount = "other", "other", "other"
	return map[string]struct {
		usual, other cloudLogin
		role         string
	}{
		"aws":   {awsLogin(&aws), awsLogin(&otherAWS), "of-aws"},
		"gcp":   {gcpLogin(&gcp), gcpLogin(&otherGCP), "of-gcp"},
		"azure": {azureLogin(&azure), azureLogin(&otherAzure), "of-azure"},
	}
}

func TestTheLoginOfACloudIsSentToItsMountAndSaysWhatMustMatch(t *testing.T) {
	says := map[string][2]string{
		"aws": {"AWS gives the operator no identity", "bind the operator's AWS principal"}, "gcp": {"Google signs no JWT for operator@gcp.example", "bind service account operator@gcp.example"},
		"azure": {"no token for https://azure.example/", "resource of the mount must be https://azure.example/"},
	}
	for cloud, logins := range clouds() {
		t.Run(cloud, func(t *testing.T) {
			server := newScripted(t)
			c := connectionTo(t, newRig(t, server.URL))
			for mount, login := range map[string]cloudLogin{cloud: logins.usual, "other": logins.other} {
				if login.broken != nil || login.method == nil {
					t.Fatalf("there is no method: %v", login.broken)
				}
				login.method = sends(map[string]any{"jwt": "proof"})
				path := "/v1/auth/" + mount + "/login"
				server.handle(path, answers(200, loginAnswer(testToken)))
				if g, f := c.loginWithCloud(t.Context(), login); f != nil || g.token != testToken {
					t.Errorf("at %s: %v", mount, f)
				}
				server.handle(path, answers(403, `{"errors":["permission denied"]}`))
				if _, f := c.loginWithCloud(t.Context(), login); f == nil || f.Outcome != outcomeLoginRefused || !strings.Contains(f.detail, says[cloud][1]) || !strings.Contains(f.detail, logins.role) {
					t.Errorf("refused at %s: %+v", mount, f)
				}
				server.handle(path, answers(500, `{"errors":[]}`))
				if _, f := c.loginWithCloud(t.Context(), login); f == nil || f.Outcome != outcomeLoginFailed || strings.Contains(f.detail, logins.role) {
					t.Errorf("failed at %s: %+v", mount, f)
				}
				login.method = aMethod(func(context.Context, *api.Client) error { return errors.New("none") })
				if _, f := c.loginWithCloud(t.Context(), login); f == nil || f.Outcome != outcomeLoginFailed || !strings.Contains(f.detail, says[cloud][0]) {
					t.Errorf("without an identity: %+v", f)
				}
			}
		})
	}
}

func TestALoginOfWhichNoMethodCanBeMadeIsNotTried(t *testing.T) {
	server := newScripted(t)
	c := connectionTo(t, newRig(t, server.URL))
	for cloud, login := range map[string]cloudLogin{"gcp": gcpLogin(&v1alpha1.GCPAuth{}), "azure": azureLogin(&v1alpha1.AzureAuth{})} { // an API server without the CRD's rules took them
		if _, f := c.loginWithCloud(t.Context(), login); f == nil || f.Outcome != outcomeConnectionRefused || f.cause == nil {
			t.Errorf("%s: %+v", cloud, f)
		}
	}
	if n := len(server.requests("")); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestAWSWithoutAnIdentityIsNamedWithItsCode(t *testing.T) {
	for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(variable, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	rig := newRig(t, newScripted(t).URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{AWS: &v1alpha1.AWSAuth{Role: "regcred"}}
	})
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed); !strings.Contains(failure.Message, "(NoCredentialProviders)") || failure.Stalled {
		t.Errorf("%+v", failure)
	}
}

func TestOneLoginAfterTheOtherGathersAnIdentity(t *testing.T) {
	c := connectionTo(t, newRig(t, newScripted(t).URL))
	for range 3 {
		if body, err := c.gather(t.Context(), sends(map[string]any{"jwt": "new"})); err != nil || body["jwt"] != "new" {
			t.Fatalf("%v, %v", body, err)
		}
	}
	if _, err := c.gather(t.Context(), aMethod(func(context.Context, *api.Client) error { return nil })); err == nil {
		t.Error("a module that sends nothing has proven something")
	}
}

// brokenBody fails when it is read, or when it is closed.
type brokenBody struct{ read, closed error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.read }
func (b brokenBody) Close() error             { return b.closed }

func TestWhatAModuleCannotSendIsAFailureOfTheModule(t *testing.T) {
	broken := errors.New("broken")
	for name, body := range map[string]brokenBody{"the body breaks off": {read: broken}, "its end is a failure": {read: io.EOF, closed: broken}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://nobody.invalid", body)
		if err != nil {
			t.Fatal(err)
		}
		var r recorder
		response, err := r.RoundTrip(request)
		if response != nil {
			_ = response.Body.Close()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModulesAskNoNodeAndLogNothing(t *testing.T) {
	newRig(t, "http://127.0.0.1:1")
	if hclog.Default().IsError() {
		t.Error("errors of modules are logged")
	}
	if _, said := os.LookupEnv(nodeIdentityOff); !said {
		t.Error("the node is asked who it is")
	}
	for said, want := range map[string]string{"": "true", "false": "false"} {
		t.Setenv(nodeIdentityOff, said)
		if said == "" {
			_ = os.Unsetenv(nodeIdentityOff)
		}
		if leaveNodeAlone(); os.Getenv(nodeIdentityOff) != want {
			t.Errorf("where the environment says %q it is %q", said, os.Getenv(nodeIdentityOff))
		}
	}
}
