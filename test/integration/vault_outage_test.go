package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/box"
)

func TestVaultSealedAndUnsealed(t *testing.T) {
	t.Parallel()
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, nil, "reader")
	rig.mustRead(kv2("platform/a"))
	vaultMust(t, rig.vault.Seal(t.Context()))
	failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonSealed)
	if failure.Stalled || failure.RetryAfter <= 0 || !strings.Contains(failure.Message, "unseal") {
		t.Errorf("%+v", failure)
	}
	rig.pass(time.Minute)
	rig.mustFail(kv2("platform/a"), v1alpha1.ReasonSealed)
	vaultMust(t, rig.vault.Unseal(t.Context()))
	rig.pass(15 * time.Second)
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")
	if n := rig.loginCount(v1alpha1.ReasonSucceeded); n != 1 {
		t.Errorf("%d logins: the token was good all the time", n)
	}
}

func TestVaultFailsOver(t *testing.T) {
	t.Parallel()
	rig := newVaultWithReader(t, box.VaultOptions{Standby: true})
	for name, address := range map[string]string{"active": rig.vault.Address, "standby": rig.vault.StandbyAddress} {
		rig.connectByAppRole(3600, func(s *v1alpha1.VaultConnectionSpec) { s.Address = address }, "reader")
		t.Run("through the node that is "+name+" at first", func(t *testing.T) {
			for range 2 {
				rig.readOn(kv2("platform/a"))
				vaultMust(t, rig.vault.StepDown(t.Context()))
				rig.readOn(kv2("platform/a"))
			}
		})
	}
	if n := rig.loginCount(v1alpha1.ReasonSucceeded); n != 2 {
		t.Errorf("%d logins through two addresses", n)
	}
}

// readOn reads until it works, as a queue would: an outage may last a moment, and nothing else may be wrong.
func (r *vaultRig) readOn(place v1alpha1.VaultSource) {
	r.t.Helper()
	vaultAwait(r.t, "Vault is read again", func() bool {
		_, failure := r.read(place)
		if failure == nil {
			return true
		}
		if failure.Stalled || (failure.Reason != v1alpha1.ReasonUnavailable && failure.Reason != v1alpha1.ReasonSealed) {
			r.t.Fatalf("%+v", failure)
		}
		r.pass(failure.RetryAfter)
		return false
	})
}

func TestVaultThatStopsIsUnavailable(t *testing.T) {
	server, err := box.StartVault(t.Context(), box.VaultOptions{})
	vaultMust(t, err)
	rig := newVaultRig(t, server)
	vaultMust(t, server.Policy(t.Context(), "reader", vaultReader))
	rig.write("platform/a", "robot", "pw-1")
	rig.connectByAppRole(3600, nil, "reader")
	rig.mustRead(kv2("platform/a"))
	vaultMust(t, server.Stop())
	if failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonUnavailable); failure.RetryAfter <= 0 {
		t.Errorf("%+v", failure)
	}
}

// countingProxy counts what reaches a Vault, and answers reads of secret/ as no Vault of the box can.
type countingProxy struct {
	address string
	total   atomic.Int64
	logins  atomic.Int64
	fault   atomic.Pointer[http.HandlerFunc] // nil: Vault answers
}

