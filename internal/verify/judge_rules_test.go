package verify

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

func TestWhatIsToldOfAHost(t *testing.T) {
	accepted, refused := login(LoginAccepted, 200), login(LoginFailed, 401)
	wildcard := hostQuestion{host: "r.io", wildcard: true}
	for _, test := range []struct {
		name string
		e    evidence
		says string
	}{
		{"a refusal behind a wildcard, and nobody who logs in", evidence{hostQuestion: wildcard, login: refused}, "name it in spec.registries"},
		{"a refusal behind a wildcard, and the value in use logs in", evidence{hostQuestion: wildcard, login: refused, inUse: &accepted}, "accepts that of the value in use"},
		{"an odd refusal, and nobody who logs in", evidence{login: login(RegistryError, 400)}, "look at the registry"},
		{"an image that is denied to it alone", evidence{hostQuestion: hostQuestion{host: "r.io"}, login: accepted, pulls: pullsOf(PullDenied), inUse: &accepted, inUsePulls: map[string]Result{"r.io/a": pulled("r.io/a", PullAllowed)}},
			"r.io denies pulling r.io/a with it (status 403), and the value in use can pull it"},
		{"images that nobody can pull", evidence{login: accepted, pulls: pullsOf(ImageNotFound)}, "name one in spec.verification.images"},
	} {
		if got := judge(plan{}, []evidence{test.e}); !strings.Contains(got.Message, test.says) {
			t.Errorf("%s: %q", test.name, got.Message)
		}
	}
}

func TestWhereNoImageIsAskedForNothingIsToldOfImages(t *testing.T) {
	if accepted := login(LoginAccepted, 200); judge(plan{}, []evidence{{login: accepted}}).Message != accepted.Message {
		t.Errorf("%q", judge(plan{}, []evidence{{login: accepted}}).Message)
	}
}

func TestAnAnswerIsShortAndHoldsTheDigestsThatAreKnown(t *testing.T) {
	long := login(LoginAccepted, 200)
	long.Message = strings.Repeat("x", 2*messageLength)
	pulls := pullsOf(PullAllowed, PullAllowed)
	pulls[0].Digest = "sha256:0"
	got := judge(plan{}, []evidence{{login: long, inUse: &long}})
	if len(got.Message) > messageLength || len(got.InUseMessage) > messageLength {
		t.Errorf("the messages have %d and %d bytes", len(got.Message), len(got.InUseMessage))
	}
	if got = judge(plan{}, []evidence{{login: long, pulls: pulls}}); len(got.Digests) != 1 || got.Digests["r.io/a"] != "sha256:0" {
		t.Errorf("the digests are %v", got.Digests)
	}
	if got = judge(plan{unreadable: []string{":::"}}, nil); got.NoRegistry || got.Verdict != ValueUnknown {
		t.Errorf("where nobody is asked: %+v", got)
	}
}

func TestWhatIsNoRegistry(t *testing.T) {
	for _, test := range []struct {
		result Result
		want   bool
	}{
		{said("", RegistryError, StepPing, 404), true}, {said("", RegistryError, StepPing, 499), true}, {said("", RegistryError, StepPing, 500), false}, {said("", RegistryError, StepToken, 404), false},
		{said("", Timeout, StepPing, 0), true}, {said("", Timeout, StepToken, 0), false}, {said("", ProxyFailed, StepPing, 0), false}, {said("", LoginFailed, StepPing, 401), false},
	} {
		if got := test.result.noRegistry(); got != test.want {
			t.Errorf("%+v: %t", test.result, got)
		}
	}
}

func TestWhatIsSaidOfAnErrorWithoutAnAnswer(t *testing.T) {
	s := &session{registry: "r.io", transport: newBoundedTransport(New(Options{}).options, nil, &route{})}
	for _, test := range []struct {
		name   string
		err    error
		reason Reason
		detail string
	}{
		{"it takes too long", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, Timeout, ""},
		{"its name is not known", &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, Unreachable, "its name cannot be resolved"},
		{"nobody listens", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Unreachable, "the connection was refused"},
		{"the connection breaks", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, Unreachable, "no complete answer came back"},
		{"the answer breaks off", io.ErrUnexpectedEOF, Unreachable, "no complete answer came back"},
		{"the answer is odd", errors.New("no JSON"), RegistryError, "the answer is too large or not what it should be"},
	} {
		if found := s.failure(t.Context(), StepPing, test.err); found.Reason != test.reason || found.detail != test.detail || strings.Contains(found.describe().Message, "proxy") {
			t.Errorf("%s: %s, %q", test.name, found.Reason, found.detail)
		}
	}
}

func TestWhichRealmIsAsked(t *testing.T) {
	remote, err := name.NewRegistry("r.example", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{options: Options{InsecureRegistries: []string{"r.example", "auth.example:80"}}, remote: remote}
	for _, test := range []struct {
		realm    string
		insecure bool
		says     string // empty: it is asked
	}{
		{"https://auth.example/token", false, ""}, {"https://u@auth.example/token", false, "must not hold a user"}, {"/token", false, "does not say where"}, {"https://[::1", false, "does not say where"},
		{"ftp://r.example/token", true, "must begin with https://"}, {"http://r.example/token", false, "plain http is for"}, {"http://R.example/token", true, ""}, {"http://auth.example:80/token", true, ""},
		{"http://other.example/token", true, "would have to be declared"},
	} {
		got := s.checkRealm(&transport.Challenge{Insecure: test.insecure, Parameters: map[string]string{"realm": test.realm}})
		if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q", test.realm, got)
		}
	}
}

func TestTheLongestImageIsRead(t *testing.T) {
	image := func(tag int) string {
		return "r.io/" + strings.Repeat("a", 250) + ":" + strings.Repeat("t", tag) + "@sha512:" + strings.Repeat("0", 128)
	}
	for tag, want := range map[int]bool{120: true, 121: false, 128: false} {
		if _, readable := readImage(image(tag)); readable != want {
			t.Errorf("one of %d bytes: %t", len(image(tag)), readable)
		}
	}
}
