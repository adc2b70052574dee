package metricsaccess

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/rest"
)

// guarded is a guard before metrics, and what asks it as a client with a token does.
func guarded(t *testing.T, api http.Handler) (g *guard, scrape func(ctx context.Context, token string) (int, error)) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	filter, err := Filter(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	handler, err := filter(logr.Discard(), http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	g, ok := handler.(*guard)
	if !ok {
		t.Fatalf("it is a %T", handler)
	}
	return g, func(ctx context.Context, token string) (int, error) {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+token)
		return g.status(r)
	}
}

// forget has what is known of tokens forgotten, as time does. Who was let in lately is still known.
func (g *guard) forget() {
	for _, key := range g.allowed.Keys() {
		g.allowed.Remove(key)
	}
	for _, key := range g.refused.Keys() {
		g.refused.Remove(key)
	}
}

func fill(turns ...chan struct{}) {
	for _, one := range turns {
		for len(one) < cap(one) {
			one <- struct{}{}
		}
	}
}

func TestOnlyWhoMayReadTheMetricsGetsNumbers(t *testing.T) {
	metrics, _ := serve(t, &apiServer{})
	for authorization, want := range map[string]string{
		"Bearer good": "numbers", "Bearer other": "lacks the verb get for the nonResourceURL /metrics", "Bearer bad": "a bearer token of this cluster is needed",
	} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Header.Set("Authorization", authorization)
		metrics.Config.Handler.ServeHTTP(answer, request)
		if got := answer.Body.String(); !strings.Contains(got, want) || strings.Contains(got, "numbers") != (want == "numbers") {
			t.Errorf("%s: %q", authorization, got)
		}
	}
}

func TestTheLongestTokenIsAskedAbout(t *testing.T) {
	api := &apiServer{}
	_, scrape := guarded(t, api)
	if status, err := scrape(t.Context(), strings.Repeat("x", longestToken)); status != http.StatusUnauthorized || err != nil || api.asked.Load() != 1 {
		t.Errorf("%d, %v after %d questions", status, err, api.asked.Load())
	}
}

// reviews fail of one kind.
type reviews struct {
	apiServer
	fails string
}

func (r *reviews) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if r.fails != "" && strings.HasSuffix(request.URL.Path, r.fails) {
		http.Error(w, "no", http.StatusInternalServerError)
		return
	}
	r.apiServer.ServeHTTP(w, request)
}

func TestAFailedReviewRefusesNobodyForLater(t *testing.T) {
	for _, fails := range []string{"/tokenreviews", "/subjectaccessreviews"} {
		api := &reviews{fails: fails}
		_, scrape := guarded(t, api)
		if status, err := scrape(t.Context(), "good"); err == nil || status != 0 {
			t.Errorf("%s fails: %d, %v", fails, status, err)
		}
		api.fails = ""
		if status, err := scrape(t.Context(), "good"); status != http.StatusOK || err != nil {
			t.Errorf("%s failed a moment ago: %d, %v", fails, status, err)
		}
	}
}

func TestWhatIsKnownWaitsForNoTurn(t *testing.T) {
	g, scrape := guarded(t, &apiServer{})
	tokens := map[string]int{"good": http.StatusOK, "other": http.StatusForbidden, "bad": http.StatusUnauthorized}
	for token, want := range tokens {
		if status, err := scrape(t.Context(), token); status != want {
			t.Fatal(token, status, err)
		}
	}
	fill(g.strangersTurns, g.friendsTurns)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for token, want := range tokens {
		if status, err := scrape(ended, token); status != want || err != nil {
			t.Errorf("%s: %d, %v", token, status, err)
		}
	}
}

func TestAnUnknownTokenWaitsForATurnOfItsOwnKind(t *testing.T) {
	api := &apiServer{}
	g, scrape := guarded(t, api)
	fill(g.strangersTurns)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if status, err := scrape(short, "good"); status != 0 || !errors.Is(err, context.DeadlineExceeded) || api.asked.Load() != 0 {
		t.Errorf("%d, %v after %d questions", status, err, api.asked.Load())
	}
}

