package connection

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func TestWhatAStatusTellsOfTheLogin(t *testing.T) {
	refused := &source.Error{Reason: v1alpha1.ReasonLoginFailed, Message: "refused", Stalled: true}
	away := &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed"}
	ends, next := noon.Add(time.Hour), noon.Add(70*time.Second)
	for _, c := range []struct {
		name  string
		state State
		err   error
		want  [3]time.Time // login, next login, end of the token
	}{
		{"a login that is renewed", State{LoginTime: noon}, nil, [3]time.Time{noon, {}, {}}},
		{"a token that somebody must replace", State{LoginTime: noon, TokenEnds: ends}, nil, [3]time.Time{noon, {}, ends}},
		{"a login that is refused tells of the one before", State{NextLogin: next}, refused, [3]time.Time{noon.Add(-time.Hour), next, noon.Add(2 * time.Hour)}},
		{"Vault does not answer while the token lives", State{LoginTime: noon}, refused, [3]time.Time{noon, {}, noon.Add(2 * time.Hour)}},
		{"Vault does not answer for a moment", State{NextLogin: next}, away, [3]time.Time{noon.Add(-time.Hour), next, noon.Add(2 * time.Hour)}},
		{"a second login beside that in use is refused, which stops nobody", State{LoginTime: noon, NextLogin: next}, nil, [3]time.Time{noon, {}, {}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.state, g.err = State{NextLogin: next, Method: "token"}, refused
			g.look()
			g.err = nil
			g.state = State{LoginTime: noon.Add(-time.Hour), TokenEnds: noon.Add(2 * time.Hour), Method: "token"}
			g.look()
			g.state, g.err = c.state, c.err
			g.state.Method = "token"
			object, _ := g.look()
			for i, got := range []*metav1.Time{object.Status.LoginTime, object.Status.NextLoginTime, object.Status.TokenExpireTime} {
				if got.IsZero() != c.want[i].IsZero() || !got.IsZero() && !got.Time.Equal(c.want[i]) {
					t.Errorf("time %d is %v, want %v", i, got, c.want[i])
				}
			}
			if object.Status.Method != "token" {
				t.Errorf("the method is %q", object.Status.Method)
			}
		})
	}
}

// The API server keeps whole seconds: a fraction would be a change at each look.
func TestTheSameLoginIsNotWrittenAgain(t *testing.T) {
	g := newRig(t)
	g.state.LoginTime, g.state.TokenEnds = noon.Add(123*time.Millisecond), noon.Add(time.Hour+456*time.Millisecond)
	for range 3 {
		g.look()
	}
	if g.patches != 1 {
		t.Errorf("%d writes", g.patches)
	}
	g.state.LoginTime = noon.Add(time.Minute)
	if g.look(); g.patches != 2 {
		t.Errorf("after another login %d writes", g.patches)
	}
}

func TestWhatIsRefusedNoMoreHasNoNextLogin(t *testing.T) {
	g := newRig(t)
	g.err = &source.Error{Reason: v1alpha1.ReasonLoginFailed, Message: "refused", Stalled: true}
	g.state = State{Method: "token", NextLogin: noon.Add(time.Minute)}
	if object, _ := g.look(); object.Status.NextLoginTime == nil {
		t.Fatal("none is told")
	}
	g.state = State{Method: "approle"} // the spec names another one, and something else is wrong
	if object, _ := g.look(); object.Status.NextLoginTime != nil || object.Status.Method != "approle" {
		t.Errorf("the next login by %s is at %s", object.Status.Method, object.Status.NextLoginTime)
	}
}
