package podlist_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/internal/podlist"
)

func TestPodsAreReadToTheirEndWhereTheAPIServerForgotHowTheyWere(t *testing.T) {
	for _, test := range []struct {
		name, next string
		pods       []string
	}{
		{"it says where it would go on", "now", []string{"a", "b"}},
		{"it does not", "", nil},
		{"it would go on where it already is", "old", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				next := r.URL.Query().Get("continue")
				switch asked = append(asked, next); next {
				case "":
					fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"old"},"items":[{"metadata":{"name":"a"}}]}`)
				case "old":
					w.WriteHeader(http.StatusGone)
					fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{"continue":%q},"status":"Failure","reason":"Expired","code":410}`, test.next)
				default:
					fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"b"}}]}`)
				}
			}))
			defer server.Close()
			lister, err := podlist.New(&rest.Config{Host: server.URL}, server.Client())
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			_, err = lister.Each(t.Context(), "", "", func(pod podlist.Pod) bool { found = append(found, pod.Name); return true })
			switch {
			case test.pods == nil && (!apierrors.IsResourceExpired(err) || len(asked) != 2):
				t.Errorf("%v after %q", err, asked)
			case test.pods != nil && (err != nil || !slices.Equal(found, test.pods)):
				t.Errorf("%v: it reads %q, asked for %q", err, found, asked)
			}
		})
	}
}