// Who lost the right has no turn among those who have it: else whoever had it once could ask without end.
func TestWhoLostTheRightWaitsWithStrangers(t *testing.T) {
	api := &apiServer{}
	g, scrape := guarded(t, api)
	if status, err := scrape(t.Context(), "good"); status != http.StatusOK {
		t.Fatal(status, err)
	}
	g.forget()
	api.revoked.Store(true)
	if status, err := scrape(t.Context(), "good"); status != http.StatusForbidden {
		t.Fatal(status, err)
	}
	g.forget()
	fill(g.strangersTurns)
	before := api.asked.Load()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if status, err := scrape(short, "good"); !errors.Is(err, context.DeadlineExceeded) || api.asked.Load() != before {
		t.Errorf("%d, %v after %d more questions", status, err, api.asked.Load()-before)
	}
}

// waiting tells when somebody begins to wait with it.
type waiting struct {
	context.Context
	once  sync.Once
	begun chan struct{}
}

func (w *waiting) Done() <-chan struct{} {
	w.once.Do(func() { close(w.begun) })
	return w.Context.Done()
}

func TestOrderOneQuestionServesAllWhoWaitedWithIt(t *testing.T) {
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		api := &apiServer{}
		g, scrape := guarded(t, api)
		if status, err := scrape(t.Context(), "good"); status != http.StatusOK {
			t.Fatal(status, err)
		}
		key, ok := g.allowed.Keys()[0].([32]byte)
		if !ok {
			t.Fatal("it is kept by something else")
		}
		g.forget()
		g.friends.Remove(key)
		fill(g.strangersTurns)
		before, ctx := api.asked.Load(), &waiting{Context: t.Context(), begun: make(chan struct{})}
		answer := make(chan int, 1)
		go func() {
			status, _ := scrape(ctx, "good")
			answer <- status
		}()
		<-ctx.begun // it was not known a moment ago, and there is no turn
		g.remember(key, want)
		<-g.strangersTurns
		if got := <-answer; got != want || api.asked.Load() != before {
			t.Errorf("%d after %d more questions, want %d", got, api.asked.Load()-before, want)
		}
	}
}

// hands is a clock that stands still until a test moves it.
type hands struct{ now time.Time }

func (h *hands) Now() time.Time { return h.now }

func TestForHowLongAnAnswerIsKept(t *testing.T) {
	type known struct{ answered, friend bool }
	for _, test := range []struct {
		name   string
		status int
		after  time.Duration
		want   known
	}{
		{"who may read, within a minute", http.StatusOK, keepAllowed - time.Second, known{true, true}},
		{"who may read, after a minute: it is asked again, and does not wait behind strangers", http.StatusOK, keepAllowed + time.Second, known{false, true}},
		{"who may read, within an hour", http.StatusOK, lately - time.Second, known{false, true}},
		{"who may read, after an hour", http.StatusOK, lately + time.Second, known{false, false}},
		{"who may not, within ten seconds", http.StatusForbidden, keepRefused - time.Second, known{true, false}},
		{"who may not, after ten seconds", http.StatusForbidden, keepRefused + time.Second, known{false, false}},
		{"whose token is none, after ten seconds", http.StatusUnauthorized, keepRefused + time.Second, known{false, false}},
	} {
		clock := &hands{time.Unix(1e9, 0)}
		made := func() *cache.LRUExpireCache { return cache.NewLRUExpireCacheWithClock(mostAnswers, clock) }
		g, key := &guard{allowed: made(), refused: made(), friends: made()}, [32]byte{1}
		g.remember(key, test.status)
		clock.now = clock.now.Add(test.after)
		status, answered := g.remembered(key)
		_, friend := g.friends.Get(key)
		if got := (known{answered, friend}); got != test.want || answered && status != test.status {
			t.Errorf("%s: %+v, status %d", test.name, got, status)
		}
	}
}

func TestWithoutAClientThereIsNoFilter(t *testing.T) {
	if filter, err := Filter(&rest.Config{Host: "http://[::1"}, http.DefaultClient); err == nil || filter != nil || !strings.Contains(err.Error(), "token reviews") {
		t.Errorf("an address that is none: %v", err)
	}
}
