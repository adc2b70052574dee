package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

const (
	// mayNotAct is what an API server says to whoever may not act as somebody else.
	mayNotAct = "cannot impersonate"
	// maxRefusal is what is read of an answer to look for that, in bytes.
	maxRefusal = 64 << 10
)

var errMayNotAct = errors.New("you may not act as another user, as --as or the kubeconfig ask for: it takes the right to impersonate")

// actingAs tells a refusal to act as somebody else from a right that this one lacks: the API server answers both alike, and what would be said of
// each right then is wrong.
func actingAs(config *rest.Config) {
	if as := config.Impersonate; as.UserName == "" && as.UID == "" && len(as.Groups) == 0 && len(as.Extra) == 0 {
		return
	}
	config.Wrap(func(to http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) {
			answer, err := to.RoundTrip(request)
			if err != nil || answer.StatusCode != http.StatusForbidden {
				return answer, err
			}
			begin, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
			if err == nil && strings.Contains(string(begin), mayNotAct) {
				return nil, errors.Join(errMayNotAct, answer.Body.Close())
			}
			answer.Body = looked{io.MultiReader(bytes.NewReader(begin), answer.Body), answer.Body}
			return answer, nil
		})
	})
}

// looked is an answer of which the begin was read.
type looked struct {
	io.Reader
	io.Closer
}
