package podlist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/test/silentserver"
)

// answers is what an API server says to each request.
type answers func(*http.Request) io.Reader

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(a(r)), Request: r}, nil
}

func listerOf(t *testing.T, a answers) *Lister {
	t.Helper()
	lister, err := New(&rest.Config{Host: "http://127.0.0.1:1", QPS: -1}, &http.Client{Transport: a})
	if err != nil {
		t.Fatal(err)
	}
	return lister
}

// pageOf is a page with one pod.
func pageOf(next, pod string) string {
	return fmt.Sprintf(`{"metadata":{"continue":%q},"items":[{"metadata":{"namespace":"shop","name":%q},"spec":{"imagePullSecrets":[{"name":"pull"}],"containers":[{"image":"r.io/a"}]}}]}`, next, pod)
}

func TestALookReadsSoMuchAndSaysWhereThatIsNotAll(t *testing.T) {
	first, second := pageOf("2", "a"), pageOf("", "b")
	both := int64(len(first) + len(second))
	for _, test := range []struct {
		name      string
		bytes     int64
		pages     int
		pods      []string
		truncated bool
	}{
		{"there is room for just both pages", both, 0, []string{"a", "b"}, false},
		{"one byte less, and what was read before counts", both - 1, 0, []string{"a", "b"}, true},
		{"for just the first page", int64(len(first)), 0, []string{"a"}, true},
		{"for nothing", 0, 0, nil, true},
		{"two pages are read at most", both, 2, []string{"a", "b"}, false},
		{"one page is read at most", both, 1, []string{"a"}, true},
	} {
		asked := 0
		lister := listerOf(t, func(r *http.Request) io.Reader {
			if asked++; r.URL.Query().Get("continue") == "2" {
				return strings.NewReader(second)
			}
			return strings.NewReader(first)
		})
		var pods []string
		truncated, err := lister.each(t.Context(), query{bytes: test.bytes, page: 1, pages: test.pages}, func(pod Pod) bool { pods = append(pods, pod.Name); return true })
		if err != nil || truncated != test.truncated || !slices.Equal(pods, test.pods) || test.pages > 0 && asked != test.pages {
			t.Errorf("%s: %q after %d requests, truncated %t, error %v", test.name, pods, asked, truncated, err)
		}
	}
}

// A value waits for the images in use: for two seconds, unless somebody says otherwise.
func TestHowMuchIsReadUnlessSomebodySaysOtherwise(t *testing.T) {
	if lister := listerOf(t, nil); lister.SampleTime != 2*time.Second || lister.Bytes != MaxBytes {
		t.Errorf("for %s, and %d bytes", lister.SampleTime, lister.Bytes)
	}
}

// endless is a text that has no end, and costs little: much of it is read.
type endless struct{ block []byte }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.block), nil }

// A count that is not of all pods says so, whichever namespace it was, and the other namespaces are counted.
func TestACountOfRunningPodsSaysWhereItIsNotOfAll(t *testing.T) {
	var selectors []string
	lister := listerOf(t, func(r *http.Request) io.Reader {
		selectors = append(selectors, r.URL.Query().Get("fieldSelector"))
		if !strings.Contains(r.URL.Path, "/large/") {
			return strings.NewReader(pageOf("", "a"))
		}
		return io.MultiReader(strings.NewReader(strings.TrimSuffix(pageOf("", "b"), `]}`)+`,{"metadata":{"annotations":{"x":"`), endless{bytes.Repeat([]byte("x"), readBuffer)})
	})
	for _, test := range []struct {
		namespaces []string
		count      int
		truncated  bool
	}{{[]string{"shop", "web"}, 2, false}, {[]string{"shop", "large", "web"}, 3, true}} {
		got, err := lister.Running(t.Context(), test.namespaces, "pull", func(image string) bool { return image == "r.io/a" })
		if err != nil || got.Count != test.count || got.Truncated != test.truncated {
			t.Errorf("of %q: %+v, %v", test.namespaces, got, err)
		}
	}
	for _, selector := range selectors {
		if selector != "status.phase=Running" {
			t.Errorf("asked for are pods with %q", selector)
		}
	}
}

// What takes too long is left out where the look itself was too long, and is an error where the caller gave up.
func TestWhoGivesUpIsToldSo(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(silentserver.Handle))
	defer hangs.Close()
	lister, err := New(&rest.Config{Host: hangs.URL}, hangs.Client())
	if err != nil {
		t.Fatal(err)
	}
	lister.SampleTime = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := lister.InUse(ctx, []string{"shop"}, func(string) bool { return true }, 3); !errors.Is(err, context.DeadlineExceeded) || len(got) > 0 {
		t.Errorf("the caller gave up: %q, %v", got, err)
	}
	lister.SampleTime = 50 * time.Millisecond
	if got, err := lister.InUse(t.Context(), []string{"shop"}, func(string) bool { return true }, 3); err != nil || len(got) > 0 {
		t.Errorf("the look was too long: %q, %v", got, err)
	}
}

