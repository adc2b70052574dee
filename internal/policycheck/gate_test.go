package policycheck

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

type answering struct{ sent int }

func (a *answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.sent++
	return &http.Response{}, nil
}

func TestSecretsAreWrittenOnlyWhileThePoliciesStand(t *testing.T) {
	stands, gone := State{Known: true}, State{Known: true, Missing: []string{"regcred-secrets"}}
	const secret = "https://api/api/v1/namespaces/shop/secrets/regcred"
	for _, test := range []struct {
		name        string
		required    bool
		state       State
		method, url string
		sent        bool
	}{
		{"an update while they stand", true, stands, http.MethodPut, secret, true},
		{"an update while one is missing", true, gone, http.MethodPut, secret, false},
		{"an apply while one is missing", true, gone, http.MethodPatch, secret, false},
		{"a deletion while one is missing", true, gone, http.MethodDelete, secret, false},
		{"a creation while one is missing", true, gone, http.MethodPost, "https://api/api/v1/namespaces/shop/secrets", false},
		{"a creation behind a path of a proxy", true, gone, http.MethodPost, "https://proxy/k8s/api/v1/namespaces/shop/secrets", false},
		{"a dry run while one is missing", true, gone, http.MethodPatch, secret + "?dryRun=All", true},
		{"a read while one is missing", true, gone, http.MethodGet, secret, true},
		{"the lease while one is missing", true, gone, http.MethodPut, "https://api/apis/coordination.k8s.io/v1/namespaces/secrets/leases/regcred.dev", true},
		{"an update where no fence is required", false, gone, http.MethodPut, secret, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate, next := NewGate(test.required), &answering{}
			gate.Set(test.state)
			request, err := http.NewRequestWithContext(t.Context(), test.method, test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = gate.Wrap(next).RoundTrip(request)
			if (next.sent == 1) != test.sent || test.sent == errors.Is(err, ErrNotFenced) {
				t.Errorf("sent %d, error %v", next.sent, err)
			}
		})
	}
}

func TestTheGateOpensAgain(t *testing.T) {
	gate := NewGate(true)
	for _, state := range []State{{Known: true, Missing: []string{"a"}}, {Known: true}} {
		if !gate.Set(state) || gate.Set(state) {
			t.Errorf("%v: a change is told once", state)
		}
	}
	if !gate.State().Standing() {
		t.Error("the policies are back, and the gate stays closed")
	}
}

func TestAWriteDoesNotWaitWhereTheFirstRoundSaidNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, next := NewGate(true), &answering{}
		gate.Set(State{Hidden: []string{"regcred-secrets"}, HiddenBy: []string{"w"}})
		began := time.Now()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://api/api/v1/namespaces/shop/secrets/regcred", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = gate.Wrap(next).RoundTrip(request)
		if took := time.Since(began); !errors.Is(err, ErrNotFenced) || took > 0 {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// Before the first round nobody knows whether the policies stand: a write waits for it, and is not sent where none comes.
func TestAWriteWaitsForTheFirstRound(t *testing.T) {
	for _, test := range []struct {
		name  string
		round *State // after a second, or never
		ends  time.Duration
		sent  bool
		after time.Duration
		open  bool // nothing is required
	}{
		{"that finds that they stand", &State{Known: true}, time.Hour, true, time.Second, false},
		{"that finds that one is missing", &State{Known: true, Missing: []string{"regcred-secrets"}}, time.Hour, false, time.Second, false},
		{"that does not come", nil, time.Hour, false, patience, false},
		{"until whoever writes gives up", nil, time.Second, false, time.Second, false},
		{"and not at all where no fence is required", nil, time.Hour, true, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, next := NewGate(!test.open), &answering{}
				if test.round != nil {
					time.AfterFunc(time.Second, func() { gate.Set(*test.round) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.ends)
				defer cancel()
				began := time.Now()
				request, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://api/api/v1/namespaces/shop/secrets/regcred", nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = gate.Wrap(next).RoundTrip(request)
				if (next.sent == 1) != test.sent || test.sent == errors.Is(err, ErrNotFenced) || time.Since(began) != test.after {
					t.Errorf("sent %d after %s, error %v", next.sent, time.Since(began), err)
				}
			})
		})
	}
}
