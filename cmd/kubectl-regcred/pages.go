package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"k8s.io/client-go/rest"
)

// maxPage is the largest page of a list that is held in memory, in bytes.
const maxPage = 16 << 20

var errPageTooLarge = errors.New("a page of the list is larger than is held in memory")

// bounding ends answers to lists that were asked for page by page and whose page is larger than maxPage.
func bounding(config *rest.Config) {
	config.Wrap(func(to http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) {
			answer, err := to.RoundTrip(request)
			if err != nil || request.URL.Query().Get("limit") == "" {
				return answer, err
			}
			begin, err := io.ReadAll(io.LimitReader(answer.Body, maxPage+1))
			if err == nil && len(begin) > maxPage {
				return nil, errors.Join(errPageTooLarge, answer.Body.Close())
			}
			answer.Body = looked{io.MultiReader(bytes.NewReader(begin), answer.Body), answer.Body}
			return answer, nil
		})
	})
}