// An error in one namespace takes nothing away that was found in another one.
func TestWhatWasFoundIsReturnedWithTheError(t *testing.T) {
	asked, found := make(chan struct{}), make(chan struct{})
	lister := listerOf(t, func(r *http.Request) io.Reader {
		if strings.Contains(r.URL.Path, "/broken/") {
			close(asked)
			<-found
			return strings.NewReader(`{"items":[no pod]}`)
		}
		<-asked
		return strings.NewReader(pageOf("", "a"))
	})
	lister.SampleTime = time.Minute
	got, err := lister.InUse(t.Context(), []string{"broken", "shop"}, func(string) bool { close(found); return true }, 1)
	if err == nil || !slices.Equal(got, []string{"r.io/a"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestImagesAreLookedForInFewNamespacesAtOnceAndNoLongerThanNeeded(t *testing.T) {
	var mu sync.Mutex
	asked, atOnce, most := 0, 0, 0
	lister := listerOf(t, func(r *http.Request) io.Reader {
		mu.Lock()
		asked++
		atOnce++
		most = max(most, atOnce)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		atOnce--
		if strings.Contains(r.URL.Path, "/shop") {
			return strings.NewReader(pageOf("", "a"))
		}
		return strings.NewReader(`{"items":[]}`)
	})
	lister.SampleTime = time.Minute
	names := func(of string) (all []string) {
		for i := range namespacesSampled {
			all = append(all, fmt.Sprint(of, i))
		}
		return all
	}
	// The function that is given need not know that several ask.
	var inside atomic.Int32
	oneByOne := func(string) bool {
		if inside.Add(1) > 1 {
			t.Error("it is asked by several at once")
		}
		time.Sleep(5 * time.Millisecond)
		inside.Add(-1)
		return true
	}
	got, err := lister.InUse(t.Context(), names("shop"), oneByOne, 1)
	if err != nil || !slices.Equal(got, []string{"r.io/a"}) || asked > samplesAtOnce || most > 4 {
		t.Errorf("%q, %v: %d namespaces were asked, %d at once", got, err, asked, most)
	}
	asked, most = 0, 0
	got, err = lister.InUse(t.Context(), append(names("none")[1:], "shop"), oneByOne, 1)
	if err != nil || !slices.Equal(got, []string{"r.io/a"}) || most < 2 || most > 4 {
		t.Errorf("where one of ten has some: %q, %v, %d were asked at once", got, err, most)
	}
}

func TestPodsAreAskedForAsJSON(t *testing.T) {
	const protobuf = "application/vnd.kubernetes.protobuf"
	var accepted []string
	lister, err := New(&rest.Config{Host: "http://127.0.0.1:1", ContentConfig: rest.ContentConfig{AcceptContentTypes: protobuf, ContentType: protobuf}},
		&http.Client{Transport: answers(func(r *http.Request) io.Reader {
			accepted = append(accepted, r.Header.Get("Accept"))
			return strings.NewReader(pageOf("", "a"))
		})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lister.Each(t.Context(), "", "", func(Pod) bool { return true }); err != nil || !slices.Equal(accepted, []string{"application/json"}) {
		t.Errorf("%q, %v", accepted, err)
	}
}

// Why a stream ended is told, wherever that was.
func TestWhatBrokeAStreamIsTold(t *testing.T) {
	away := errors.New("away")
	for _, begins := range []string{"", `{"items":[`, `{"items":[{"x":12`, `{"items":[{"x":"a`, `{"items":[{"metadata":{"name":"a`, `{"items":[{"x"`, `{"items":[{}`} {
		lister := listerOf(t, func(*http.Request) io.Reader {
			return io.MultiReader(strings.NewReader(begins), iotest.ErrReader(away))
		})
		if _, err := lister.Each(t.Context(), "", "", func(Pod) bool { return true }); !errors.Is(err, away) {
			t.Errorf("behind %s: %v", begins, err)
		}
	}
}

func TestAnImageThatSeveralNamespacesHaveIsOne(t *testing.T) {
	if got := oneOfEach([][]string{{"a"}, {"a", "b"}, {"c", "a"}}, 4); !slices.Equal(got, []string{"a", "c", "b"}) {
		t.Errorf("%q", got)
	}
}

func TestAListGoesOnOnlyWhereItsTokenExpired(t *testing.T) {
	for reason, want := range map[metav1.StatusReason]string{metav1.StatusReasonExpired: "next", metav1.StatusReasonTooManyRequests: "", metav1.StatusReasonForbidden: ""} {
		err := &apierrors.StatusError{ErrStatus: metav1.Status{Reason: reason, ListMeta: metav1.ListMeta{Continue: "next"}}}
		if got := Resume(err, "before"); got != want {
			t.Errorf("%s: %q", reason, got)
		}
	}
	if got := Resume(nil, "before"); got != "" {
		t.Errorf("%q", got)
	}
}
