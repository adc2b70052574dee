package metricsaccess

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
)

// apiServer answers reviews: of "good" and "other" it knows the users, and "good" may get /metrics.
type apiServer struct {
	asked, failing atomic.Int64
	// revoked takes the right from "good".
	revoked    atomic.Bool
	block      chan struct{}
	open, most atomic.Int64
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	now := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	if s.block != nil {
		<-s.block
	}
	if s.failing.Load() > 0 {
		http.Error(w, "no: good", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/tokenreviews") {
		var review authenticationv1.TokenReview
		if json.NewDecoder(r.Body).Decode(&review) == nil && slices.Contains([]string{"good", "other", "denied"}, review.Spec.Token) {
			review.Status.Authenticated = true
			review.Status.User = authenticationv1.UserInfo{Username: review.Spec.Token, UID: "1", Groups: []string{"scrapers"},
				Extra: map[string]authenticationv1.ExtraValue{"pod": {"prometheus"}}}
		}
		_ = json.NewEncoder(w).Encode(review)
		return
	}
	var review authorizationv1.SubjectAccessReview
	if json.NewDecoder(r.Body).Decode(&review) == nil {
		spec := review.Spec
		review.Status.Allowed = spec.User == "good" && !s.revoked.Load() && spec.UID == "1" && spec.Groups[0] == "scrapers" && spec.Extra["pod"][0] == "prometheus" &&
			spec.NonResourceAttributes.Path == "/metrics" && spec.NonResourceAttributes.Verb == "get"
		if spec.User == "denied" {
			review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}
		}
	}
	_ = json.NewEncoder(w).Encode(review)
}

func serve(t *testing.T, api *apiServer) (*httptest.Server, *[]string) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	filter, err := Filter(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	log := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	handler, err := filter(log, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("numbers")) }))
	if err != nil {
		t.Fatal(err)
	}
	metrics := httptest.NewServer(handler)
	t.Cleanup(metrics.Close)
	return metrics, &lines
}

func get(t *testing.T, method, url, authorization string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestWhoMayReadTheMetrics(t *testing.T) {
	for _, test := range []struct {
		name, method, path, authorization string
		want, asked                       int
	}{
		{"a scraper with the right", "GET", "/metrics", "Bearer good", 200, 2},
		{"the scheme in another case, more spaces", "GET", "/metrics", "bearer   good ", 200, 2},
		{"no token", "GET", "/metrics", "", 401, 0},
		{"another scheme", "GET", "/metrics", "Basic good", 401, 0},
		{"a scheme alone", "GET", "/metrics", "Bearer", 401, 0},
		{"an unknown token", "GET", "/metrics", "Bearer bad", 401, 1},
		{"a token that is too long", "GET", "/metrics", "Bearer " + strings.Repeat("x", longestToken+1), 401, 0},
		{"a user without the right", "GET", "/metrics", "Bearer other", 403, 2},
		{"another verb", "POST", "/metrics", "Bearer good", 403, 2},
		{"another path", "GET", "/debug", "Bearer good", 403, 2},
		{"one authorizer allows, another denies", "GET", "/metrics", "Bearer denied", 403, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &apiServer{}
			metrics, _ := serve(t, api)
			for range 3 { // the second and third time from memory
				if got := get(t, test.method, metrics.URL+test.path, test.authorization); got != test.want {
					t.Errorf("status %d", got)
				}
			}
			if got := int(api.asked.Load()); got != test.asked {
				t.Errorf("it asks %d times", got)
			}
		})
	}
}

func TestAnswersOfOneTokenVerbAndPathServeNoOther(t *testing.T) {
	metrics, _ := serve(t, &apiServer{})
	for range 2 {
		for authorization, want := range map[string]int{"Bearer good": 200, "Bearer other": 403, "Bearer bad": 401} {
			if got := get(t, "GET", metrics.URL+"/metrics", authorization); got != want {
				t.Errorf("%s: %d", authorization, got)
			}
		}
		if got := get(t, "GET", metrics.URL+"/other", "Bearer good"); got != 403 {
			t.Errorf("another path: %d", got)
		}
		if got := get(t, "POST", metrics.URL+"/metrics", "Bearer good"); got != 403 {
			t.Errorf("another verb: %d", got)
		}
	}
}

