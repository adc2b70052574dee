package vault

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// readers is how many read at once here.
const readers = 20

var atB = v1alpha1.VaultSource{Mount: "secret", Path: "b"}

// meeting has the first n requests wait for each other.
func meeting(n int32, next http.HandlerFunc) http.HandlerFunc {
	var came atomic.Int32
	all := make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1) == n {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
		next(w, r)
	}
}

// readTogether has many read the path of an engine at once, and wants each of them to get something.
func (r *rig) readTogether() {
	r.t.Helper()
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			if _, failure := r.read(atDynamic); failure != nil {
				r.t.Errorf("%s: %s", failure.Reason, failure.Message)
			}
		})
	}
	group.Wait()
}

func TestThoseWhoAreDeniedTogetherShareTheNextToken(t *testing.T) {
	lives, denied := answers(200, `{"data":{}}`), answers(403, `{"errors":["permission denied"]}`)
	for _, test := range []struct {
		name          string
		before, after http.HandlerFunc // of a token that looks itself up
		pass          time.Duration
	}{
		{"it is dead", lives, onlyFor(lives, "token-2"), time.Second},
		{"it may not look itself up, and may as well be dead", denied, denied, loginPause},
		{"it lives, and its role may more by now", lives, lives, relogin},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			issued := tokens(server, 36000, true)
			server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/lookup-self", test.before)
			rig := newRig(t, server.URL)
			rig.mustRead(atB)
			rig.pass(test.pass)
			server.handle("/v1/auth/token/lookup-self", test.after)
			server.handle("/v1/robots/creds/a", meeting(readers, onlyFor(answers(200, `{"data":{"username":"u","password":"p"}}`), "token-2")))
			rig.readTogether()
			if issued.Load() != 2 {
				t.Errorf("%d logins", issued.Load())
			}
			if err := rig.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			given := map[string]int{}
			for _, request := range server.requests("/v1/auth/token/revoke-self") {
				given[request.Header.Get("X-Vault-Token")]++
			}
			if given["token-2"] != 1 || given["token-1"] > 1 {
				t.Errorf("given back are %v", given)
			}
		})
	}
}

// One of two finds out that another login is allowed more, while the other one is told that the token in use lives.
func TestWhoIsDeniedUsesTheTokenThatIsInUseByThen(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig.mustRead(atB)
	rig.pass(relogin)
	asked, goOn := make(chan struct{}), make(chan struct{})
	server.handle("/v1/secret/data/a", onlyFor(blocking(asked, goOn, kv2Answer(goodData)), "token-2"))
	server.handle("/v1/robots/creds/a", onlyFor(answers(200, `{"data":{"username":"u","password":"p"}}`), "token-2"))
	first := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atKV2)); first <- err }()
	<-asked
	server.handle("/v1/auth/token/lookup-self", func(w http.ResponseWriter, r *http.Request) {
		close(goOn)
		if err := <-first; err != nil {
			t.Error(err)
		}
		answers(200, `{"data":{}}`)(w, r)
	})
	rig.mustRead(atDynamic)
	if issued.Load() != 2 {
		t.Errorf("%d logins", issued.Load())
	}
}

// Whoever is allowed more with another login puts that in the place of the token, and gives the token back, while somebody else asks whether it lives.
func TestATokenThatTookThePlaceOfADeadOneIsKept(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig.mustRead(atB)
	rig.pass(relogin)
	asked, goOn := make(chan struct{}), make(chan struct{})
	server.handle("/v1/secret/data/a", onlyFor(blocking(asked, goOn, kv2Answer(goodData)), "token-2"))
	server.handle("/v1/robots/creds/a", onlyFor(answers(200, `{"data":{"username":"u","password":"p"}}`), "token-2", "token-3"))
	first := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atKV2)); first <- err }()
	<-asked
	replaced := sync.OnceFunc(func() {
		close(goOn)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
	server.handle(lookupSelf, func(w http.ResponseWriter, r *http.Request) {
		replaced()
		onlyFor(answers(200, `{"data":{}}`), "token-2", "token-3")(w, r)
	})
	rig.mustRead(atDynamic)
	if issued.Load() != 2 {
		t.Errorf("%d logins: the token that took the place was dropped with the dead one", issued.Load())
	}
}

// The token is due, and cannot be renewed now: one reader finds that out for all who came meanwhile.
func TestARenewalThatFailsIsTriedOnceForAll(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, true)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	server.handle("/v1/robots/creds/a", answers(200, `{"data":{"username":"u","password":"p"}}`))
	rig := newRig(t, server.URL)
	rig.mustRead(atB)
	rig.pass(41 * time.Minute)
	users := func() int {
		usage := &rig.connections["default"].usage
		usage.mu.Lock()
		defer usage.mu.Unlock()
		return usage.users
	}
	server.handle("/v1/auth/token/renew-self", func(w http.ResponseWriter, r *http.Request) {
		for users() <= readers && r.Context().Err() == nil {
			runtime.Gosched()
		}
		answers(503, `{"errors":["Vault is sealed"]}`)(w, r)
	})
	rig.readTogether()
	if n := len(server.requests("/v1/auth/token/renew-self")); n != 1 {
		t.Errorf("%d renewals", n)
	}
}

// While the token is renewed, another login turns out to be allowed more.
func TestATokenThatIsReplacedWhileItIsRenewedIsNotPutBack(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, true)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig.mustRead(atB)
	rig.pass(20 * time.Minute)
	asked, renewing, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
	server.handle("/v1/secret/data/a", onlyFor(blocking(asked, renewing, kv2Answer(goodData)), "token-2"))
	server.handle("/v1/auth/token/renew-self", func(w http.ResponseWriter, r *http.Request) {
		close(renewing)
		<-goOn
		answers(200, loginAnswer("token-1"))(w, r)
	})
	read := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atKV2)); read <- err }()
	<-asked
	rig.pass(21 * time.Minute)
	round := rig.beginMaintenance(t.Context())
	if err := <-read; err != nil {
		t.Error(err)
	}
	close(goOn)
	round.Wait()
	rig.mustRead(atB)
	all := server.requests("/v1/secret/data/b")
	if used := all[len(all)-1].Header.Get("X-Vault-Token"); used != "token-2" {
		t.Errorf("%s is in use", used)
	}
}

func TestWhoGivesUpWaitingForALoginMakesNone(t *testing.T) {
	server := newScripted(t)
	logIn := server.handlers["/v1/auth/approle/login"]
	asked, goOn := make(chan struct{}, readers), make(chan struct{})
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-goOn
		logIn(w, r)
	})
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	read := make(chan error, 1)
	go func() { _, err := rig.Read(t.Context(), requestOf(atKV2)); read <- err }()
	<-asked
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := rig.Read(ctx, requestOf(atDynamic)); err == nil {
		t.Error("it has an answer without a token")
	}
	close(goOn)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := rig.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(server.requests("/v1/auth/approle/login")); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestWhoGivesUpWaitingToAskAboutATokenLeavesTheTurnToItsHolder(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	life := &rig.connections["default"].tokens
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	before := len(server.requests(""))
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	if dead, failure := life.examine(ctx, life.present()); dead || failure == nil || failure.Outcome != outcomeSlow {
		t.Errorf("it is dead: %t, %v", dead, failure)
	}
	if len(life.turn) != 1 || len(server.requests("")) != before {
		t.Fatal("it took the turn of another")
	}
	life.endTurn()
}
