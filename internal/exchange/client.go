package exchange

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	// timeout of one request, with its answer.
	timeout = 10 * time.Second
	// maxAnswer is the largest answer that is read, in bytes. Those of the clouds have a few thousand.
	maxAnswer = 64 << 10
	// longestPause bounds what a cloud may ask for with Retry-After.
	longestPause = 2 * time.Minute
)

// NewTransport is how the clouds are reached: through the proxy of the environment, with the system's authorities.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: timeout, MaxResponseHeaderBytes: maxAnswer, IdleConnTimeout: time.Minute,
	}
}

func boundedClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     bounded{transport},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts answers off.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// answer is what a cloud said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request to the cloud through the gate of its host.
func (e *Exchanger) send(request *http.Request) (answer, *Error) {
	host := request.URL.Host
	if known := e.gates.enter(host, e.now()); known != nil {
		return answer{}, known
	}
	got, err := e.sendOnce(request)
	if err == nil {
		err = unwell(host, got)
	}
	e.gates.leave(host, e.now(), err)
	return got, err
}

func (e *Exchanger) sendOnce(request *http.Request) (answer, *Error) {
	response, err := e.client.Do(request)
	if err != nil {
		return answer{}, unreachable(request.URL.Host, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, unreachable(request.URL.Host, err)
	}
	return answer{response.StatusCode, response.Header, body}, nil
}

// unreachable keeps of a cause what is safe to show: an error of the transport names hosts and no secret, one of the body's reader nothing.
func unreachable(host string, cause error) *Error {
	says := "no connection"
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(cause, &tooLarge):
		says = "the answer is too large"
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, context.Canceled), isTimeout(cause):
		says = "no answer in time"
	}
	err := fault(ErrUnavailable, "%s: %s", host, says)
	err.Err = cause
	return err
}

func isTimeout(err error) bool {
	var timed interface{ Timeout() bool }
	return errors.As(err, &timed) && timed.Timeout()
}

// unwell is a failure that says nothing of what was sent.
func unwell(host string, a answer) *Error {
	switch {
	case a.status >= 300 && a.status < 400:
		return fault(ErrUnavailable, "%s: redirected, which is not followed", host)
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		err := fault(ErrUnavailable, "%s: status %d", host, a.status)
		if seconds, cause := strconv.Atoi(a.header.Get("Retry-After")); cause == nil && seconds > 0 {
			err.RetryAfter = min(time.Duration(seconds)*time.Second, longestPause)
		}
		return err
	}
	return nil
}

// aCode is what the codes of the clouds look like, such as AccessDeniedException and invalid_client.
var aCode = regexp.MustCompile(`^[A-Za-z_]{1,64}$`)

// refused says with which code, if it is one.
func refused(host string, status int, code string) *Error {
	if !aCode.MatchString(code) {
		return fault(ErrRefused, "%s: status %d", host, status)
	}
	return fault(ErrRefused, "%s: %s", host, code)
}

// decode reads JSON, whose members may be any.
func decode(body []byte, into any) bool { return json.Unmarshal(body, into) == nil }
