package verify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/proxy"
)

// When the time is over, what breaks then breaks for that.
func TestWhatBreaksWhenTheTimeIsOverTookTooLong(t *testing.T) {
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	broken := &net.OpError{Op: "read", Err: errors.New("it is closed")}
	for ctx, want := range map[context.Context]Reason{over: Timeout, t.Context(): Unreachable} {
		if found := s.failure(ctx, StepPing, broken); found.Reason != want {
			t.Errorf("%s, want %s", found.Reason, want)
		}
	}
}

func TestOfALongImageThatIsPulledTheBeginningIsShown(t *testing.T) {
	image := "r.io/" + strings.Repeat("i", MaxImageLength-5)
	if said := pulled(image, PullAllowed).Message; len(said) > 2*longestName || !strings.Contains(said, "r.io/iii") {
		t.Errorf("%d bytes: %s", len(said), said)
	}
}

func TestAProxyThatIsNotAskedForPlainHTTPIsNamed(t *testing.T) {
	server := &proxy.Server{URL: &url.URL{Scheme: "http", Host: "proxy.example:3128"}}
	way := &route{options: Options{Proxy: func(string, bool) (*proxy.Server, error) { return server, nil }}}
	if conn, err := way.dialPlain(t.Context(), "tcp", "r.example:80"); conn != nil || err == nil || !strings.Contains(err.Error(), "proxy.example:3128") || !strings.Contains(err.Error(), "r.example:80") || !strings.Contains(err.Error(), "plain http is not sent through a proxy") {
		t.Errorf("%v", err)
	}
}

// Who gives up while a proxy dials learns that, and nothing of the proxy.
func TestWhoGivesUpLearnsNothingOfAProxyThatWasNotDone(t *testing.T) {
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for ctx, want := range map[context.Context]Reason{over: Canceled, t.Context(): ProxyFailed} {
		if found := s.failure(ctx, StepPing, &proxy.Error{Proxy: "proxy.example:3128", Target: "r.io:443", Detail: "no answer in time"}); found.Reason != want {
			t.Errorf("%s, want %s", found.Reason, want)
		}
	}
}

func TestWhyAnAddressIsNotDialledIsSaid(t *testing.T) {
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
	for addr, says := range map[string]string{
		"127.0.0.1": "127.0.0.1 is a loopback address", "169.254.169.254": "169.254.169.254 is a link-local address",
		"fd00:ec2::254": "fd00:ec2::254 is a metadata address", "::ffff:0:224.0.0.1": "224.0.0.1 is a multicast address",
	} {
		err := checkAddress(netip.MustParseAddr(addr), false)
		if got := s.failure(t.Context(), StepPing, err).describe(); got.Reason != AddressRefused || !strings.Contains(got.Message, says) {
			t.Errorf("%s: %+v", addr, got)
		}
	}
}

func TestALongAddressHidesNotWhyItIsNotReached(t *testing.T) {
	err := &routeError{strings.Repeat("x", 5000) + ":443", ErrNotThroughProxy}
	if said := err.Error(); len(said) > 2*longestName+len(ErrNotThroughProxy.Error()) || !strings.HasSuffix(said, ErrNotThroughProxy.Error()) {
		t.Errorf("%d bytes: %s", len(said), said)
	}
}
