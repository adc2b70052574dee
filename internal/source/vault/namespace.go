package vault

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"
)

// proveNamespace makes sure that the server knows Vault namespaces where the connection names one. A server without
// them ignores the header and answers from its root: everything would seem to work, with other people's secrets.
//
// Two things are looked at. A namespace that surely does not exist must be refused: a server that ignores the header
// answers 200 (Vault CE; OpenBao before 2.3), others 404 or 403. And a token that was issued to us by a login in the
// namespace must say that it belongs there.
//
// about is what the token says of itself, nil where its policies do not let it.
func (c *connection) proveNamespace(ctx context.Context, about map[string]any) *failure {
	if c.spec.VaultNamespace == "" {
		return nil
	}
	ignored, failure := c.ignoresNamespaces(ctx)
	if failure != nil {
		return failure
	}
	if ignored {
		return outcomeNoNamespaces.at(c.place())
	}
	given := c.spec.Auth.Token != nil // a given token may belong to a namespace above
	if !given && about != nil && !inNamespace(about["namespace_path"], c.spec.VaultNamespace) {
		return outcomeNoNamespaces.at(c.place()).saying("the token of our login does not belong to namespace " + c.spec.VaultNamespace)
	}
	return nil
}

// ignoresNamespaces asks, without a token, for something that every namespace has, in one that cannot exist.
func (c *connection) ignoresNamespaces(ctx context.Context) (bool, *failure) {
	nowhere := c.spec.VaultNamespace + "/regcred-" + rand.Text()
	a, failure := c.send(ctx, c.place(), c.asking(nowhere, "", func(ctx context.Context, client *api.Client) (*answer, error) {
		return get(ctx, client, "sys/internal/ui/mounts", nil)
	}))
	if a != nil && (a.status == http.StatusNotFound || a.status == http.StatusForbidden || a.status == http.StatusBadRequest) {
		// Vault gives a list of errors, be it an empty one. Who answers otherwise may be a proxy, and behind it a server that ignores the header.
		if !a.json || a.content.Errors == nil {
			return false, outcomeLoginFailed.at(c.place()).saying(fmt.Sprintf(
				"what came with status %d, when it was asked whether it knows namespaces, is no answer of Vault: look for a proxy on the way", a.status))
		}
		return false, nil
	}
	if failure != nil {
		return false, failure.ofToken()
	}
	return true, nil
}

// inNamespace compares a token's namespace_path, which ends in a slash, with the wanted namespace. The root has none.
func inNamespace(path any, wanted string) bool {
	text, _ := path.(string)
	return strings.Trim(text, "/") == strings.Trim(wanted, "/") || (text == "" && wanted == "root")
}
