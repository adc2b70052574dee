package vault

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// breaks ends the connection in the place of an answer.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestWhetherALeaseWasGivenBack(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		says   string // empty: it is given back
	}{
		{"Vault takes it", answers(204, ""), ""},
		{"Vault does not know it any more", answers(400, `{"errors":["invalid lease"]}`), ""},
		{"the policy does not allow it", answers(403, `{"errors":[]}`), "grant update on sys/leases/revoke"},
		{"Vault fails", answers(500, `{"errors":[]}`), "look into Vault's log"},
		{"the connection breaks", breaks, "the connection broke"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			newEngine(server, `{"username":"robot","password":"pw"}`)
			server.handle("/v1/sys/leases/revoke", test.answer)
			rig := newRig(t, server.URL)
			lease := *rig.mustRead(atDynamic).Lease
			err := rig.Release(t.Context(), lease)
			if (err == nil) != (test.says == "") || err != nil && (!strings.Contains(err.Error(), test.says) || source.AsError(err) == nil) {
				t.Errorf("the error is %v", err)
			}
			if err := rig.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			// A lease that lives on would end with its token.
			if ended := len(server.requests("/v1/auth/token/revoke-self")) == 1; ended != (test.says == "") {
				t.Errorf("the token was revoked: %t", ended)
			}
		})
	}
}

func TestALeaseOfAConnectionThatIsGoneIsNobodys(t *testing.T) {
	rig := newRig(t, newScripted(t).URL)
	lease := source.Lease{Connection: "other", ID: "robots/creds/a/1"}
	if err := rig.Release(t.Context(), lease); source.AsError(err) == nil || source.AsError(err).Reason != v1alpha1.ReasonConnectionNotFound {
		t.Errorf("given back: %v", err)
	}
	if _, err := rig.Renew(t.Context(), lease); source.AsError(err) == nil || source.AsError(err).Reason != v1alpha1.ReasonConnectionNotFound {
		t.Errorf("prolonged: %v", err)
	}
}

func TestHowALeaseIsProlonged(t *testing.T) {
	server := newScripted(t)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	rig := newRig(t, server.URL)
	lease := *rig.mustRead(atDynamic).Lease
	if want := rig.now().Add(time.Hour); !lease.LoginEnds.Equal(want) || !lease.End().Equal(want) {
		t.Errorf("it ends %s, with the token of an hour: %+v", lease.End(), lease)
	}
	var sent map[string]any
	server.handle("/v1/sys/leases/renew", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &sent)
		rig.pass(time.Second) // until it is answered
		answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":600,"renewable":false}`)(w, r)
	})
	rig.pass(time.Minute)
	asked := rig.now()
	renewed, err := rig.Renew(t.Context(), lease)
	if err != nil {
		t.Fatal(err)
	}
	if sent["lease_id"] != lease.ID || sent["increment"] != lease.Term.Seconds() {
		t.Errorf("Vault was sent %v", sent)
	}
	if !renewed.Obtained.Equal(asked) || renewed.Duration != 10*time.Minute || renewed.Renewable || renewed.Term != lease.Term || renewed.ID != lease.ID {
		t.Errorf("it became %+v", renewed)
	}
	if _, err := rig.Renew(t.Context(), renewed); err != nil || sent["increment"] != lease.Term.Seconds() {
		t.Errorf("what has ten minutes is prolonged by %v, %v", sent, err)
	}
}

