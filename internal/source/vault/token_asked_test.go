package vault

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

const lookupSelf = "/v1/auth/token/lookup-self"

// doubted is a life whose token was used, and which is asked whether it lives from now on.
func doubted(t *testing.T, asked http.HandlerFunc) (*scripted, *tokenLife) {
	t.Helper()
	server := newScripted(t)
	tokens(server, 3600, true)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atB)
	server.handle(lookupSelf, asked)
	return server, &rig.connections["default"].tokens
}

// examined begins to examine the token, and returns when that waits for its turn or for an answer. The second function gives what came of it.
func examined(ctx context.Context, life *tokenLife) (result func() (bool, *failure)) {
	type outcome struct {
		dead    bool
		failure *failure
	}
	waits, came := make(chan struct{}), make(chan outcome, 1)
	watch := watched{ctx, sync.OnceFunc(func() { close(waits) })}
	go func() {
		dead, failure := life.examine(watch, life.present())
		came <- outcome{dead, failure}
	}()
	<-waits
	return func() (bool, *failure) { one := <-came; return one.dead, one.failure }
}

// held is a handler that tells when it is asked, and answers when it may.
func held(then http.HandlerFunc) (handler http.HandlerFunc, asked, may chan struct{}) {
	asked, may = make(chan struct{}, 8), make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-may
		then(w, r)
	}, asked, may
}

func TestWhatWasNotClearOnceIsNoAnswerToALaterQuestion(t *testing.T) {
	server, life := doubted(t, answers(503, `{"errors":["Vault is sealed"]}`))
	if _, failure := life.examine(t.Context(), life.present()); failure == nil || failure.Outcome != outcomeSealed {
		t.Fatalf("the server is sealed: %v", failure)
	}
	server.handle(lookupSelf, answers(200, `{"data":{}}`))
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	results := []func() (bool, *failure){examined(t.Context(), life), examined(t.Context(), life)}
	life.endTurn()
	for _, result := range results {
		if dead, failure := result(); dead || failure != nil {
			t.Errorf("it is dead: %t, %v", dead, failure)
		}
	}
}

// The gate writes into a failure when those who were told it may come back.
func TestWhatWasNotClearIsToldToEachForItself(t *testing.T) {
	_, life := doubted(t, answers(503, `{"errors":["Vault is sealed"]}`))
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	results := []func() (bool, *failure){examined(t.Context(), life), examined(t.Context(), life), examined(t.Context(), life)}
	life.endTurn()
	told := map[*failure]bool{}
	for _, result := range results {
		_, failure := result()
		told[failure] = true
	}
	told[life.unclear] = true
	if len(told) != len(results)+1 {
		t.Errorf("%d failures, where %d were told one each and one is kept", len(told), len(results))
	}
}

func TestWhoGivesUpTakesTheAnswerFromNobody(t *testing.T) {
	handler, asked, may := held(answers(200, `{"data":{}}`))
	server, life := doubted(t, handler)
	before := len(server.requests(lookupSelf))
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	impatient, giveUp := context.WithCancel(t.Context())
	results := []func() (bool, *failure){examined(impatient, life), examined(impatient, life)}
	life.endTurn()
	<-asked
	patient := examined(t.Context(), life) // refused while the question was under way: asks its own
	giveUp()
	for _, result := range results {
		if dead, failure := result(); dead || failure == nil || failure.Outcome != outcomeSlow {
			t.Errorf("who gave up knows: %t, %v", dead, failure)
		}
	}
	close(may)
	if dead, failure := patient(); dead || failure != nil {
		t.Errorf("it is dead: %t, %v", dead, failure)
	}
	if questions := len(server.requests(lookupSelf)) - before; questions != 2 {
		t.Errorf("asked %d times", questions)
	}
}

func TestTheQuestionOfOneWhoGaveUpIsAnsweredForThoseWhoWait(t *testing.T) {
	handler, asked, may := held(answers(200, `{"data":{}}`))
	server, life := doubted(t, handler)
	before := len(server.requests(lookupSelf))
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	impatient, giveUp := context.WithCancel(t.Context())
	first := examined(impatient, life)
	life.endTurn()
	<-asked
	// One that was refused before the question was asked, and whose turn comes after it.
	life.lookups.Add(-1)
	second := examined(t.Context(), life)
	life.lookups.Add(1)
	giveUp()
	first()
	close(may)
	if dead, failure := second(); dead || failure != nil {
		t.Errorf("it is dead: %t, %v", dead, failure)
	}
	if questions := len(server.requests(lookupSelf)) - before; questions != 1 {
		t.Errorf("asked %d times", questions)
	}
}

// A second question would be about the token that took its place meanwhile, or would drop that one.
func TestThatATokenIsDeadIsFoundOutOnce(t *testing.T) {
	server, life := doubted(t, answers(403, `{"errors":["permission denied"]}`))
	before := len(server.requests(lookupSelf))
	if failure := life.takeTurn(t.Context()); failure != nil {
		t.Fatal(failure)
	}
	results := []func() (bool, *failure){examined(t.Context(), life), examined(t.Context(), life)}
	life.endTurn()
	for _, result := range results {
		if dead, failure := result(); !dead || failure != nil {
			t.Errorf("it is dead: %t, %v", dead, failure)
		}
	}
	if questions := len(server.requests(lookupSelf)) - before; questions != 1 {
		t.Errorf("asked %d times", questions)
	}
}

// Where a token may not look itself up, another login shows whether it lived. One that does not come to Vault shows nothing.
func TestALoginThatNeverArrivedDoesNotSayThatTheTokenLives(t *testing.T) {
	server := newScripted(t)
	tokens(server, 36000, true)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	server.handle("/v1/secret/data/a", answers(403, `{}`))
	server.handle(lookupSelf, answers(403, `{}`))
	rig := newRig(t, server.URL)
	rig.mustRead(atB)
	server.handle("/v1/auth/approle/login", answers(503, `{"errors":["Vault is sealed"]}`))
	rig.pass(loginPause)
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
}

// A limit of requests refuses a login before the auth method sees it.
func TestALoginThatALimitRefusesDoesNotSayThatTheTokenLives(t *testing.T) {
	server := newScripted(t)
	tokens(server, 36000, true)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	server.handle("/v1/secret/data/a", answers(403, `{}`))
	server.handle(lookupSelf, answers(403, `{}`))
	rig := newRig(t, server.URL)
	rig.mustRead(atB)
	server.handle("/v1/auth/approle/login", answers(429, `{"errors":["request path \"auth/approle/login\": rate limit quota exceeded"]}`, "Retry-After", "1"))
	rig.pass(loginPause)
	rig.mustFail(atKV2, v1alpha1.ReasonRateLimited)
}
