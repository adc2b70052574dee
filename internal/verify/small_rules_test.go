package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/proxy"
)

func TestWhichChallengesHaveOneShowTheCredentialInTheSameWay(t *testing.T) {
	bearer := func(scheme, realm, service string) *transport.Challenge {
		return &transport.Challenge{Scheme: scheme, Parameters: map[string]string{"realm": realm, "service": service}}
	}
	for _, test := range []struct {
		name       string
		one, other *transport.Challenge
		want       bool
	}{
		{"the same endpoint for the same service", bearer("bearer", "https://a/token", "s"), bearer("Bearer", "https://a/token", "s"), true},
		{"another endpoint", bearer("bearer", "https://a/token", "s"), bearer("bearer", "https://b/token", "s"), false},
		{"another service of that endpoint", bearer("bearer", "https://a/token", "s"), bearer("bearer", "https://a/token", "t"), false},
		{"Basic with another text for people", bearer("Basic", "one", ""), bearer("basic", "other", ""), true},
		{"Basic and a token", bearer("basic", "https://a/token", "s"), bearer("bearer", "https://a/token", "s"), false},
	} {
		if sameWay(test.one, test.other) != test.want || sameWay(test.other, test.one) != test.want {
			t.Errorf("%s: not %t", test.name, test.want)
		}
	}
}

func TestWhatSeveralHostsSayIsPutTogether(t *testing.T) {
	accepted, refused, silent := login(LoginAccepted, 200), login(LoginFailed, 401), said("", Timeout, StepPing, 0)
	at := func(host string, e evidence) evidence { e.host = host; return e }
	for _, test := range []struct {
		name  string
		hosts []evidence
		inUse Verdict
		says  string
	}{
		{"nobody was asked about the value in use", []evidence{{login: accepted}, {login: silent}}, "", ""},
		{"one of two was asked", []evidence{{login: accepted}, {login: accepted, inUse: &silent}}, ValueUnknown, silent.Message},
		{"one takes it, and the other one is silent", []evidence{{login: accepted, inUse: &silent}, {login: accepted, inUse: &accepted}}, ValueAccepted, accepted.Message},
		{"one takes it, and the other one refuses it", []evidence{{login: accepted, inUse: &refused}, {login: accepted, inUse: &accepted}}, ValueAccepted, accepted.Message},
		{"one refuses it, and the other one is silent", []evidence{{login: accepted, inUse: &refused}, {login: accepted, inUse: &silent}}, ValueRejected, refused.Message},
		{"one refuses it, and the other one was not asked", []evidence{{login: accepted, inUse: &refused}, {login: accepted}}, ValueRejected, refused.Message},
	} {
		for range 2 {
			slices.Reverse(test.hosts)
			if got := judge(plan{}, test.hosts); got.InUse != test.inUse || got.InUseMessage != test.says {
				t.Errorf("%s: %q, %q", test.name, got.InUse, got.InUseMessage)
			}
		}
	}
	digests := func(image, digest string) evidence {
		pull := pulled(image, PullAllowed)
		pull.Digest = digest
		return evidence{login: accepted, pulls: []Result{pull}}
	}
	got := judge(plan{}, []evidence{at("a", digests("a/x", "sha256:a")), at("b", digests("b/x", "sha256:b"))})
	if want := map[string]string{"a/x": "sha256:a", "b/x": "sha256:b"}; !maps.Equal(got.Digests, want) {
		t.Errorf("the digests are %v", got.Digests)
	}
	for _, test := range []struct {
		hosts []evidence
		none  bool
	}{{[]evidence{{login: silent}, {login: silent}}, true}, {[]evidence{{login: silent}, {login: refused}}, false}, {[]evidence{{login: accepted}, {login: silent}}, false}} {
		if got := judge(plan{}, test.hosts); got.NoRegistry != test.none {
			t.Errorf("%+v", got)
		}
	}
}

