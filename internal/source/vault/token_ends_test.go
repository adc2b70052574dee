package vault

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// All who are refused come back when the next login is tried, not before, and not all at once.
func TestWhoIsRefusedALoginIsToldWhenToComeBack(t *testing.T) {
	const passed = 30 * time.Second
	server := newScripted(t)
	logIn := server.handlers["/v1/auth/approle/login"]
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	left := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed).RetryAfter - passed
	rig.pass(passed)
	waits := map[time.Duration]bool{}
	for range readers {
		wait := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed).RetryAfter
		if waits[wait] = true; wait < left || wait > left+loginPause/6 {
			t.Errorf("told to wait for %s, with %s left", wait, left)
		}
	}
	if len(waits) < 2 {
		t.Error("all come back at once")
	}
	server.handle("/v1/auth/approle/login", logIn)
	rig.pass(left)
	rig.mustRead(atKV2)
}

func TestAGivenTokenThatHasEndedIsAskedAboutBeforeItIsUsed(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"ttl":3600,"renewable":false}}`))
	rig := newRig(t, server.URL)
	given(rig)
	rig.mustRead(atKV2)
	rig.pass(time.Hour)
	server.handle("/v1/auth/token/lookup-self", answers(403, `{"errors":[]}`))
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if n := len(server.requests("/v1/secret/data/a")); n != 1 {
		t.Errorf("it is used %d times", n)
	}
}

// Vault would refuse the read under way, and end what it makes.
func TestATokenIsGivenBackAfterItsLastRequest(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, false)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	asked, goOn := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	server.handle("/v1/robots/creds/a", func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-goOn
		ended.Store(true)
		answers(200, `{"data":{"username":"u","password":"p"}}`)(w, r)
	})
	server.handle("/v1/auth/token/revoke-self", func(w http.ResponseWriter, r *http.Request) {
		if !ended.Load() {
			t.Error("it is given back while it is used")
		}
		answers(204, "")(w, r)
	})
	rig := newRig(t, server.URL)
	read := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atDynamic)); read <- err }()
	<-asked
	rig.pass(41 * time.Minute)
	for range readers { // with another token
		rig.mustRead(atKV2)
	}
	close(goOn)
	if err := <-read; err != nil {
		t.Error(err)
	}
	await(t, "the first token is given back", func() bool {
		all := server.requests("/v1/auth/token/revoke-self")
		return len(all) == 1 && all[0].Header.Get("X-Vault-Token") == "token-1"
	})
}

// What is under way when the operator ends is waited for: a token that nobody gives back lives on for its whole time.
func TestTheEndWaitsForATokenThatIsBeingGivenBack(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, false)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	asked, goOn := make(chan struct{}, 2), make(chan struct{})
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	server.handle("/v1/auth/token/revoke-self", blocking(asked, goOn, ""))
	rig.pass(41 * time.Minute)
	rig.mustRead(atKV2)
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- rig.Close(t.Context()) }()
	select {
	case <-asked:
		t.Error("the token in use is given back before the one that it replaced")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Its request was under way when the token died, and others have another one by now.
func TestWhoIsDeniedLateUsesTheTokenOfTheOthers(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atB)
	asked, goOn := make(chan struct{}, 1), make(chan struct{})
	server.handle("/v1/robots/creds/a", func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-goOn
		onlyFor(answers(200, `{"data":{"username":"u","password":"p"}}`), "token-2")(w, r)
	})
	read := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atDynamic)); read <- err }()
	<-asked
	server.handle("/v1/auth/token/lookup-self", onlyFor(answers(200, `{"data":{}}`), "token-2"))
	server.handle("/v1/secret/data/b", onlyFor(answers(200, kv2Answer(goodData)), "token-2"))
	rig.mustRead(atB)
	close(goOn)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if issued.Load() != 2 {
		t.Errorf("%d logins", issued.Load())
	}
}