func TestAFailedReviewGivesNothingAwayAndIsNotKept(t *testing.T) {
	api := &apiServer{}
	api.failing.Store(1)
	metrics, lines := serve(t, api)
	if got := get(t, "GET", metrics.URL+"/metrics", "Bearer good"); got != 500 {
		t.Errorf("status %d", got)
	}
	if len(*lines) != 1 || strings.Contains((*lines)[0], "good") {
		t.Errorf("it logs %q", *lines)
	}
	api.failing.Store(0)
	if got := get(t, "GET", metrics.URL+"/metrics", "Bearer good"); got != 200 {
		t.Errorf("later: %d", got)
	}
}

func TestWhoTriesManyTokensAsksFewQuestionsAtATime(t *testing.T) {
	api := &apiServer{block: make(chan struct{})}
	metrics, _ := serve(t, api)
	goOn := sync.OnceFunc(func() { close(api.block) })
	t.Cleanup(goOn) // else the servers would wait for ever for what they were asked
	done := make(chan int, 40)
	for i := range 40 {
		go func() {
			request, _ := http.NewRequestWithContext(t.Context(), "GET", metrics.URL+"/metrics", nil)
			request.Header.Set("Authorization", "Bearer "+strings.Repeat("x", i+1))
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				done <- 0
				return
			}
			_ = response.Body.Close()
			done <- response.StatusCode
		}()
	}
	deadline := time.After(20 * time.Second)
	for api.open.Load() < mostQuestions {
		select {
		case <-deadline:
			t.Fatalf("%d questions are asked at a time", api.open.Load())
		case <-time.After(time.Millisecond):
		}
	}
	<-time.After(50 * time.Millisecond) // who asks in spite of the bound may take a moment
	goOn()
	for range 40 {
		if got := <-done; got != 401 {
			t.Errorf("status %d", got)
		}
	}
	if most := api.most.Load(); most > mostQuestions {
		t.Errorf("%d questions at a time", most)
	}
}

func TestWhoTriesManyTokensKeepsNoScraperOut(t *testing.T) {
	api := &apiServer{}
	metrics, _ := serve(t, api)
	if got := get(t, "GET", metrics.URL+"/metrics", "Bearer good"); got != 200 {
		t.Fatalf("status %d", got)
	}
	for i := range mostAnswers + 1 {
		if got := get(t, "GET", metrics.URL+"/metrics", "Bearer "+strconv.Itoa(i)); got != 401 {
			t.Fatalf("status %d", got)
		}
	}
	before := api.asked.Load()
	if got := get(t, "GET", metrics.URL+"/metrics", "Bearer good"); got != 200 || api.asked.Load() != before {
		t.Errorf("status %d, and it asks %d times about a scraper that it let in", got, api.asked.Load()-before)
	}
}

func TestAScraperThatWasLetInDoesNotWaitBehindUnknownTokens(t *testing.T) {
	api := &apiServer{}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	filter, err := Filter(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	handler, err := filter(funcr.New(func(string, string) {}, funcr.Options{}), http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	g, ok := handler.(*guard)
	if !ok {
		t.Fatalf("it is a %T", handler)
	}
	scrape := func(ctx context.Context) (int, error) {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer good")
		return g.status(r)
	}
	if status, err := scrape(t.Context()); status != 200 {
		t.Fatal(status, err)
	}
	for range mostQuestions { // all turns are taken, and what was let in has to be asked about again
		g.strangersTurns <- struct{}{}
	}
	for _, key := range g.allowed.Keys() {
		g.allowed.Remove(key)
	}
	if status, err := scrape(t.Context()); status != 200 {
		t.Error(status, err)
	}
	for _, key := range append(g.allowed.Keys(), g.friends.Keys()...) {
		g.allowed.Remove(key)
		g.friends.Remove(key)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scrape(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("an unknown token finds a turn: %v", err)
	}
}