func TestImagesThatTheKeysDoNotCoverTakeNoPlaceOfThoseThatTheyDo(t *testing.T) {
	sampled := []string{"r.io/z"}
	for i := range 2 * MaxSampled {
		sampled = append(sampled, fmt.Sprint("other.io/", i), fmt.Sprint("r.io/:::", i))
	}
	if p := (Question{Keys: []string{"r.io"}, Sampled: sampled}).plan(); len(p.hosts) != 1 || !slices.Equal(p.hosts[0].images, []string{"r.io/z"}) {
		t.Errorf("%+v", p)
	}
}

// Whatever the name of an image or a registry is, there is room for what to do.
func TestALongNameHidesNotWhatToDo(t *testing.T) {
	long := "r.example/" + strings.Repeat("x\x1b\n", 1000)
	for reason := range messages {
		for _, step := range []Step{StepToken, StepHead} {
			say := func(registry, image string) string {
				return finding{Result: Result{Registry: registry, Image: image, Step: step, Reason: reason, StatusCode: 503}, detail: "wrong", advice: "do that"}.describe().Message
			}
			short, got := say("r.example", "r.example/a"), say(long, long)
			end := short[max(0, len(short)-20):]
			if reason == LoginAccepted || reason == PullAllowed {
				end = "" // there is nothing to do
			}
			if got = foreign.Text(got, messageLength); strings.ContainsAny(got, "\x1b\n") || !strings.HasSuffix(got, end) {
				t.Errorf("%s: %d bytes, which end with %q and not with %q", reason, len(got), got[len(got)-20:], end)
			}
		}
	}
	if got := (finding{Result: Result{Registry: "r.example", Step: StepPing, Reason: RegistryError}, detail: strings.Repeat("x\x1b", 5000)}).describe().Message; len(got) > foreign.MessageLength || strings.Contains(got, "\x1b") {
		t.Errorf("a long detail: %d bytes", len(got))
	}
	image := "r.io/" + strings.Repeat("i", MaxImageLength-5)
	accepted := login(LoginAccepted, 200)
	for name, test := range map[string]struct {
		p    plan
		e    []evidence
		ends string
	}{
		"an image in use that is denied to it alone": {plan{}, []evidence{{hostQuestion: hostQuestion{host: strings.Repeat("h", 500)}, login: accepted, pulls: []Result{pulled(image, PullDenied)}, inUse: &accepted,
			inUsePulls: map[string]Result{image: pulled(image, PullAllowed)}}}, "give its account the right to pull"},
		"a named image that is none":            {plan{named: true, unreadable: []string{strings.Repeat("x", 5000)}}, nil, "correct it in spec.verification.images"},
		"a host behind a wildcard that refuses": {plan{}, []evidence{{hostQuestion: hostQuestion{host: strings.Repeat("h", 500), wildcard: true}, login: login(LoginFailed, 401)}}, "name it in spec.registries"},
	} {
		if got := judge(test.p, test.e); !strings.HasSuffix(got.Message, test.ends) {
			t.Errorf("%s: %q", name, got.Message)
		}
	}
}

func TestABodyIsCutOffAtTheSmallerOfTwoBounds(t *testing.T) {
	body := (&boundedTransport{maxBody: 10}).bounded(&http.Response{StatusCode: 401, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 100)))})
	if read, err := io.ReadAll(body); len(read) != 10 || err != nil {
		t.Errorf("%d bytes, %v", len(read), err)
	}
}

func TestWhatIsWrongWithACertificate(t *testing.T) {
	for name, test := range map[string]struct {
		err            error
		detail, advice string
	}{
		"it has expired":           {x509.CertificateInvalidError{Reason: x509.Expired}, "has expired", "renew its certificate"},
		"it is wrong in other way": {x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, "no handshake with TLS 1.2 or newer", "look whether it speaks TLS 1.2"},
	} {
		if detail, advice := tlsDetail(test.err); !strings.Contains(detail, test.detail) || !strings.Contains(advice, test.advice) {
			t.Errorf("%s: %q, %q", name, detail, advice)
		}
	}
}

