package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/registry"
)

// What was answered is known, whatever became of the time since, and of it nothing is left out.
func TestAnAnswerCountsThoughTheTimeIsOver(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	gone, giveUp := context.WithCancel(t.Context())
	giveUp()
	for name, ctx := range map[string]context.Context{"in time": t.Context(), "out of time": over, "given up": gone} {
		for _, test := range []struct {
			step   Step
			err    error
			reason Reason
			status int
			wait   time.Duration
		}{
			{StepBasic, &transport.Error{StatusCode: http.StatusUnauthorized}, LoginFailed, 401, 0},
			{StepHead, &transport.Error{StatusCode: http.StatusNotFound}, ImageNotFound, 404, 0},
			{StepPing, errNoChallenge, RegistryError, 401, 0},
			{StepToken, &redirectError{code: 307}, RedirectRefused, 307, 0},
			{StepToken, &statusError{code: 429, retryAfter: 7 * time.Second}, RateLimited, 429, 7 * time.Second},
			{StepHead, &statusError{code: 503, retryAfter: 7 * time.Second}, RegistryError, 503, 7 * time.Second},
		} {
			s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
			got := s.failure(ctx, test.step, errors.Join(errors.New("beside it"), test.err))
			if got.Reason != test.reason || got.StatusCode != test.status || got.RetryAfter != test.wait || got.Step != test.step {
				t.Errorf("%s, %v: %s, status %d, %s", name, test.err, got.Reason, got.StatusCode, got.RetryAfter)
			}
		}
	}
}

// Behind a proxy that made its connection it is the registry that is silent.
func TestWhoIsSilentIsTheProxyOnlyUntilItHasConnected(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	way := &route{}
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, way)}
	u, err := proxy.ParseURL("http://proxy.example:3128")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
		want Reason
	}{
		{"without a proxy", func() {}, Timeout},
		{"while it connects", func() { way.begin(&proxy.Server{URL: u}) }, ProxyFailed},
		{"while it connects once more", func() { way.begin(&proxy.Server{URL: u}); way.end() }, ProxyFailed},
		{"when it has connected", way.end, Timeout},
	} {
		step.do()
		if got := s.failure(over, StepPing, fmt.Errorf("late: %w", context.DeadlineExceeded)); got.Reason != step.want {
			t.Errorf("%s: %s, want %s", step.name, got.Reason, step.want)
		}
	}
}

// Docker Hub is asked under another host than its images are written with, and upper case letters are no others to whom addresses are given.
func TestASessionKnowsItsRegistryByTheAddressThatIsDialled(t *testing.T) {
	credential, err := dockerconfig.NewCredential("u", "p")
	if err != nil {
		t.Fatal(err)
	}
	for host, dialled := range map[string]string{
		"docker.io": "index.docker.io:443", "ghcr.io": "ghcr.io:443", "R.Example:5000": "r.example:5000", "r.example:5000": "r.example:5000",
	} {
		var roots string
		v := New(Options{RootCAs: func(registry string) *x509.CertPool { roots = registry; return nil }})
		for _, named := range []bool{true, false} {
			s, err := v.open(host, credential, named)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.transport.route.isNamed(dialled); got != named || s.transport.route.isNamed("elsewhere.example:443") || roots != registry.Address(host) {
				t.Errorf("%s, which is named: %t: at %s it is taken for named: %t, and its authorities are asked for as %s", host, named, dialled, got, roots)
			}
			s.close()
		}
	}
}

// What a dialler wraps around it names addresses once more, and nothing that a person could do.
func TestAnAddressThatIsRefusedIsToldInOurOwnWords(t *testing.T) {
	refused := checkAddress(netip.MustParseAddr("127.0.0.1"), false)
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
	for step, want := range map[Step]Reason{StepPing: AddressRefused, StepToken: TokenRealmRefused} {
		got := s.failure(t.Context(), step, &net.OpError{Op: "dial", Net: "tcp", Err: refused})
		if got.Reason != want || got.detail != "127.0.0.1 is a loopback address" {
			t.Errorf("%s: %s, %q", step, got.Reason, got.detail)
		}
	}
}

func TestOfSeveralImagesThatAreDeniedTheOneThatTheValueInUsePullsIsNamed(t *testing.T) {
	e := evidence{hostQuestion: hostQuestion{host: "r.io"}, login: login(LoginAccepted, 200), pulls: []Result{pulled("r.io/a", PullDenied), pulled("r.io/b", PullDenied)},
		inUsePulls: map[string]Result{"r.io/a": pulled("r.io/a", PullDenied), "r.io/b": pulled("r.io/b", PullAllowed)}}
	if got := e.judge(false); got.Verdict != ValueRejected || !strings.Contains(got.Message, "r.io/b with it") {
		t.Errorf("%+v", got)
	}
}
