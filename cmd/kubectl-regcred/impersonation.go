package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	// mayNotAct is what an API server says of a user who may not act as somebody else.
	mayNotAct = " cannot impersonate"
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
			if err == nil && refusesToAct(begin) {
				return nil, errors.Join(errMayNotAct, answer.Body.Close())
			}
			answer.Body = looked{io.MultiReader(bytes.NewReader(begin), answer.Body), answer.Body}
			return answer, nil
		})
	})
}

// refusesToAct reports whether an answer refuses to let a user act as somebody else. A refusal quotes the name of what was asked for, which a tenant
// may have chosen, as that of a pull Secret in a list: what stands there decides nothing.
func refusesToAct(answer []byte) bool {
	object, err := runtime.Decode(clientgoscheme.Codecs.UniversalDeserializer(), answer)
	status, ok := object.(*metav1.Status)
	if err != nil || !ok {
		return false
	}
	_, rest, _ := strings.Cut(status.Message, " ") // the kind
	if name, err := strconv.QuotedPrefix(rest); err == nil {
		rest = strings.TrimPrefix(rest[len(name):], " ")
	}
	rest, forbidden := strings.CutPrefix(rest, "is forbidden: User ")
	user, err := strconv.QuotedPrefix(rest)
	return forbidden && err == nil && strings.HasPrefix(rest[len(user):], mayNotAct)
}

// looked is an answer of which the begin was read.
type looked struct {
	io.Reader
	io.Closer
}
