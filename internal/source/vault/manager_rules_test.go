package vault

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func TestAManagerNeedsNoClockAndNobodyWhoListens(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newRig(t, server.URL, func(o *Options) {
		o.Now, o.Metrics, o.Troubled, o.EventsChanged = nil, nil, nil, nil
		o.Told = func(source.News) {}
	})
	if snapshot := rig.mustRead(atKV2); time.Since(snapshot.ReadTime) > time.Minute {
		t.Errorf("read at %s", snapshot.ReadTime)
	}
	rig.maintain(t.Context())
	await(t, "its events are followed", func() bool { open, _ := events.counts(); return open == 1 })
}

func TestAConnectionThatCannotBeReadIsTriedAgain(t *testing.T) {
	rig := newRig(t, "http://127.0.0.1:1", func(o *Options) {
		o.Connection = func(context.Context, string) (*v1alpha1.VaultConnection, error) {
			return nil, errors.New("no API server")
		}
	})
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonUnavailable); failure.Stalled || !strings.Contains(failure.Message, "could not be read from the API server") {
		t.Errorf("%+v", failure)
	}
}

func TestOfAConnectionThatIsGoneNothingIsKept(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	other := atKV2
	other.Connection = "other"
	rig.mustFail(other, v1alpha1.ReasonConnectionNotFound)
	if len(rig.troubles) != 1 || len(rig.interests) != 1 || len(rig.connections) != 1 {
		t.Errorf("kept are %v, %d interests and %d connections", rig.troubles, len(rig.interests), len(rig.connections))
	}
	rig.mu.Lock()
	rig.connection = nil
	rig.mu.Unlock()
	rig.mustFail(atKV2, v1alpha1.ReasonConnectionNotFound)
	if len(rig.troubles)+len(rig.interests)+len(rig.connections) != 0 {
		t.Errorf("kept are %v, %d interests and %d connections", rig.troubles, len(rig.interests), len(rig.connections))
	}
}

func TestATroubleThatACheckSawIsNotToldAgain(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	told := 0
	rig := newRig(t, server.URL, func(o *Options) { o.Troubled = func(string) { told++ } })
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "missing" })
	if _, err := rig.Check(t.Context(), rig.connection); err == nil {
		t.Fatal("it is good")
	}
	rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused)
	if told != 0 {
		t.Errorf("told %d times", told)
	}
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "approle" })
	for range 3 {
		rig.mustRead(atKV2)
	}
	if told != 1 {
		t.Errorf("that it is good again is told %d times", told)
	}
}

// Another secret ID makes another connection. What is read is known all the same, so that its events are followed at once.
func TestWhatIsReadIsKnownToTheNextConnection(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/odd/robot", answers(200, `{"data":{"username":"robot","password":"pw","last_vault_rotation":"2026-01-02T03:04:05Z","ttl":3000}}`))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.mustFail(v1alpha1.VaultSource{Mount: "secret", Path: "nothing"}, v1alpha1.ReasonSecretNotFound)
	rig.mustRead(v1alpha1.VaultSource{Mount: "odd", Path: "robot", Engine: v1alpha1.EngineDynamic})
	rig.setValue("approle/id", "another")
	if _, err := rig.Check(t.Context(), rig.connection); err != nil {
		t.Fatal(err)
	}
	known := &rig.connections["default"].events
	for _, path := range []string{"secret/data/a", "secret/data/nothing", "odd/robot"} {
		if len(known.interests.at([]string{path})) != 1 {
			t.Errorf("%s is not known", path)
		}
	}
}

// orphaned is a Manager whose one connection, which is in use, has no object any more.
func orphaned(t *testing.T) (*Manager, *connection) {
	t.Helper()
	object := &v1alpha1.VaultConnection{}
	object.Name, object.Spec = "default", v1alpha1.VaultConnectionSpec{Address: "http://127.0.0.1:1", Auth: appRole()}
	r := &rig{t: t, values: map[string]string{"approle/id": "secret-id"}}
	m, err := New(Options{Secret: r.secret, Connection: func(context.Context, string) (*v1alpha1.VaultConnection, error) {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, "default")
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, f := m.connectionOf(t.Context(), object)
	if f != nil {
		t.Fatal(f)
	}
	return m, c
}

func TestAnEndThatTakesTooLongIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := orphaned(t)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		began := time.Now()
		if err := m.Start(ctx); err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		c.usage.leave()
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionsAreLookedAtThoughNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := orphaned(t)
		c.usage.leave()
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Start(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(maintenance + time.Second)
		m.mu.Lock()
		if len(m.connections) != 0 {
			t.Error("a connection without an object is still there")
		}
		m.mu.Unlock()
		stop()
		running.Wait()
	})
}

func TestWhatIsNoLoginIsALoginThatFailed(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   Outcome
	}{
		{"it gives nothing", answers(200, `{}`), outcomeLoginRefused},
		{"it gives no token", answers(200, `{"auth":{"client_token":""}}`), outcomeLoginRefused},
		{"it is a web page", answers(200, "<html>"), outcomeLoginFailed},
		{"it breaks off", breaks, outcomeLoginFailed},
		{"the node is behind", answers(412, `{"errors":[]}`), outcomeLoginFailed},
		{"it is refused", answers(400, `{"errors":[]}`), outcomeLoginRefused},
		{"it is refused in other words", answers(499, `{"errors":[]}`), outcomeLoginRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/auth/approle/login", test.answer)
			_, failure := newRig(t, server.URL).read(atKV2)
			wantOutcome(t, failure, test.want)
		})
	}
}
