package policycheck

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Writes ask while the state changes. The race detector looks on.
func TestTheGateIsUsedByManyAtOnce(t *testing.T) {
	gate := NewGate(true)
	var workers sync.WaitGroup
	for _, work := range []func(){
		func() { gate.Set(State{Known: true}) }, func() { gate.Set(State{Known: true, Missing: []string{"a"}}) }, func() { _ = gate.State().Standing() },
	} {
		workers.Go(func() {
			for range 100 {
				work()
			}
		})
	}
	workers.Wait()
}

func TestWhatCancelsARequestIsFoundBehindTheGate(t *testing.T) {
	next := &answering{}
	wrapped, is := NewGate(true).Wrap(next).(interface{ WrappedRoundTripper() http.RoundTripper })
	if !is || wrapped.WrappedRoundTripper() != http.RoundTripper(next) {
		t.Errorf("behind the gate is %v", wrapped)
	}
}

func TestAQuotaIsAskedAfterThePoliciesWhateverItSays(t *testing.T) {
	for _, says := range []string{"exceeded quota: q, requested: secrets=1", "failed quota: q: must specify cpu", "status unknown for quota: q"} {
		if got := Judge("regcred-secrets", apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New(says))); got != (Answer{Kind: Missing}) {
			t.Errorf("%s: %+v", says, got)
		}
	}
}

// A probe that is not answered keeps no other one from being asked, and says nothing.
func TestEachProbeHasATimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		r := &Runner{
			Gate: NewGate(true), Probes: []Probe{{"silent", silent}, {"silent too", silent}, {"open", func(ctx context.Context) error { return ctx.Err() }}},
			TooWide: func(ctx context.Context) (string, error) { return "", silent(ctx) },
		}
		began := time.Now()
		answers := r.round(t.Context())
		if took := time.Since(began); took != 3*oneProbe {
			t.Errorf("it took %s", took)
		}
		if answers["silent"] != (Answer{}) || answers["silent too"] != (Answer{}) || answers["open"].Kind != Missing || len(answers) != 4 {
			t.Errorf("%+v", answers)
		}
	})
}

// The names of several policies begin alike.
func TestAPolicyOfAnotherNameDoesNotStandForIt(t *testing.T) {
	for by, want := range map[string]Answer{
		"regcred-pods": {Kind: Stands}, "regcred-pods-of-ours": {By: "ValidatingAdmissionPolicy regcred-pods-of-ours"}, "regcred": {By: "ValidatingAdmissionPolicy regcred"},
		"": {By: "ValidatingAdmissionPolicy "},
	} {
		err := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "x", errors.New("ValidatingAdmissionPolicy '"+by+"' with binding 'b' denied request: no"))
		if got := Judge("regcred-pods", err); got != want {
			t.Errorf("%q: %+v, want %+v", by, got, want)
		}
	}
}

func TestHowSoonItIsAskedAgain(t *testing.T) {
	stands, hidden := map[string]Answer{"a": {Kind: Stands}}, map[string]Answer{"a": {By: "w"}}
	for _, test := range []struct {
		name    string
		state   State
		answers map[string]Answer
		waits   []time.Duration // after answers that were the same so many times
	}{
		{"while nothing may be written, however long that lasts", State{Known: true, Missing: []string{"a"}}, stands, []time.Duration{whileClosed, whileClosed, whileClosed, whileClosed, whileClosed}},
		{"while nothing is known", State{}, hidden, []time.Duration{whileClosed, whileClosed, whileClosed, whileClosed, whileClosed}},
		{"where all stand", State{Known: true}, stands, []time.Duration{soon[0], soon[1], soon[2], period, period}},
		{"where one cannot be asked", State{Known: true}, hidden, []time.Duration{soon[0], soon[1], soon[2], whileUnasked, whileUnasked}},
	} {
		for same, want := range test.waits {
			if got := waitAfter(test.state, test.answers, same); got != want {
				t.Errorf("%s, for the %d. time: %s, want %s", test.name, same+1, got, want)
			}
		}
	}
}
