package box

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// CloudWords is in every refusal of a Cloud, so that a test can see who repeats what a cloud says.
const CloudWords = "words-of-the-cloud"

// Cloud stands for AWS, Google Cloud and Azure, as far as a login at Vault asks them. It checks what it is asked as they
// do: signatures, tokens, and the headers of their metadata services. Processes find it by their environment alone, and
// it connects to nobody.
//
// Go reads proxies from the environment once in the life of a process, so a Cloud is for processes that a test starts.
type Cloud struct {
	AWS    *AWSCloud
	GCP    *GCPCloud
	Azure  *AzureCloud
	CAFile string // PEM of the authority that signs for all hosts of the clouds

	proxy  *cloudProxy
	logins *cloudLogins
}

// CloudForTest starts clouds that stop with the test.
func CloudForTest(t testing.TB) *Cloud {
	t.Helper()
	folder := t.TempDir()
	c, err := newCloud(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the clouds of this test were asked for:\n%s", strings.Join(c.Asked(), "\n"))
		}
		if err := c.proxy.stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newCloud(folder string) (*Cloud, error) {
	c := &Cloud{CAFile: filepath.Join(folder, "cloud-ca.pem")}
	var err error
	if c.AWS, err = newAWSCloud(folder); err != nil {
		return nil, err
	}
	if c.GCP, err = newGCPCloud(folder); err != nil {
		return nil, err
	}
	if c.Azure, err = newAzureCloud(); err != nil {
		return nil, err
	}
	c.logins = &cloudLogins{}
	c.AWS.logins, c.Azure.logins = c.logins, c.logins
	authority, err := newCloudAuthority(c.CAFile)
	if err != nil {
		return nil, err
	}
	if c.proxy, err = startCloudProxy(authority, c.handler); err != nil {
		return nil, err
	}
	c.GCP.metadataAddress = c.proxy.address
	return c, nil
}

// handler serves a host of one of the clouds. It is nil for a host that none of them has.
func (c *Cloud) handler(host string) http.Handler {
	for _, of := range []func(string) http.Handler{c.AWS.handler, c.GCP.handler, c.Azure.handler} {
		if handler := of(host); handler != nil {
			return handler
		}
	}
	return nil
}

// Env leads a process to the clouds, and only there: it can reach no other host but those of its own machine. It is for
// Vault and for whoever logs in; the latter also needs the Env of its cloud. What the person who runs the test uses in the clouds is kept
// out of it.
func (c *Cloud) Env() []string {
	proxy := "http://" + c.proxy.address
	return append(c.AWS.noIdentity(),
		"HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy, "http_proxy="+proxy, "https_proxy="+proxy, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE="+c.CAFile,
		"AZURE_CLIENT_ID=", "AZURE_CLIENT_SECRET=", "AZURE_SUBSCRIPTION_ID=", "AZURE_TENANT_ID=", "AZURE_ENVIRONMENT=",
	)
}

// Client asks the clouds from the test's own process.
func (c *Cloud) Client() (*http.Client, error) { return c.proxy.client(c.CAFile) }

// Asked lists what the clouds were asked for, refused requests among them: "GET iam.googleapis.com/v1/projects/-".
func (c *Cloud) Asked() []string { return c.proxy.requests() }

// A refusal lets a test take an identity away.
type refusal struct{ on atomic.Bool }

// Refuse has the cloud refuse the identity, or accept it again.
func (r *refusal) Refuse(refuse bool) { r.on.Store(refuse) }

func (r *refusal) refuses() bool { return r.on.Load() }