func TestWhereNothingAnsweredAsARegistryDoes(t *testing.T) {
	for reason, want := range map[Reason]bool{
		Unreachable: true, TLSFailed: true, Timeout: true, AddressRefused: true,
		ProxyFailed: false, RateLimited: false, RedirectRefused: false, Canceled: false, NotTestable: false, LoginUnproven: false,
	} {
		if said("", reason, StepPing, 0).noRegistry() != want || said("", reason, StepToken, 0).noRegistry() {
			t.Errorf("%s", reason)
		}
	}
}

// Behind a proxy there is often no server that answers for names: most of the time is for the registry.
func TestANameThatOnlyAProxyKnowsTakesAFifthOfTheTime(t *testing.T) {
	system, over := net.DefaultResolver, make(chan struct{})
	defer func() { net.DefaultResolver = system }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		select { // nobody answers
		case <-over:
		case <-ctx.Done(): // which is not the caller's: after five seconds
		}
		return nil, errors.New("nobody answers")
	}}
	way, began := &route{options: New(Options{Timeout: 200 * time.Millisecond}).options}, time.Now()
	if found, took := way.addressesOf(t.Context(), "registry.example.com"), time.Since(began); len(found) != 0 || took > 4*time.Second {
		t.Errorf("%v after %s", found, took)
	}
	close(over)
	if err := way.checkBehind(t.Context(), "registry.example.com:443"); err != nil || !way.unchecked {
		t.Errorf("a name that only the proxy knows: %v, unchecked %t", err, way.unchecked)
	}
	checked := &route{options: way.options}
	if err := checked.checkBehind(t.Context(), "10.1.2.3:443"); err != nil || checked.unchecked {
		t.Errorf("an address: %v, unchecked %t", err, checked.unchecked)
	}
}

// A registry and its token endpoint are dialled at once, and each finding asks by which way. The race detector looks on.
func TestARouteIsUsedByManyAtOnce(t *testing.T) {
	system := net.DefaultResolver
	defer func() { net.DefaultResolver = system }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nobody answers")
	}}
	way, server := &route{options: New(Options{}).options}, &proxy.Server{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:3128"}}
	var workers sync.WaitGroup
	for _, work := range []func(){
		func() { way.begin(server); way.end() }, func() { way.begin(server); way.end() }, func() { _ = way.waits() }, func() { _ = way.describe() },
		func() { _ = way.checkBehind(t.Context(), "registry.example.com:443") }, func() { _ = way.checkBehind(t.Context(), "registry.example.com:443") },
	} {
		workers.Go(func() {
			for range 20 {
				work()
			}
		})
	}
	workers.Wait()
	if way.waits() != "" || !way.unchecked || !strings.Contains(way.describe(), "127.0.0.1:3128") {
		t.Errorf("%q, %q", way.waits(), way.describe())
	}
}

// Of a registry without a name the library beneath makes Docker Hub: what is no host is asked nowhere.
func TestWhatIsNoHostIsNotTakenForAnother(t *testing.T) {
	for _, host := range []string{"r.example/path", "bad host"} {
		if s, err := New(Options{}).open(host, sample(t), true); err == nil || s != nil {
			t.Errorf("%s is taken for %v", host, s.remote)
		}
	}
}

func TestAHostThatIsNotToBeReachedThroughAProxyIsNotDialled(t *testing.T) {
	way := &route{options: Options{AllowLoopback: true, Proxy: func(string, bool) (*proxy.Server, error) { return nil, ErrNotThroughProxy }}}
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){"plainly": way.dialPlain, "for TLS": way.dial} {
		if conn, err := dial(t.Context(), "tcp", "127.0.0.1:1"); conn != nil || !errors.Is(err, ErrNotThroughProxy) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhereNothingCouldBeTestedItIsSaidWhatToName(t *testing.T) {
	if got := judge(plan{}, nil); !strings.Contains(got.Message, "name one in spec.verification.images") {
		t.Errorf("%q", got.Message)
	}
	s := &session{options: Options{InsecureRegistries: []string{"r.example"}}}
	realm := "http://" + strings.Repeat("x", 1000) + "/token"
	if got := s.checkRealm(&transport.Challenge{Insecure: true, Parameters: map[string]string{"realm": realm}}); !strings.Contains(got, "would have to be declared") || len(got) > 2*longestName {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
