package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"cloud.google.com/go/compute/metadata"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"google.golang.org/grpc/status"
)

var errStillGathering = errors.New("the cloud has not answered an earlier request for the operator's identity")

// proof is what a login with a cloud's identity sends to Vault.
type proof struct {
	body map[string]any
	err  error
}

// cloudLogin is a login with an identity that a cloud gives, by one of Vault's own modules.
type cloudLogin struct {
	mount, defaultMount string
	method              api.AuthMethod
	broken              error // no method could be made
	// unknown and refused say what to do where the cloud gives no identity, and where Vault does not take it.
	unknown, refused string
}

func (c *connection) loginWithCloud(ctx context.Context, login cloudLogin) (*grant, *failure) {
	if login.broken != nil {
		return nil, outcomeConnectionRefused.at(c.place()).because(login.broken).advising("no login can be made of spec.auth: correct it")
	}
	body, err := c.gather(ctx, login.method)
	if err != nil {
		return nil, outcomeLoginFailed.at(c.place()).because(err).saying(login.unknown + cloudCode(err))
	}
	grant, failure := c.loginAt(ctx, login.mount, login.defaultMount, body)
	if failure != nil && failure.Outcome == outcomeLoginRefused {
		failure.saying(login.refused)
	}
	return grant, failure
}

// gather has a module prove the operator's identity. Not every module ends when its context does: one that is late is left
// alone until it ends, and what it then brings is too old to be used.
func (c *connection) gather(ctx context.Context, method api.AuthMethod) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	if c.gathering != nil {
		select {
		case <-c.gathering:
		default:
			return nil, errStillGathering
		}
	}
	c.gathering = make(chan proof, 1)
	go func(done chan<- proof) { done <- whatItSends(ctx, method) }(c.gathering)
	select {
	case p := <-c.gathering:
		c.gathering = nil
		return p.body, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// whatItSends lets a module log in at nobody, and returns what it would have sent. The request itself is ours to send: with
// the connection's limits, time-out and redirects, and with its answer classified as every other.
func whatItSends(ctx context.Context, method api.AuthMethod) proof {
	var nobody recorder
	client, err := newAPIClient("http://nobody.invalid", "", "", &http.Client{Transport: &nobody})
	if err == nil {
		_, err = method.Login(ctx, client)
	}
	if err != nil {
		return proof{err: err}
	}
	var p proof
	p.err = json.Unmarshal(nobody.body, &p.body)
	return p
}

// recorder keeps what is sent to it, and says that all is well.
type recorder struct{ body []byte }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, errors.Join(err, request.Body.Close())
	}
	r.body = body
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, request.Body.Close()
}

// cloudCode is a cloud's own code for what went wrong. Its texts are left out: they may quote what was sent, or an answer.
func cloudCode(err error) string {
	var (
		ofAWS      awserr.Error
		ofMetadata *metadata.Error
	)
	switch {
	case errors.Is(err, errStillGathering), errors.Is(err, context.DeadlineExceeded):
		return " (no answer in time)"
	case errors.As(err, &ofAWS):
		return " (" + ofAWS.Code() + ")"
	case errors.As(err, &ofMetadata):
		return fmt.Sprintf(" (metadata service: status %d)", ofMetadata.Code)
	}
	if answer, ok := status.FromError(err); ok {
		return " (" + answer.Code().String() + ")"
	}
	return ""
}

// prepareModules ends what Vault's modules log: errors as they are, with what a cloud answered. And it keeps AWS's from asking the
// node who it is, unless the environment says otherwise: that identity is everybody's there.
var prepareModules = sync.OnceFunc(func() {
	hclog.SetDefault(hclog.NewNullLogger())
	leaveNodeAlone()
})

// nodeIdentityOff is what AWS's module looks at before it asks the node.
const nodeIdentityOff = "AWS_EC2_METADATA_DISABLED"

func leaveNodeAlone() {
	if _, said := os.LookupEnv(nodeIdentityOff); !said {
		_ = os.Setenv(nodeIdentityOff, "true") // fails for a bad name only
	}
}
