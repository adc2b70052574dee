package vault

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// revoked keeps the tokens that are revoked.
type revoked struct {
	mu     sync.Mutex
	tokens []string
}

func (r *revoked) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasSuffix(request.URL.Path, "/auth/token/revoke-self") {
		r.tokens = append(r.tokens, request.Header.Get("X-Vault-Token"))
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
}

// withTokens is a connection whose tokens can be ended, and those that were revoked.
func withTokens(t *testing.T) (*connection, *revoked) {
	t.Helper()
	end := &revoked{}
	c := &connection{name: "default", now: time.Now, metrics: noMetrics{}, limiter: rate.NewLimiter(rate.Inf, 1), http: &http.Client{Transport: end},
		spec: v1alpha1.VaultConnectionSpec{Address: "http://vault.invalid", Auth: appRole()}}
	c.tokens.begin(c)
	return c, end
}

func loggedIn(t *testing.T, c *connection, token string, obtained time.Time) *session {
	t.Helper()
	s, err := c.newSession(&grant{token: token, lifetime: time.Hour}, obtained)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A lease ends with the token that asked for it, also one that is noted while somebody waits to end the token.
func TestATokenIsNotRevokedForALeaseThatItsLastReaderNoted(t *testing.T) {
	for lease, want := range map[string][]string{"robots/creds/a/1": nil, "": {"first"}} {
		synctest.Test(t, func(t *testing.T) {
			c, end := withTokens(t)
			s := loggedIn(t, c, "first", time.Now())
			s.users.Add(1)
			c.tokens.retire(s)
			synctest.Wait() // it waits for its last reader
			if lease != "" {
				c.tokens.noteLease(s, lease)
			}
			s.users.Done()
			c.tokens.retiring.Wait()
			if !slices.Equal(end.tokens, want) {
				t.Errorf("with the lease %q revoked were %q", lease, end.tokens)
			}
		})
	}
}

func TestAtTheEndOfAConnectionEachOfItsTokensIsRevoked(t *testing.T) {
	c, end := withTokens(t)
	now := time.Now()
	c.tokens.current = loggedIn(t, c, "in-use", now)
	c.tokens.exchangeOther(loggedIn(t, c, "beside-it", now))
	c.tokens.retire(loggedIn(t, c, "before", now))
	c.tokens.close()
	if got := slices.Sorted(slices.Values(end.tokens)); !slices.Equal(got, []string{"before", "beside-it", "in-use"}) {
		t.Errorf("revoked were %q", got)
	}
}

// Another login can have policies of later, and one of before the login in use cannot.
func TestALoginOfBeforeTheOneInUseIsNotTriedInItsPlace(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		obtained time.Time
		want     bool
	}{"before": {now.Add(-2 * time.Hour), false}, "together": {now.Add(-time.Hour), false}, "after": {now.Add(-time.Minute), true}} {
		c, _ := withTokens(t)
		c.now = func() time.Time { return now }
		inUse, other := loggedIn(t, c, "in-use", now.Add(-time.Hour)), loggedIn(t, c, "beside-it", test.obtained)
		c.tokens.current, c.tokens.tried = inUse, now // it was tried a moment ago, so that none is made
		c.tokens.exchangeOther(other)
		if got := c.tokens.another(t.Context(), inUse); (got == other) != test.want || got != nil && got != other {
			t.Errorf("%s: %v", name, got)
		} else if got != nil {
			got.users.Done()
		}
	}
}

func TestOfLeasesThatAreGivenBackOneThatVaultDoesNotTakeLetsNoOtherWait(t *testing.T) {
	now := readAt
	server := newScripted(t)
	server.handle("/v1/sys/leases/revoke", answers(500, `{"errors":[]}`))
	rig := newRig(t, server.URL)
	rig.mu.Lock()
	rig.clock = now
	rig.mu.Unlock()
	c, f := rig.Manager.connection(t.Context(), "default")
	if f != nil {
		t.Fatal(f)
	}
	defer c.usage.leave()
	for _, id := range []string{"a", "b", "c"} {
		rig.unused.add("default", id, now)
	}
	if failure := c.giveBackUnused(t.Context()); failure == nil {
		t.Fatal("it is taken back")
	}
	var due []string
	for _, lease := range rig.unused.due("default", now) {
		due = append(due, lease.id)
	}
	if !slices.Equal(due, []string{"b", "c"}) {
		t.Errorf("to be given back now are %q", due)
	}
	if left := rig.unused.due("default", now.Add(unusedPause)); len(left) != 1 || left[0].id != "a" || !left[0].since.Equal(now) {
		t.Errorf("and after a pause %+v", left)
	}
}

func TestALeaseIsNotTakenForGivenBackWhereVaultOnlyAsksForPatience(t *testing.T) {
	for status, given := range map[int]bool{204: true, 400: true, 403: false, 412: false, 429: false, 500: false} {
		server := newScripted(t)
		server.handle("/v1/sys/leases/revoke", answers(status, `{"errors":[]}`))
		err := newRig(t, server.URL).Release(t.Context(), source.Lease{Connection: "default", ID: "robots/creds/a/1"})
		if (err == nil) != given {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// Whoever still reads must not find a token that was revoked meanwhile.
func TestTheTokenOfAConnectionIsRevokedAfterItsLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, end := withTokens(t)
		c.tokens.current = loggedIn(t, c, "in-use", time.Now())
		c.usage.join()
		closed := make(chan struct{})
		go func() { c.close(); close(closed) }()
		synctest.Wait()
		if len(end.tokens) != 0 {
			t.Errorf("while somebody reads %q are revoked", end.tokens)
		}
		c.usage.leave()
		<-closed
		if !slices.Equal(end.tokens, []string{"in-use"}) {
			t.Errorf("revoked are %q", end.tokens)
		}
	})
}

// What was written while the answer was on its way may be missing in it.
func TestAReadIsOfTheMomentInWhichItWasAsked(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	good := answers(200, kv2Answer(goodData))
	server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
		rig.pass(10 * time.Second)
		good(w, r)
	})
	asked := rig.now()
	if got := rig.mustRead(atKV2).ReadTime; !got.Equal(asked) {
		t.Errorf("it is of %s after it was asked", got.Sub(asked))
	}
}