func TestALeaseThatVaultDoesNotProlong(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		ended  bool
		says   string
	}{
		{"it is prolonged by nothing", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":0}`), true, "Vault did not prolong"},
		{"it is not renewable", answers(400, `{"errors":["lease is not renewable"]}`), true, "Vault does not prolong"},
		{"the policy does not allow it", answers(403, `{"errors":[]}`), true, "grant update on sys/leases/renew"},
		{"Vault fails", answers(500, `{"errors":[]}`), false, "look into Vault's log"},
		{"the connection breaks", breaks, false, "the connection broke"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			newEngine(server, `{"username":"robot","password":"pw"}`)
			server.handle("/v1/sys/leases/renew", test.answer)
			rig := newRig(t, server.URL)
			lease := *rig.mustRead(atDynamic).Lease
			_, err := rig.Renew(t.Context(), lease)
			if err == nil || errors.Is(err, source.ErrNotRenewable) != test.ended || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// A lease ends with the token that asked for it, so that the token is prolonged first where it would cut the lease off.
func TestTheTokenIsProlongedBeforeALeaseThatOutlastsIt(t *testing.T) {
	for _, test := range []struct {
		name      string
		after     time.Duration
		lease     int // seconds that Vault gives
		renewable bool
		token     int // seconds, 0: without end
		refused   bool
		renewals  int
		ends      time.Duration // of the token, from now on; 0: never
	}{
		{"the lease is longer", 30 * time.Minute, 86400, true, 3600, false, 1, time.Hour},
		{"the token is nearly new", 5 * time.Minute, 86400, true, 3600, false, 0, 55 * time.Minute},
		{"a tenth of its time is over", 6 * time.Minute, 86400, true, 3600, false, 0, 54 * time.Minute},
		{"a little more is over", 6*time.Minute + 1, 86400, true, 3600, false, 1, time.Hour},
		{"the lease is shorter", 30 * time.Minute, 600, true, 3600, false, 0, 30 * time.Minute},
		{"both end at once", 30 * time.Minute, 1800, true, 3600, false, 0, 30 * time.Minute},
		{"the token cannot be renewed", 30 * time.Minute, 86400, false, 3600, false, 0, 30 * time.Minute},
		{"Vault does not prolong the token", 30 * time.Minute, 86400, true, 3600, true, 1, 30 * time.Minute},
		{"the token ends never", 30 * time.Minute, 86400, true, 0, false, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			tokens(server, test.token, test.renewable)
			newEngine(server, `{"username":"robot","password":"pw"}`)
			server.handle("/v1/sys/leases/renew", answers(200, leaseOfSeconds(test.lease)))
			if server.handle("/v1/auth/token/renew-self", answers(200, loginAnswer("token-1"))); test.refused {
				server.handle("/v1/auth/token/renew-self", answers(403, `{"errors":[]}`))
			}
			rig := newRig(t, server.URL)
			lease := *rig.mustRead(atDynamic).Lease
			rig.pass(test.after)
			renewed, err := rig.Renew(t.Context(), lease)
			if err != nil {
				t.Fatal(err)
			}
			var want time.Time
			if test.ends > 0 {
				want = rig.now().Add(test.ends)
			}
			if n := len(server.requests("/v1/auth/token/renew-self")); n != test.renewals || !renewed.LoginEnds.Equal(want) {
				t.Errorf("%d renewals of the token, which ends in %s", n, renewed.LoginEnds.Sub(rig.now()))
			}
		})
	}
}

// All of them end with one token, which is prolonged once.
func TestTheTokenOfManyLeasesIsProlongedOnce(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, true)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/sys/leases/renew", meeting(readers, answers(200, leaseOfSeconds(86400))))
	server.handle("/v1/auth/token/renew-self", answers(200, loginAnswer("token-1")))
	rig := newRig(t, server.URL)
	var leases []source.Lease
	for range readers {
		leases = append(leases, *rig.mustRead(atDynamic).Lease)
	}
	rig.pass(30 * time.Minute)
	var group sync.WaitGroup
	for _, lease := range leases {
		group.Go(func() {
			if renewed, err := rig.Renew(t.Context(), lease); err != nil || !renewed.LoginEnds.Equal(rig.now().Add(time.Hour)) {
				t.Errorf("%+v, %v", renewed, err)
			}
		})
	}
	group.Wait()
	if n := len(server.requests("/v1/auth/token/renew-self")); n != 1 {
		t.Errorf("%d renewals of the token", n)
	}
}

func TestALeaseThatIsGivenBackWhileItsTokenIsProlongedEndsAsItDid(t *testing.T) {
	server := newScripted(t)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/sys/leases/renew", answers(200, leaseOfSeconds(86400)))
	rig := newRig(t, server.URL)
	lease := *rig.mustRead(atDynamic).Lease
	server.handle("/v1/auth/token/renew-self", func(w http.ResponseWriter, r *http.Request) {
		if err := rig.Release(t.Context(), lease); err != nil {
			t.Error(err)
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	rig.pass(30 * time.Minute)
	if renewed, err := rig.Renew(t.Context(), lease); err != nil || !renewed.LoginEnds.Equal(lease.LoginEnds) {
		t.Errorf("%+v, %v", renewed, err)
	}
}

func TestBeforeALoginNobodyHoldsALease(t *testing.T) {
	if s := new(tokenLife).holderOf("robots/creds/a/1"); s != nil {
		t.Errorf("%+v", s)
	}
}

func TestOfALeaseOfAnotherTokenItsEndIsNotKnownAnew(t *testing.T) {
	server := newScripted(t)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/sys/leases/renew", answers(200, leaseOfSeconds(86400)))
	rig := newRig(t, server.URL)
	rig.mustRead(atDynamic)
	ends := rig.now().Add(20 * time.Minute)
	renewed, err := rig.Renew(t.Context(), source.Lease{Connection: "default", ID: "robots/creds/a/of-before", Term: time.Hour, LoginEnds: ends})
	if err != nil || !renewed.LoginEnds.Equal(ends) {
		t.Errorf("%+v, %v", renewed, err)
	}
}

func leaseOfSeconds(seconds int) string {
	encoded, _ := json.Marshal(map[string]any{"lease_id": "robots/creds/a/1", "lease_duration": seconds, "renewable": true})
	return string(encoded)
}
