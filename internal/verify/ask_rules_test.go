package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/proxy/proxytest"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/silentserver"
)

func TestTheValueInUseIsComparedOnlyForImagesOfItsKeys(t *testing.T) {
	for keys, shown := range map[string]int{"": 4, "/elsewhere": 2} {
		s := serveTLS(t, basicRegistry)
		q := s.question(t, password, "other/app:1")
		q.InUse = &verify.InUse{Keys: []string{s.host + keys}, Credential: newCredential(t, user, password)}
		if got := s.trusting().Ask(t.Context(), q); s.authenticated() != shown || (got.InUse != "") != (keys == "") {
			t.Errorf("under %q: %+v, asked %q", keys, got, s.asked())
		}
	}
}

func TestARegistryIsAskedInTheFormsThatItIsToAnswerIn(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		takes := strings.Contains(r.Header.Get("Accept"), "application/vnd.oci.image.index.v1+json")
		if r.UserAgent() != "regcred" || r.Header.Get("Accept-Encoding") != "" || r.Method == http.MethodHead && !takes {
			t.Errorf("%s %s has the headers %v", r.Method, r.URL.Path, r.Header)
		}
		openRegistry(basicRegistry)(w, r)
	})
	if got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")[0]; got.Reason != verify.PullAllowed {
		t.Errorf("%+v", got)
	}
}

func TestAHeaderOfMoreThanAFewKilobytesIsNotRead(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
		basicRegistry(w, r)
	})
	if got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password)); got.Reason != verify.Unreachable {
		t.Errorf("%+v", got)
	}
}

func TestWhoGivesUpWhileAProxyIsSilentIsToldSo(t *testing.T) {
	p := proxytest.Start(t)
	p.Hang(true)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan verify.Result)
	options := verify.Options{Timeout: 30 * time.Second}
	through(t, p, "registry.example.com:443")(&options)
	asked := verify.New(options)
	resolve(t, nil)
	go func() { told <- asked.Login(ctx, "registry.example.com", newCredential(t, user, password)) }()
	for len(p.Asked()) == 0 {
		select {
		case got := <-told:
			t.Fatalf("it ended before the proxy was asked: %+v", got)
		default:
		}
	}
	cancel()
	if got := <-told; got.Reason != verify.Canceled {
		t.Errorf("%+v", got)
	}
}

func TestANameThatTheOperatorResolvesIsCheckedThoughAProxyDialsIt(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	p := proxytest.Start(t)
	host := "registry.example.com:" + s.port
	p.Resolve(map[string]string{host: s.host})
	resolve(t, map[string]string{"registry.example.com": "10.1.2.3"})
	got := s.trusting(through(t, p, host)).Login(t.Context(), host, newCredential(t, user, password))
	if got.Reason != verify.LoginAccepted || !strings.Contains(got.Message, "through the proxy") || strings.Contains(got.Message, "not checked") {
		t.Errorf("%+v", got)
	}
}

func TestWhatCannotBeTestedIsSaid(t *testing.T) {
	const odd = "[fe80::1%25eth0]:5000" // a key that a kubelet reads, of a host that is part of no URL
	asked, credential := verify.New(verify.Options{}), newCredential(t, user, password)
	got := append(asked.Pull(t.Context(), "r.example", credential, "Not An Image", "s.example/a"), asked.Login(t.Context(), odd, credential))
	for i, want := range []struct{ registry, image, says string }{
		{"", "Not An Image", "this is no image reference"}, {"s.example", "s.example/a", "the credential is not meant for this image"},
		{"[fe80::1%eth0]:5000", "", "the registry's name cannot be part of a URL"},
	} {
		if got[i].Reason != verify.NotTestable || got[i].Registry != want.registry || got[i].Image != want.image || !strings.Contains(got[i].Message, want.says) {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
	answer := asked.Ask(t.Context(), verify.Question{Keys: []string{odd}, Credential: credential})
	if answer.Verdict != verify.ValueUnknown || !strings.Contains(answer.Message, "the registry's name cannot be part of a URL") {
		t.Errorf("%+v", answer)
	}
}

func TestARegistryThatWantsAnotherKindOfLoginIsToldOf(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
	})
	if got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password)); !strings.Contains(got.Message, "neither Basic nor Bearer") {
		t.Errorf("%+v", got)
	}
}

// The last image has what the others left, and without a value to compare with nothing is kept for it.
func TestASilentRegistryHasAllOfTheTime(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			silentserver.Handle(w, r)
		}
		basicRegistry(w, r)
	})
	const limit = 600 * time.Millisecond
	began := time.Now()
	got := s.trusting(func(o *verify.Options) { o.Timeout = limit }).Ask(t.Context(), s.question(t, password, "team/a:1", "team/b:1"))
	if took := time.Since(began); got.Verdict != verify.ValueUnknown || took < limit {
		t.Errorf("%+v after %s", got, took)
	}
}

// A value is shown only to registries that its own keys name, whatever another one's answer would decide.
func TestTheValueInUseIsShownToNoOtherRegistry(t *testing.T) {
	for keys, shown := range map[string]int{"": 2, "elsewhere.example.com": 1} {
		s := serveTLS(t, tokenRegistry(oddToken(http.StatusBadRequest)))
		q := s.question(t, "wrong")
		q.InUse = &verify.InUse{Keys: []string{s.host}, Credential: newCredential(t, user, password)}
		if keys != "" {
			q.InUse.Keys = []string{keys}
		}
		got := s.trusting().Ask(t.Context(), q)
		if s.authenticated() != shown || (got.InUse == "") != (keys != "") {
			t.Errorf("with the keys %q: %+v, asked %q", q.InUse.Keys, got, s.asked())
		}
	}
}

func TestOfATokenEndpointAtAPrivateAddressItIsSaidWhyItIsNotAsked(t *testing.T) {
	s := serveTLS(t, realmRegistry("https://169.254.169.254/token"))
	if got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password)); !strings.Contains(got.Message, "it is a private address other than the registry's own") {
		t.Errorf("%+v", got)
	}
}

// A named image has to be pulled by the value itself: what the value in use can pull decides nothing, and it is not shown.
func TestTheValueInUseIsNotShownForANamedImage(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	q := s.question(t, password)
	q.Named, q.InUse = []string{s.host + "/other/app:1"}, &verify.InUse{Keys: q.Keys, Credential: newCredential(t, user, "old")}
	if got := s.trusting().Ask(t.Context(), q); got.Verdict != verify.ValueRejected || got.InUse != "" || s.authenticated() != 2 {
		t.Errorf("%+v, asked %q", got, s.asked())
	}
}

// What a registry shows to everybody decides nothing of an image that it denies to the credential.
func TestADeniedImageIsDeniedWhateverEverybodyIsTold(t *testing.T) {
	nobody, somebody := jwt(`{"sub":""}`), jwt(`{"sub":"","access":["some"]}`)
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		switch authorization := r.Header.Get("Authorization"); {
		case r.URL.Path == "/token" && loggedIn(r):
			fmt.Fprintf(w, `{"token":%q}`, somebody)
		case r.URL.Path == "/token":
			fmt.Fprintf(w, `{"token":%q}`, nobody)
		case authorization == "Bearer "+somebody:
			refuse(w, http.StatusForbidden, "DENIED")
		case authorization == "Bearer "+nobody:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			challenge(w, r, "https://"+r.Host+"/token")
		}
	})
	if got := s.trusting().Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")[0]; got.Reason != verify.PullDenied {
		t.Errorf("%+v, asked %q", got, s.asked())
	}
}
