package vault

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/ownsecret"
	"regcred.dev/regcred/test/racedetector"
)

// Here nothing but what is looked at orders what happens: no server, and no clock that the test holds a lock for.

// lifeOf is the life of a token that is in use.
func lifeOf(current *session) *tokenLife {
	c := &connection{now: time.Now, metrics: noMetrics{}}
	c.tokens.begin(c)
	c.tokens.current, c.tokens.tried = current, time.Now()
	return &c.tokens
}

func sessionOf(token string, obtained time.Time, ours bool) *session {
	return &session{token: token, obtained: obtained, ours: ours, users: &sync.WaitGroup{}, leases: map[string]bool{}}
}

func TestATokenIsLookedAtByManyAtOnce(t *testing.T) {
	s := sessionOf("t", time.Now(), true)
	l := lifeOf(s)
	racedetector.AtOnce(
		func(int) { l.postpone(s) }, func(int) { _ = l.refresh(t.Context(), s) }, func(int) { l.isDue() }, func(int) { l.present() },
		func(int) { l.describe(&ConnectionState{}) }, func(n int) { l.noteLease(s, fmt.Sprint(n)) }, func(n int) { l.forgetLease(s, fmt.Sprint(n)) },
		func(n int) { l.holderOf(fmt.Sprint(n)) },
	)
}

func TestATokenIsReplacedByManyAtOnce(t *testing.T) {
	old := sessionOf("old", time.Now().Add(-time.Hour), true)
	l := lifeOf(sessionOf("first", time.Now(), false))
	replace := func(n int) {
		other := sessionOf(fmt.Sprint(n), time.Now(), false)
		other.users.Add(1)
		l.exchangeOther(other)
		l.settle(other, nil)
	}
	try := func(int) {
		if other := l.another(t.Context(), old); other != nil {
			l.settle(other, outcomeDenied.at("x"))
		}
	}
	racedetector.AtOnce(
		replace, replace, try, try, func(int) { l.replaced(old) }, func(int) { l.present() }, func(int) { _ = l.refresh(t.Context(), old) },
		func(int) { l.exchangeOther(nil) }, func(int) { _, _ = l.examine(t.Context(), sessionOf("other", time.Now(), false)) }, func(int) { l.holderOf("a") },
	)
	l.retiring.Wait()
}

func TestConnectionsAreMadeAndForgottenByManyAtOnce(t *testing.T) {
	object := &v1alpha1.VaultConnection{}
	object.Name, object.Spec = "default", v1alpha1.VaultConnectionSpec{Address: "http://127.0.0.1:1", Auth: appRole()}
	secret := &corev1.Secret{Data: map[string][]byte{"id": []byte("secret-id")}}
	secret.Labels = map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}
	if refused := ownsecret.Vault.Refusal(secret); refused != "" {
		t.Fatal(refused)
	}
	for range 10 {
		m, err := New(Options{
			Connection: func(context.Context, string) (*v1alpha1.VaultConnection, error) { return object, nil },
			Secret:     func(context.Context, string) (*corev1.Secret, error) { return secret, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		use := func(int) {
			if c, f := m.connectionOf(t.Context(), object); f == nil {
				c.usage.leave()
			}
		}
		racedetector.AtOnce(
			use, use, func(int) { m.forget("default") }, func(int) { m.maintain(t.Context()) }, func(n int) { m.note(fmt.Sprint(n%3), outcomeSealed.at("x")) },
			func(n int) {
				if use(n); n > 25 {
					_ = m.Close(t.Context())
				}
			},
		)
	}
}
