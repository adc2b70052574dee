package watchdog

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/silentserver"
)

// limit is long enough for a busy machine to say a word in time.
const limit = 1500 * time.Millisecond

// speaker answers with a word at once, one after each pause, and then nothing until the client goes.
func speaker(t *testing.T, pause time.Duration, words int) (address string, left <-chan struct{}) {
	t.Helper()
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		defer close(gone)
		for range words {
			_, _ = io.WriteString(writer, "word\n")
			_ = http.NewResponseController(writer).Flush()
			select {
			case <-request.Context().Done():
			case <-time.After(pause):
			}
		}
		if request.URL.Query().Get("watch") != "" {
			silentserver.Handle(writer, request)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, gone
}

func TestAWatchEndsWhenItSaysNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		query string
		pause time.Duration
		words int
		lasts time.Duration
	}{
		{"a watch that goes silent", "?watch=true", 0, 1, limit},
		{"a watch that goes silent, written otherwise", "?watch=1&limit=5", 0, 1, limit},
		{"a watch that says something now and then, and then nothing", "?watch=true", limit / 15, 30, 29*limit/15 + limit},
		{"an answer that takes its time", "", 3 * limit, 1, 3 * limit},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // they wait
			address, left := speaker(t, test.pause, test.words)
			var dog Watchdog
			client := &http.Client{Transport: dog.EndSilentWatches(limit)(http.DefaultTransport)}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+test.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			lasted := time.Since(began)
			if err != nil || len(body) != test.words*len("word\n") {
				t.Errorf("%q, %v: want %d words and an end as of a watch whose time is over", body, err, test.words)
			}
			if lasted < test.lasts-limit/10 {
				t.Errorf("it ended after %s, and should have lasted %s", lasted, test.lasts)
			}
			if silent := uint64(strings.Count(test.query, "watch=")); dog.SilentWatches() != silent {
				t.Errorf("%d silent watches are counted, want %d", dog.SilentWatches(), silent)
			}
			<-left
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Thousands of Secrets are written in a rotation.
func TestWritesCostTheWatchdogNothing(t *testing.T) {
	var dog Watchdog
	through := dog.EndSilentWatches(limit)(silence{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://api/api/v1/namespaces/shop/secrets/regcred?fieldManager=regcred&watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(100, func() {
		if response, err := through.RoundTrip(request); response != nil || err != nil {
			t.Fatal(response, err)
		}
	})
	if allocations > 0 {
		t.Errorf("%.0f allocations for a write", allocations)
	}
}

type silence struct{}

func (silence) RoundTrip(*http.Request) (*http.Response, error) { return nil, nil }
