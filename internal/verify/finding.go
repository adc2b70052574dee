package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/internal/proxy"
)

// finding is a result in the making.
type finding struct {
	Result
	detail string // in our own words
	advice string // what to do about the detail, where the reason alone does not say it
	way    string // by which the other side was asked, empty for directly
}

func (s *session) found(step Step, reason Reason, status int) finding {
	return finding{Result: Result{Registry: s.registry, Step: step, Reason: reason, StatusCode: status}, way: s.transport.route.describe()}
}

// failure makes a finding of an error. Errors of the library beneath can hold response bodies and URLs: nothing of
// their text goes any further.
func (s *session) failure(ctx context.Context, step Step, err error) finding {
	var (
		address  *addressError
		tlsError *handshakeError
		refused  *proxy.Error
		noRoute  *routeError
	)
	switch {
	case errors.As(err, &refused) && !errors.Is(ctx.Err(), context.Canceled):
		return s.found(step, ProxyFailed, 0).saying(refused.Error())
	case errors.As(err, &noRoute):
		return s.found(step, ProxyFailed, 0).saying(noRoute.Error())
	}
	if found, answered := s.refused(step, err); answered {
		return found
	}
	switch {
	case errors.As(err, &address):
		reason := AddressRefused
		if step == StepToken {
			reason = TokenRealmRefused
		}
		return s.found(step, reason, 0).saying(address.Error())
	case errors.Is(ctx.Err(), context.Canceled):
		return s.found(step, Canceled, 0)
	case ctx.Err() != nil || isTimeout(err):
		return s.timedOut(step)
	case errors.As(err, &tlsError):
		found := s.found(step, TLSFailed, 0)
		found.detail, found.advice = tlsDetail(tlsError.err)
		return found
	}
	return s.noAnswer(step, err)
}

// refused makes a finding of an answer that is not the one that was hoped for, and reports whether there was an answer.
func (s *session) refused(step Step, err error) (finding, bool) {
	var (
		status   *statusError
		redirect *redirectError
		answer   *transport.Error
	)
	switch {
	case errors.As(err, &status):
		found := s.found(step, RegistryError, status.code)
		if status.code == http.StatusTooManyRequests {
			found.Reason = RateLimited
		}
		found.RetryAfter = status.retryAfter
		return found, true
	case errors.As(err, &redirect):
		return s.found(step, RedirectRefused, redirect.code), true
	case errors.As(err, &answer):
		return s.found(step, refusal(step, answer), answer.StatusCode), true
	case errors.Is(err, errNoChallenge):
		return s.found(step, RegistryError, http.StatusUnauthorized).saying("it does not say how to authenticate"), true
	}
	return finding{}, false
}

// timedOut says who did not answer in time: the proxy, while its connection was not there yet.
func (s *session) timedOut(step Step) finding {
	if waits := s.transport.route.waits(); waits != "" {
		return s.found(step, ProxyFailed, 0).saying("the proxy " + waits + " did not answer in time: see whether it is well")
	}
	return s.found(step, Timeout, 0)
}

// saying is the finding with a detail.
func (f finding) saying(detail string) finding {
	f.detail = detail
	return f
}

// refusal reads a status. A 403 for a credential counts only if the registry itself says it, in the form that is
// laid down for its errors (the OCI distribution specification): others send 403 too, such as a firewall on the way.
func refusal(step Step, answer *transport.Error) Reason {
	unauthorized := answer.StatusCode == http.StatusUnauthorized
	forbidden := answer.StatusCode == http.StatusForbidden
	switch {
	case step == StepHead && (unauthorized || forbidden):
		return PullDenied
	case step == StepHead && answer.StatusCode == http.StatusNotFound:
		return ImageNotFound
	case step == StepPing:
		return RegistryError // No credential was shown yet.
	case unauthorized || forbidden && len(answer.Errors) > 0:
		return LoginFailed
	default:
		return RegistryError
	}
}

// noAnswer is for what is left: a connection that failed or broke, or an answer of 200 that cannot be read.
func (s *session) noAnswer(step Step, err error) finding {
	var network net.Error // all that an http.Client returns where it got no response, too
	if !errors.As(err, &network) && !errors.Is(err, io.ErrUnexpectedEOF) {
		found := s.found(step, RegistryError, http.StatusOK)
		found.detail = "the answer is too large or not what it should be"
		return found
	}
	found := s.found(step, Unreachable, 0)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		found.detail = "its name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		found.detail = "the connection was refused"
	default:
		found.detail = "no complete answer came back"
	}
	return found
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// tlsDetail says what is wrong with a handshake, and what helps: for each cause something else does.
func tlsDetail(err error) (detail, advice string) {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an authority that is not trusted", "give its CA in registries.cas of the chart (flag --registry-ca)"
	case errors.As(err, &hostname):
		return "its certificate is for another host", "correct the registry's name or port, or have its certificate name this host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet", "renew its certificate, or set the clock right"
	case errors.As(err, &record):
		return "it does not speak TLS", "correct its port, or list it in registries.insecure of the chart (flag --insecure-registries) if it speaks plain http"
	default:
		version := tls.VersionName(tls.VersionTLS12)
		return fmt.Sprintf("no handshake with %s or newer succeeded", version), fmt.Sprintf("look whether it speaks %s, and at its certificate", version)
	}
}
