package vault

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Whoever may make a RegistryCredential may name a path that the policy denies.
func TestAPathThatIsDeniedEndsNoLeaseOfOthers(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
	server.handle("/v1/sys/leases/renew", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":2764800,"renewable":true}`))
	server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"token-1","lease_duration":3600,"renewable":true}}`))
	rig := newRig(t, server.URL)
	lease := *rig.mustRead(atDynamic).Lease
	for range 90 {
		rig.pass(time.Minute)
		rig.maintain(t.Context())
		rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
	}
	renewed, err := rig.Renew(t.Context(), lease)
	if err != nil {
		t.Fatal(err)
	}
	if left := renewed.End().Sub(rig.now()); left < 30*time.Minute {
		t.Errorf("after %d logins the lease ends in %s, though its token is renewed", issued.Load(), left)
	}
	await(t, "all tokens but two are given back", func() bool { return len(server.requests("/v1/auth/token/revoke-self")) >= int(issued.Load())-2 })
}

// Many paths are denied, and one is allowed by now. Whoever is denied shares the other login, so that it is found at the next look.
func TestAPathThatIsAllowedByNowIsReadThoughOthersAreDenied(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 360000, true)
	rig := newRig(t, server.URL)
	place := func(name string) v1alpha1.VaultSource { return v1alpha1.VaultSource{Mount: "secret", Path: name} }
	for _, path := range []string{"a", "b", "c"} {
		server.handle("/v1/secret/data/"+path, answers(403, `{"errors":["permission denied"]}`))
	}
	for range 6 {
		rig.pass(time.Minute)
		for _, path := range []string{"a", "b", "c"} {
			rig.mustFail(place(path), v1alpha1.ReasonPermissionDenied)
		}
	}
	server.handle("/v1/secret/data/c", onlyFor(answers(200, kv2Answer(goodData)), "token-3", "token-4"))
	rig.pass(relogin)
	rig.mustFail(place("a"), v1alpha1.ReasonPermissionDenied)
	rig.mustRead(place("c"))
	rig.mustRead(place("c"))
	if n := issued.Load(); n != 3 {
		t.Errorf("%d logins", n)
	}
	await(t, "two of three tokens are given back: one is in use", func() bool { return len(server.requests("/v1/auth/token/revoke-self")) == 2 })
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(server.requests("/v1/auth/token/revoke-self")); n != 3 {
		t.Errorf("%d of 3 tokens were given back", n)
	}
}