func newCountingProxy(t *testing.T, server *box.Vault) *countingProxy {
	t.Helper()
	target, err := url.Parse(server.Address)
	vaultMust(t, err)
	p := &countingProxy{}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	p.address = vaultServe(t, func(w http.ResponseWriter, r *http.Request) {
		p.total.Add(1)
		if strings.HasSuffix(r.URL.Path, "/login") {
			p.logins.Add(1)
		}
		if fault := p.fault.Load(); fault != nil && strings.HasPrefix(r.URL.Path, "/v1/secret/") {
			(*fault)(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	})
	return p
}

// TestVaultSealedForHours has the real Vault sealed under a thousand readers, whose clock runs as fast as they read. It alone finds that
// readers, one by one polite, together log in or ask without a bound, and that some are not read again after the unseal. All waits end
// at schedule.MaxBackoff, two minutes, and the token lives for an hour: so three hours are each state three times and more, and a day
// would be the same again.
func TestVaultSealedForHours(t *testing.T) {
	t.Parallel()
	const objects = 1000
	rig := newVaultWithReader(t, box.VaultOptions{})
	for i := range objects {
		rig.write(fmt.Sprintf("platform/%d", i), "robot", "pw")
	}
	proxy := newCountingProxy(t, rig.vault)
	rig.connectByAppRole(3600, func(s *v1alpha1.VaultConnectionSpec) { s.Address = proxy.address }, "reader")
	place := func(object int) v1alpha1.VaultSource { return kv2(fmt.Sprintf("platform/%d", object)) }
	f := newFleet(rig, objects, place)
	begun := rig.now()
	f.run(t, 2*time.Minute)
	if unread := f.stale(begun); unread > 0 {
		t.Fatalf("%d of %d were not read", unread, objects)
	}

	vaultMust(t, rig.vault.Seal(t.Context()))
	reads, requests, logins := f.reads, proxy.total.Load(), proxy.logins.Load()
	spell := 3 * time.Hour
	if testing.Short() {
		spell = time.Hour
	}
	f.run(t, spell)
	reads, requests, logins = f.reads-reads, proxy.total.Load()-requests, proxy.logins.Load()-logins
	t.Logf("sealed for %s: %d reads, %d requests, %d logins", spell, reads, requests, logins)
	if limit := int64(spell / time.Minute); logins > limit {
		t.Errorf("%d logins, want at most %d", logins, limit)
	}
	if limit := int64(2 * spell / time.Second); requests > limit {
		t.Errorf("%d requests, want at most %d", requests, limit)
	}

	vaultMust(t, rig.vault.Unseal(t.Context()))
	unsealed := rig.now()
	f.run(t, time.Minute)
	if stale := f.stale(unsealed); stale > 0 {
		t.Errorf("%d of %d are stale a minute after Vault was unsealed", stale, objects)
	}
}

func TestVaultIsReadOncePerPathAndPeriod(t *testing.T) {
	const objects, paths, periods = 1000, 50, 10
	rig := newVaultWithReader(t, box.VaultOptions{})
	for i := range paths {
		rig.write(fmt.Sprintf("platform/%d", i), "robot", "pw")
	}
	rig.connectByAppRole(36000, nil, "reader")
	place := func(object int) v1alpha1.VaultSource { return kv2(fmt.Sprintf("platform/%d", object%paths)) }
	f := newFleet(rig, objects, place)
	f.run(t, 2*time.Minute) // until those of a path go together
	audit := rig.audit()
	f.run(t, periods*time.Minute)
	reads, err := audit.Count("read", "secret/data/platform/")
	vaultMust(t, err)
	t.Logf("%d reads in %d periods for %d objects on %d paths", reads, periods, objects, paths)
	// The time that the reads themselves take makes a period longer, so that the last of a path may come after the end.
	if reads > paths*periods || reads < paths*(periods-1) {
		t.Errorf("%d reads in %d periods, want %d", reads, periods, paths*periods)
	}
	wantRequests(t, audit, "update", "auth/approle/login", 0)
}

// Tokens end, are revoked and replaced, and the connection changes, all while many read: run with -race.
func TestVaultTokensRotateUnderLoad(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(2, nil, "reader")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var good atomic.Int64
	for i := range 16 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := rig.manager.Read(t.Context(), vaultRequest(kv2("platform/a"), time.Duration(i%2)*10*time.Millisecond))
				if failure := source.AsError(err); failure == nil {
					good.Add(1)
				} else if failure.Stalled {
					t.Errorf("%+v", failure)
					return
				}
			}
		})
	}
	for range 8 {
		before := good.Load()
		vaultAwait(t, "reads go on", func() bool { return good.Load() > before+50 })
		_, err := rig.vault.Client().Logical().WriteWithContext(t.Context(), "sys/leases/revoke-prefix/auth/approle/login", nil)
		vaultMust(t, err)
		rig.pass(20 * time.Second)
		before = good.Load()
		vaultAwait(t, "reads go on after the tokens were revoked", func() bool { return good.Load() > before+50 })
		rig.connectByAppRole(2, func(s *v1alpha1.VaultConnectionSpec) { s.TimeoutSeconds = new(5 + rand.N(int32(5))) }, "reader")
	}
	close(stop)
	readers.Wait()
	t.Logf("%d reads, %d logins", good.Load(), rig.loginCount(v1alpha1.ReasonSucceeded))
}
