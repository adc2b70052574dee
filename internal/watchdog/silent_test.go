package watchdog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// wire answers requests as an API server does. Time passes here without waiting.
type wire struct {
	refuse error
	body   *words
	ctx    context.Context // of the last request
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	w.ctx = request.Context()
	if w.refuse != nil {
		return nil, w.refuse
	}
	w.body.ctx = request.Context()
	return &http.Response{StatusCode: http.StatusOK, Body: w.body}, nil
}

// words are the body of a watch, each with how long it lets one wait. After the last one nothing comes until the request ends.
type words struct {
	ctx     context.Context
	said    []word
	onClose error
}

type word struct {
	after time.Duration
	text  string
	err   error
}

func (w *words) Read(p []byte) (int, error) {
	if len(w.said) == 0 {
		<-w.ctx.Done()
		return 0, w.ctx.Err() // as HTTP/2 ends, without the cause
	}
	next := w.said[0]
	w.said = w.said[1:]
	select {
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	case <-time.After(next.after):
		return copy(p, next.text), next.err
	}
}

func (w *words) Close() error { return w.onClose }

// ask makes a request at a watched server.
func ask(t *testing.T, ctx context.Context, d *Watchdog, wire *wire, query string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://kubernetes.default.svc/api/v1/pods"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.EndSilentWatches(Silence)(wire).RoundTrip(request)
}

func TestWhenASilentWatchEnds(t *testing.T) {
	broken := errors.New("connection reset by peer")
	for _, c := range []struct {
		name  string
		query string
		said  []word
		text  string
		err   error
		lasts time.Duration
		count uint64
	}{
		{"a watch that never says anything", "?watch=true", nil, "", nil, Silence, 1},
		{"a watch that says something just in time", "?watch=1", []word{{after: Silence - 1, text: "a"}, {after: Silence - 1, text: "b"}}, "ab", nil, 3*Silence - 2, 1},
		{"a read that brings nothing is no word", "?watch=true", []word{{after: Silence - 1}, {after: Silence - 1}}, "", nil, Silence, 1},
		{"a watch that breaks says how", "?watch=true", []word{{after: time.Second, text: "a", err: broken}}, "a", broken, time.Second, 0},
		{"a watch that the server ends", "?watch=true", []word{{after: time.Second, text: "a", err: io.EOF}}, "a", nil, time.Second, 0},
		{"a list that takes long", "", []word{{after: 3 * Silence, text: "a", err: io.EOF}}, "a", nil, 3 * Silence, 0},
		{"what says that it is no watch", "?watch=false", []word{{after: 3 * Silence, text: "a", err: io.EOF}}, "a", nil, 3 * Silence, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d Watchdog
				began := time.Now()
				response, err := ask(t, t.Context(), &d, &wire{body: &words{said: c.said}}, c.query)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(response.Body)
				if string(text) != c.text || !errors.Is(err, c.err) {
					t.Errorf("read %q, %v; want %q, %v", text, err, c.text, c.err)
				}
				if lasted := time.Since(began); lasted != c.lasts {
					t.Errorf("it lasted %s, want %s", lasted, c.lasts)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * Silence)
				synctest.Wait()
				if d.SilentWatches() != c.count {
					t.Errorf("%d silent watches are counted, want %d", d.SilentWatches(), c.count)
				}
			})
		})
	}
}

func TestWhatWasReadBeforeASilentWatchEndedIsNotLost(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.EOF)
	body := &heard{ReadCloser: io.NopCloser(strings.NewReader("word")), ctx: ctx, cancel: cancel, timer: time.NewTimer(time.Hour), limit: time.Hour}
	if n, err := body.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestAWatchThatItsClientEndedIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Watchdog
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := ask(t, ctx, &d, &wire{body: &words{}}, "?watch=true"); err != nil {
			t.Fatal(err)
		}
		cancel() // and the answer is closed later
		time.Sleep(2 * Silence)
		synctest.Wait()
		if d.SilentWatches() > 0 {
			t.Errorf("%d silent watches are counted", d.SilentWatches())
		}
	})
}

func TestNothingIsLeftOfAWatchThatIsOver(t *testing.T) {
	var d Watchdog
	away := errors.New("away")
	refused := &wire{refuse: away}
	if _, err := ask(t, t.Context(), &d, refused, "?watch=true"); !errors.Is(err, away) || refused.ctx.Err() == nil {
		t.Errorf("%v; its context: %v", err, refused.ctx.Err())
	}
	closed := &wire{body: &words{onClose: away}}
	response, err := ask(t, t.Context(), &d, closed, "?watch=true")
	if err != nil {
		t.Fatal(err)
	}
	if closed.ctx.Err() != nil {
		t.Error("its context ended before it began")
	}
	if err := response.Body.Close(); !errors.Is(err, away) || closed.ctx.Err() == nil {
		t.Errorf("%v; its context: %v", err, closed.ctx.Err())
	}
}

func TestThatAWatchSaidNothingIsLogged(t *testing.T) {
	before := ctrl.Log
	t.Cleanup(func() { ctrl.Log = before })
	var out bytes.Buffer
	ctrl.Log = zap.New(zap.WriteTo(&out))
	synctest.Test(t, func(t *testing.T) {
		var d Watchdog
		response, err := ask(t, t.Context(), &d, &wire{body: &words{}}, "?watch=true")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(response.Body); err != nil {
			t.Error(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, want := range []string{"said nothing for long", `"watch":"/api/v1/pods"`, `"for":"3m0s"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

// client-go looks for what is below to end requests and to close connections.
func TestWhatIsBelowIsFound(t *testing.T) {
	below := &wire{}
	outer, ok := new(Watchdog).EndSilentWatches(Silence)(below).(interface{ WrappedRoundTripper() http.RoundTripper })
	if !ok || outer.WrappedRoundTripper() != below {
		t.Error("the transport below is hidden")
	}
}

// failing is an answer that breaks off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (failing) Close() error               { return nil }

func TestOnlyASilentWatchEndsAsOneWhoseTimeIsOver(t *testing.T) {
	broken := errors.New("the connection broke")
	for _, test := range []struct {
		name  string
		cause error // why its context ended; nil where it did not
		ended bool
		want  error
	}{
		{"it said nothing", io.EOF, true, io.EOF}, {"its client ended it", nil, true, broken}, {"it broke", nil, false, broken},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if test.ended {
			cancel(test.cause)
		}
		one := &heard{ReadCloser: failing{broken}, ctx: ctx, cancel: cancel, timer: time.NewTimer(time.Hour), limit: time.Hour}
		if _, err := one.Read(nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err := one.Close(); err != nil {
			t.Error(err)
		}
	}
}
