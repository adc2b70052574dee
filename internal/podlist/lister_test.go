package podlist_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/test/silentserver"
)

// cluster answers lists of pods as an API server does: page by page.
type cluster struct {
	mutex    sync.Mutex
	pods     map[string][]string // JSON by namespace
	requests []string
	hangs    string // the namespace whose pods take for ever
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.hangs != "" && strings.Contains(r.URL.Path, "/"+c.hangs+"/") {
		silentserver.Handle(w, r)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	query := r.URL.Query()
	c.requests = append(c.requests, r.URL.Path+" "+query.Get("fieldSelector")+query.Get("continue"))
	if query.Has("resourceVersion") || query.Get("limit") == "" {
		http.Error(w, "not page by page", http.StatusBadRequest)
		return
	}
	var pods []string
	if namespace, one := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/pods"), "/api/v1/namespaces/"); one {
		pods = c.pods[namespace]
	} else {
		for _, namespace := range sorted(c.pods) {
			pods = append(pods, c.pods[namespace]...)
		}
	}
	start, limit := 0, 0
	fmt.Sscan(query.Get("continue"), &start)
	fmt.Sscan(query.Get("limit"), &limit)
	next, end := "", len(pods)
	if end > start+limit {
		end = start + limit
		next = fmt.Sprint(end)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":%q},"items":[%s]}`, next, strings.Join(pods[start:end], ","))
}

func sorted(pods map[string][]string) []string {
	var names []string
	for name := range pods {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func pod(namespace, name, secret, image, padding string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":%q,"name":%q},"spec":{"imagePullSecrets":[{"name":%q}],"containers":[{"args":[%q],"image":%q}]},"status":{"phase":"Running"}}`,
		namespace, name, secret, padding, image)
}

func (c *cluster) add(namespace string, count int, secret, image, padding string) {
	for i := range count {
		c.pods[namespace] = append(c.pods[namespace], pod(namespace, fmt.Sprintf("p%d", i), secret, image, padding))
	}
}

func start(t *testing.T) (*cluster, *podlist.Lister) {
	t.Helper()
	c := &cluster{pods: map[string][]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	lister, err := podlist.New(&rest.Config{Host: server.URL, QPS: -1}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	lister.SampleTime = time.Minute // a machine under load is no reason to find less
	return c, lister
}

func anyImage(string) bool { return true }

func TestEachReadsPageAfterPage(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 250, "pull", "r.io/a", "")
	count := 0
	truncated, err := lister.Each(t.Context(), "shop", "status.phase=Running", func(podlist.Pod) bool { count++; return true })
	if err != nil || truncated || count != 250 {
		t.Errorf("%d pods, truncated %t, error %v", count, truncated, err)
	}
	want := []string{"/api/v1/namespaces/shop/pods status.phase=Running", "/api/v1/namespaces/shop/pods status.phase=Running100", "/api/v1/namespaces/shop/pods status.phase=Running200"}
	if !reflect.DeepEqual(c.requests, want) {
		t.Errorf("asked %q", c.requests)
	}
}

func TestEachEndsWhereVisitSaysSo(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 250, "pull", "r.io/a", "")
	count := 0
	if truncated, err := lister.Each(t.Context(), "", "", func(podlist.Pod) bool { count++; return count < 120 }); err != nil || truncated || count != 120 || len(c.requests) != 2 {
		t.Errorf("%d pods, %d requests, truncated %t, error %v", count, len(c.requests), truncated, err)
	}
}

func TestEachHeedsItsContext(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 250, "pull", "r.io/a", "")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lister.Each(ctx, "shop", "", func(podlist.Pod) bool { cancel(); return true }); err == nil {
		t.Error("a canceled look ends without an error")
	}
}

func TestAnAnswerThatIsAnErrorIsOne(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	lister, err := podlist.New(&rest.Config{Host: server.URL}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lister.Each(t.Context(), "shop", "", func(podlist.Pod) bool { return true }); err == nil || !strings.Contains(err.Error(), "namespace shop") {
		t.Errorf("error %v", err)
	}
}

func TestImagesInUseAreDifferentAndMatch(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 5, "pull", "r.io/a", "")
	c.add("shop", 1, "pull", "r.io/b", "")
	c.add("shop", 1, "pull", "other.io/b", "")
	got, err := lister.InUse(t.Context(), []string{"shop", "empty"}, func(image string) bool { return strings.HasPrefix(image, "r.io/") }, 3)
	if slices.Sort(got); err != nil || !reflect.DeepEqual(got, []string{"r.io/a", "r.io/b"}) {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestOneNamespaceDoesNotChooseAllImagesWhereOthersHaveSome(t *testing.T) {
	c, lister := start(t)
	for i := range 10 {
		c.add("hostile", 1, "pull", fmt.Sprint("r.io/hostile-", i), "")
	}
	c.add("shop", 2, "pull", "r.io/a", "")
	c.add("web", 1, "pull", "r.io/b", "")
	for seed := range uint64(20) { // whoever comes first
		lister.IntN = rand.New(rand.NewPCG(seed, 2)).IntN
		got, err := lister.InUse(t.Context(), []string{"hostile", "shop", "web"}, anyImage, 3)
		if err != nil || len(got) != 3 || !slices.Contains(got, "r.io/a") || !slices.Contains(got, "r.io/b") {
			t.Fatalf("got %q, error %v", got, err)
		}
	}
}

func TestANamespaceWhosePodsTakeForEverIsLeftOut(t *testing.T) {
	c, lister := start(t)
	c.hangs = "hostile"
	lister.SampleTime = time.Second
	c.add("shop", 1, "pull", "r.io/a", "")
	for seed := range uint64(3) {
		lister.IntN = rand.New(rand.NewPCG(seed, 2)).IntN
		got, err := lister.InUse(t.Context(), []string{"hostile", "shop"}, anyImage, 3)
		if err != nil || !slices.Equal(got, []string{"r.io/a"}) {
			t.Errorf("got %q, error %v", got, err)
		}
	}
}

func TestInUseReadsFewNamespacesAndEachInTurn(t *testing.T) {
	c, lister := start(t)
	var namespaces []string
	for i := range 30 {
		namespaces = append(namespaces, fmt.Sprintf("n%d", i))
	}
	seen := map[string]bool{}
	lister.IntN = rand.New(rand.NewPCG(1, 2)).IntN
	for range 60 {
		c.requests = nil
		if _, err := lister.InUse(t.Context(), namespaces, anyImage, 3); err != nil {
			t.Fatal(err)
		}
		unique := slices.Compact(slices.Sorted(slices.Values(c.requests)))
		if len(c.requests) != 10 || len(unique) != 10 {
			t.Fatalf("%d requests, %d different", len(c.requests), len(unique))
		}
		for _, request := range unique {
			seen[request] = true
		}
	}
	if len(seen) != len(namespaces) {
		t.Errorf("only %d of %d namespaces were ever looked at", len(seen), len(namespaces))
	}
}

func TestLargePodsOfOneNamespaceEndTheLookThereAndNowhereElse(t *testing.T) {
	c, lister := start(t)
	c.add("hostile", 10, "pull", "other.io/a", strings.Repeat("x", 1<<20))
	c.pods["hostile"] = append(c.pods["hostile"], pod("hostile", "last", "pull", "r.io/behind", ""))
	c.add("shop", 1, "pull", "r.io/a", "")
	got, err := lister.InUse(t.Context(), []string{"hostile", "shop"}, func(image string) bool { return strings.HasPrefix(image, "r.io/") }, 3)
	if err != nil || !reflect.DeepEqual(got, []string{"r.io/a"}) {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestRunningPodsAreCountedAndSomeAreNamed(t *testing.T) {
	for _, test := range []struct {
		name       string
		namespaces int
		requests   int
	}{
		{"a few namespaces are asked each", 3, 3},
		{"as many as are asked each", 20, 20},
		{"one more is asked with all together", 21, 1},
		{"many are asked together", 60, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, lister := start(t)
			var namespaces []string
			for i := range test.namespaces {
				namespaces = append(namespaces, fmt.Sprintf("n%d", i))
			}
			c.add("n0", 30, "pull", "r.io/a", "")
			c.add("n0", 2, "another", "r.io/a", "")
			c.add("n1", 2, "pull", "other.io/a", "")
			c.add("foreign", 3, "pull", "r.io/a", "")
			got, err := lister.Running(t.Context(), namespaces, "pull", func(image string) bool { return strings.HasPrefix(image, "r.io/") })
			if err != nil || got.Count != 30 || len(got.Names) != podlist.NamesKept || got.Names[0] != "n0/p0" || got.Truncated || len(c.requests) != test.requests {
				t.Errorf("got %+v after %d requests, error %v", got, len(c.requests), err)
			}
		})
	}
}

func TestWhereNoImageIsWantedNobodyIsAsked(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 1, "pull", "r.io/a", "")
	if got, err := lister.InUse(t.Context(), []string{"shop", "web"}, anyImage, 0); err != nil || len(got) != 0 || len(c.requests) != 0 {
		t.Errorf("got %q after %q, error %v", got, c.requests, err)
	}
}

func TestOfANamespaceOnePageIsLookedAtForImages(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 20, "pull", "other.io/a", "")
	c.add("shop", 1, "pull", "r.io/behind", "")
	got, err := lister.InUse(t.Context(), []string{"shop"}, func(image string) bool { return strings.HasPrefix(image, "r.io/") }, 3)
	if err != nil || len(got) != 0 || len(c.requests) != 1 {
		t.Errorf("got %q after %q, error %v", got, c.requests, err)
	}
}

func TestBehindEnoughImagesNothingIsRead(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 1, "pull", "r.io/a", "")
	c.pods["shop"] = append(c.pods["shop"], "no pod at all")
	if got, err := lister.InUse(t.Context(), []string{"shop"}, anyImage, 1); err != nil || !slices.Equal(got, []string{"r.io/a"}) {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestThatANamespaceCannotBeReadIsAnError(t *testing.T) {
	c, lister := start(t)
	c.add("shop", 1, "pull", "r.io/a", "")
	c.pods["broken"] = []string{"no pod at all"}
	if _, err := lister.InUse(t.Context(), []string{"shop", "broken"}, anyImage, 3); err == nil || !strings.Contains(err.Error(), "namespace broken") {
		t.Errorf("images in use: %v", err)
	}
	if got, err := lister.Running(t.Context(), []string{"shop", "broken"}, "pull", anyImage); err == nil || got.Count != 0 {
		t.Errorf("running pods: %+v, %v", got, err)
	}
}

func TestAListerThatCannotBeMadeIsAnError(t *testing.T) {
	if lister, err := podlist.New(&rest.Config{Host: "http://[::1"}, http.DefaultClient); err == nil || lister != nil {
		t.Errorf("an address that is none: %v", err)
	}
	lister, err := podlist.New(&rest.Config{Host: "http://127.0.0.1:1"}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]string{"": "in all namespaces", "shop": "in namespace shop"} {
		if _, err := lister.Each(t.Context(), namespace, "", func(podlist.Pod) bool { return true }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", namespace, err)
		}
	}
}
