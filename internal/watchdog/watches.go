package watchdog

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Silence is how long a watch may say nothing. An API server sends a bookmark about once a minute, if nothing else.
const Silence = 3 * time.Minute

// EndSilentWatches wraps a transport so that a watch over which nothing came for a time ends. Its client then watches on from where it
// was, and learns what it missed. Without this a proxy that keeps a connection open and lost what is behind it leaves a cache with what
// it had for ever: neither end of the connection notices.
func (d *Watchdog) EndSilentWatches(limit time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(inner http.RoundTripper) http.RoundTripper { return watches{inner, limit, &d.silent} }
}

type watches struct {
	http.RoundTripper
	limit time.Duration
	ended *atomic.Uint64
}

func (w watches) RoundTrip(request *http.Request) (*http.Response, error) {
	if !isWatch(request) {
		return w.RoundTripper.RoundTrip(request)
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	response, err := w.RoundTripper.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	timer := time.AfterFunc(w.limit, func() {
		if ctx.Err() != nil {
			return // it ended meanwhile
		}
		w.ended.Add(1)
		ctrl.Log.Info("A watch said nothing for long, and is started again", "watch", request.URL.Path, "for", w.limit.String())
		cancel(io.EOF)
	})
	response.Body = &heard{ReadCloser: response.Body, ctx: ctx, cancel: cancel, timer: timer, limit: w.limit}
	return response, nil
}

// isWatch reports whether a request is a watch. Of thousands of writes none has its query read.
func isWatch(request *http.Request) bool {
	if request.Method != http.MethodGet {
		return false
	}
	watch, err := strconv.ParseBool(request.URL.Query().Get("watch")) // client-go writes "true"
	return err == nil && watch
}

// WrappedRoundTripper is how client-go finds what cancels requests and closes connections.
func (w watches) WrappedRoundTripper() http.RoundTripper { return w.RoundTripper }

// heard is the answer to a watch. Each piece of it starts the timer again.
type heard struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// Read ends a silent watch with io.EOF, as the API server ends one after its time.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if n > 0 {
		h.timer.Reset(h.limit)
	}
	if err != nil && errors.Is(context.Cause(h.ctx), io.EOF) {
		err = io.EOF
	}
	return n, err
}

// Close is called once by whoever watches.
func (h *heard) Close() error {
	h.timer.Stop()
	h.cancel(nil)
	return h.ReadCloser.Close()
}
