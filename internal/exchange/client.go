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

// throughGate asks a host and reads its answer. Whatever is neither a login nor a refusal shuts a gate, also where only the body shows it,
// as a limit of AWS and a page of a proxy.
func throughGate[T any](ctx context.Context, e *Exchanger, who asker, ask func() (T, *Error)) (T, *Error) {
	if known := e.gates.enter(who, e.now()); known != nil {
		var none T
		return none, known
	}
	got, err := ask()
	if err != nil && ctx.Err() != nil {
		e.gates.giveUp(who, e.now())
		return got, err
	}
	e.gates.leave(who, e.now(), err)
	return got, err
}

// send sends a request, from within [throughGate].
func (e *Exchanger) send(request *http.Request) (answer, *Error) {
	host := request.URL.Host
	response, err := e.client.Do(request)
	if err != nil {
		return answer{}, unreachable(host, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, unreachable(host, err)
	}
	got := answer{response.StatusCode, response.Header, body}
	return got, e.unwell(host, got)
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
func (e *Exchanger) unwell(host string, a answer) *Error {
	switch {
	case a.status >= 300 && a.status < 400:
		return fault(ErrUnavailable, "%s: redirected, which is not followed", host)
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		err := fault(ErrUnavailable, "%s: status %d", host, a.status)
		err.RetryAfter = retryAfter(a.header.Get("Retry-After"), e.now())
		err.ofLogin = a.status == http.StatusTooManyRequests // the clouds count for each account
		return err
	}
	return nil
}

// retryAfter reads the header, which is a number of seconds or a date (RFC 9110, 10.2.3), up to longestPause. It is 0 where the header is
// missing, unreadable or in the past.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestPause)
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), longestPause)
}

// endOf is when a login ends that a cloud gives for at most a time. An end that is said to be later is not believed: what is used for too
// long is found out by pods. One that has passed says that a clock is wrong, since no cloud gives such a login, and to take it would have
// one made after another.
func (e *Exchanger) endOf(host string, said time.Time, life time.Duration) (time.Time, *Error) {
	now := e.now()
	if !said.After(now) {
		return time.Time{}, fault(ErrUnavailable, "%s: the login has ended already: compare the operator's clock with the cloud's", host)
	}
	if longest := now.Add(life); said.After(longest) {
		return longest, nil
	}
	return said, nil
}

// aCode is what the codes of the clouds look like, such as AccessDeniedException and invalid_client.
var aCode = regexp.MustCompile(`^[A-Za-z_]{1,64}$`)

// refused says with which code, if it is one. Each cloud says one: an answer without is that of a proxy on the way.
func refused(host string, status int, code string) *Error {
	if code == "" {
		err := fault(ErrUnavailable, "%s: status %d without a code of the cloud: look for a proxy on the way", host, status)
		err.ofLogin = true // or what was sent is too long, or of a form that the cloud's front door does not let through
		return err
	}
	if !aCode.MatchString(code) {
		return fault(ErrRefused, "%s: status %d", host, status)
	}
	return fault(ErrRefused, "%s: %s", host, code)
}

// decode reads JSON, whose members may be any.
func decode(body []byte, into any) bool { return json.Unmarshal(body, into) == nil }
