package vault

import (
	"context"
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatTheHealthSaysDecidesWhoseAFailureIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		health http.HandlerFunc
		want   Outcome
	}{
		{"it is well", answers(200, `{"initialized":true,"version":"1"}`), outcomeServerError},
		{"it says nothing", answers(200, `{}`), outcomeServerError},
		{"nobody may ask", answers(403, `{"errors":[]}`), outcomeServerError},
		{"it does not know the question", answers(404, `{"errors":[]}`), outcomeServerError},
		{"it does not take the question", answers(400, `{"errors":[]}`), outcomeServerError},
		{"it is behind", answers(412, `{"errors":[]}`), outcomeServerError},
		{"it is not initialised", answers(501, `{"initialized":false,"version":"1"}`), outcomeOutage},
		{"it fails", answers(500, `{"errors":[]}`), outcomeOutage},
		{"it is sealed, in other words", answers(503, `{"errors":["Vault is sealed"]}`), outcomeSealed},
		{"it is asked too much", answers(429, `{"errors":[]}`), outcomeRateLimited},
		{"it is a secondary", answers(472, `{}`), outcomeRecovery},
		{"it is elsewhere", answers(307, "", "Location", "https://elsewhere.example/"), outcomeRedirect},
		{"it is no Vault", answers(200, "<html>"), outcomeNotVault},
		{"it answers too much", answers(200, `{"a":"`+string(make([]byte, maxAnswer))+`"}`), outcomeUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(500, `{"errors":[]}`))
			server.handle("/v1/sys/health", test.health)
			_, failure := newRig(t, server.URL).read(atKV2)
			wantOutcome(t, failure, test.want)
		})
	}
}

// The server dies while it is asked: nobody listens any more.
func TestAServerThatDiesWhileItIsAskedIsUnreachable(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", func(http.ResponseWriter, *http.Request) {
		_ = server.Listener.Close()
		panic(http.ErrAbortHandler)
	})
	_, failure := newRig(t, server.URL).read(atKV2)
	wantOutcome(t, failure, outcomeUnreachable)
}

func TestACheckFindsThatTheServerIsSealedThoughALoginWouldWork(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	rig := newRig(t, server.URL)
	if _, err := rig.Check(t.Context(), rig.connection); err == nil {
		t.Error("it finds nothing")
	}
	if n := len(server.requests("/v1/auth/approle/login")); n != 0 {
		t.Errorf("%d logins", n)
	}
}

// Whoever gives up tells nothing about the server: others read on.
func TestACallerWhoGivesUpShutsNoGate(t *testing.T) {
	server := newScripted(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	server.handle("/v1/robots/creds/a", blocking(asked, goOn, `{"data":{"username":"u","password":"p"}}`))
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	ctx, giveUp := context.WithCancel(t.Context())
	read := make(chan error)
	go func() { _, err := rig.Read(ctx, requestOf(atDynamic)); read <- err }()
	<-asked
	giveUp()
	if err := <-read; err == nil {
		t.Error("it has an answer that was not there yet")
	}
	close(goOn)
	rig.mustRead(atKV2)
}

func TestWhatIsFoundWithoutAReaderIsKnownToTheNextOne(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.pass(2 * time.Hour) // the token has ended
	server.handle("/v1/auth/approle/login", answers(503, `{"errors":["Vault is sealed"]}`))
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	rig.maintain(t.Context())
	before := len(server.requests(""))
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	if more := len(server.requests("")) - before; more != 0 {
		t.Errorf("%d requests for what is known", more)
	}
}

// Whoever reads finds out when the server is well. Maintenance asks it for what is due, and for nothing else.
func TestASealedServerIsNotProbedWhereNothingIsDue(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	server.handle("/v1/secret/data/a", answers(503, `{"errors":["Vault is sealed"]}`))
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	rig.pass(lastProbe)
	before := len(server.requests(""))
	rig.maintain(t.Context())
	if more := len(server.requests("")) - before; more != 0 {
		t.Errorf("%d requests", more)
	}
}

func TestNobodyLogsInWithoutAReader(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
	rig := newRig(t, server.URL)
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	rig.pass(time.Hour)
	rig.maintain(t.Context())
	if n := len(server.requests("/v1/auth/approle/login")); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestAConnectionThatIsClosedIsNotMaintained(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	c := rig.connections["default"]
	rig.pass(50 * time.Minute) // its token is due
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(server.requests(""))
	c.maintain(t.Context())
	if more := len(server.requests("")) - before; more != 0 {
		t.Errorf("%d requests of a connection that is closed", more)
	}
}
