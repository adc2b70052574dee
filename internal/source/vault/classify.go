package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/proxy"
)

// classify says which outcome an answer or the lack of one is, or nil for success. It looks at what every path has in
// common; 404 and 403 may need a second look by whoever asked.
func classify(place string, a *answer, err error) *failure {
	if err != nil {
		return classifyError(place, err)
	}
	switch a.status / 100 {
	case 2:
		if len(a.body) > 0 && !a.json {
			return outcomeNotVault.at(place)
		}
		return nil
	case 3:
		return outcomeRedirect.at(place).saying(redirectDetail(a.header))
	case 4:
		return classifyRefusal(place, a)
	}
	if a.status >= 500 {
		return classifyServerError(place, a)
	}
	return outcomeBadRequest.at(place).saying(fmt.Sprintf("status %d", a.status))
}

// classifyRefusal tells the answers 400 to 499 apart.
func classifyRefusal(place string, a *answer) *failure {
	switch a.status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		if mentions(a.content.Errors, "cannot write to readonly storage") { // of a standby that does not know the token yet, before Vault 1.5.4
			return outcomeBehind.at(place)
		}
		return outcomeBadRequest.at(place)
	case http.StatusForbidden:
		return outcomeDenied.at(place)
	case http.StatusNotFound:
		return classifyNotFound(place, a)
	case http.StatusPreconditionFailed:
		return outcomeBehind.at(place)
	case http.StatusTooManyRequests:
		return classifyRateLimit(place, a)
	case 472:
		return outcomeRecovery.at(place)
	case 473:
		return outcomePerfStandby.at(place)
	}
	return outcomeBadRequest.at(place).saying(fmt.Sprintf("status %d", a.status))
}

// classifyNotFound tells the five faces of 404 apart.
func classifyNotFound(place string, a *answer) *failure {
	if !a.json {
		return outcomeNotVault.at(place).saying("status 404")
	}
	if metadata, ok := a.content.Data["metadata"].(map[string]any); ok {
		if destroyed, _ := metadata["destroyed"].(bool); destroyed {
			return outcomeDestroyed.at(place)
		}
		return outcomeDeleted.at(place)
	}
	switch {
	case mentions(a.content.Errors, "no handler for route"):
		return outcomeNoMount.at(place)
	case mentions(a.content.Errors, "namespace not found"):
		return outcomeNoMount.at(place).saying("the Vault namespace does not exist")
	case mentions(a.content.Warnings, "versioned K/V"):
		return outcomeWrongEngine.at(place).saying(isVersion2)
	default:
		return outcomeNeverWritten.at(place)
	}
}

// classifyRateLimit tells a quota of leases, which concerns one mount, from one of requests.
func classifyRateLimit(place string, a *answer) *failure {
	if mentions(a.content.Errors, leaseQuota) {
		return outcomeLeaseQuota.at(place)
	}
	seconds, err := strconv.ParseInt(a.header.Get("Retry-After"), 10, 64)
	if err != nil || seconds <= 0 {
		f := outcomeRateLimited.at(place)
		f.wait = lastProbe
		return f
	}
	f := outcomeRateLimitedFor.at(place)
	f.wait = min(lifetime(seconds), longestPause)
	return f
}

// classifyServerError takes a 5xx for the path's own unless Vault says more. The caller asks the server's health.
func classifyServerError(place string, a *answer) *failure {
	switch {
	case mentions(a.content.Errors, "Vault is sealed"):
		return outcomeSealed.at(place)
	case mentions(a.content.Errors, "active cluster node not found"), mentions(a.content.Errors, "node not active"):
		return outcomeNoActive.at(place)
	default:
		return outcomeServerError.at(place).saying(fmt.Sprintf("status %d", a.status))
	}
}

func classifyError(place string, err error) *failure {
	var (
		unverified  *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
		alert       tls.AlertError
		dial        *net.OpError
		transported *url.Error
		refused     *proxy.Error
	)
	switch {
	case errors.As(err, &refused):
		return outcomeProxy.at(place).because(err).saying(refused.Error())
	case errors.Is(err, errOversized):
		return outcomeOversized.at(place).because(errOversized)
	case errors.As(err, &unverified), errors.As(err, &notTLS), errors.As(err, &alert):
		return outcomeTLS.at(place).because(err).saying(tlsDetail(err))
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return outcomeTLS.at(place).because(err).saying("the server speaks plain HTTP there")
	case errors.As(err, &dial) && dial.Op == "dial":
		return outcomeUnreachable.at(place).because(err).saying("no connection")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return outcomeSlow.at(place).because(err)
	case errors.As(err, &transported) && transported.Timeout():
		return outcomeSlow.at(place).because(err)
	default:
		return outcomeBroken.at(place).because(err)
	}
}

// tlsDetail is the certificate's own fault, which names hosts and dates and no secret.
func tlsDetail(err error) string {
	var transported *url.Error
	if errors.As(err, &transported) {
		err = transported.Err
	}
	const longest = 400
	return foreign.Text(err.Error(), longest)
}

func redirectDetail(header http.Header) string {
	target, err := url.Parse(header.Get("Location"))
	if err != nil || target.Host == "" {
		return "redirected"
	}
	const longestHost = 253
	return fmt.Sprintf("redirected to %s://%s", target.Scheme, foreign.Text(target.Host, longestHost))
}

func mentions(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) })
}
