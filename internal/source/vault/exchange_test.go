package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
)

const keysAnswer = `{"lease_id":"robots/creds/a/1","lease_duration":3600,"renewable":true,"data":{"access_key":"AKIA1","secret_key":"hidden"}}`

// ofCloud is a place whose content is exchanged.
func ofCloud(place v1alpha1.VaultSource) v1alpha1.VaultSource {
	place.Exchange = &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}
	return place
}

// scriptedCloud gives a login for whatever it is shown, or an error.
type scriptedCloud struct {
	mu    sync.Mutex
	err   error
	shown []payload.Fields
	life  time.Duration
	now   func() time.Time
}

func (c *scriptedCloud) Exchange(_ context.Context, _ *v1alpha1.VaultExchange, registries []v1alpha1.Registry, fields payload.Fields) (payload.Fields, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = append(c.shown, fields)
	if c.err != nil {
		return nil, &exchange.Error{Reason: c.err, Message: "the cloud said so"}
	}
	entry := map[string]any{"username": "AWS", "password": fmt.Sprintf("login-%d", len(c.shown))}
	return payload.Fields{
		exchange.ConfigField: map[string]any{"auths": map[string]any{string(registries[0]): entry}},
		"expires_at":         c.now().Add(c.life).UTC().Format(time.RFC3339),
	}, nil
}

func (c *scriptedCloud) says(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func cloudSays(reason error) func(*testing.T, *scripted, *rig) {
	return func(_ *testing.T, _ *scripted, r *rig) {
		r.options.Exchange = &scriptedCloud{err: reason, now: r.now}
	}
}

// exchanging is a rig before an engine that makes keys with a lease, and a cloud.
func exchanging(t *testing.T) (*scripted, *rig, *scriptedCloud) {
	t.Helper()
	server := newScripted(t)
	made := 0
	server.handle("/v1/robots/creds/a", func(w http.ResponseWriter, r *http.Request) {
		made++
		answers(200, fmt.Sprintf(`{"lease_id":"robots/creds/a/%d","lease_duration":3600,"renewable":true,"data":{"access_key":"AKIA%d","secret_key":"s"}}`, made, made))(w, r)
	})
	server.handle("/v1/sys/leases/revoke", answers(204, ""))
	r := newRig(t, server.URL)
	cloud := &scriptedCloud{life: 12 * time.Hour, now: r.now}
	r.options.Exchange = cloud
	return server, r, cloud
}

func TestWhatACloudGivesIsDelivered(t *testing.T) {
	server, r, cloud := exchanging(t)
	first := r.mustRead(ofCloud(atDynamic))
	if login := first.Config["registry.example"]; login.Username() != "AWS" || login.Password() != "login-1" {
		t.Errorf("it delivers %s", login.Username())
	}
	if cloud.shown[0]["access_key"] != "AKIA1" {
		t.Errorf("the cloud was shown %v", cloud.shown)
	}
	if left := first.ExpireTime.Sub(r.now()); !first.Minted || first.Lease == nil || !first.Lease.Renews() || left > time.Hour {
		t.Errorf("minted %t, lease %+v, ends in %s: the end is the earlier of both", first.Minted, first.Lease, left)
	}
	if limit := first.Lease.Limit.Sub(r.now()); limit < 11*time.Hour || limit > 12*time.Hour {
		t.Errorf("a renewal prolongs it up to %s", limit)
	}
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"access_key": "AKIA", "secret_key": "s"})))
	kept, again := r.mustRead(ofCloud(atKV2)), r.mustRead(ofCloud(atKV2))
	if !kept.Minted || kept.Lease != nil || kept.Revision == again.Revision || kept.ExpireTime.Sub(r.now()) < 11*time.Hour {
		t.Errorf("of a version of KV: minted %t, revisions %s and %s", kept.Minted, kept.Revision, again.Revision)
	}
	soon := r.now().Add(time.Hour).UTC().Truncate(time.Second)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"access_key": "AKIA", "secret_key": "s", "expires_at": soon.Format(time.RFC3339)})))
	if ends := r.mustRead(ofCloud(atKV2)).ExpireTime; !ends.Equal(soon) {
		t.Errorf("what it is made of ends at %s, and the login at %s", soon, ends)
	}
}

func TestWhatACloudDoesNotKnowYetIsShownAgain(t *testing.T) {
	server, r, cloud := exchanging(t)
	cloud.says(exchange.ErrRefused)
	for range 10 {
		if failure := r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused); failure.Stalled || failure.RetryAfter != settlingPause {
			t.Fatalf("%+v", failure)
		}
		r.pass(settlingPause)
	}
	if made := len(server.requests("/v1/robots/creds/a")); made != 1 {
		t.Errorf("%d users were made", made)
	}
	cloud.says(nil)
	if snapshot := r.mustRead(ofCloud(atDynamic)); snapshot.Lease == nil || snapshot.Lease.ID != "robots/creds/a/1" {
		t.Errorf("lease %+v", snapshot.Lease)
	}
	if revoked := len(server.requests("/v1/sys/leases/revoke")); revoked != 0 {
		t.Errorf("%d leases were revoked", revoked)
	}
	if after := r.mustRead(ofCloud(atDynamic)); after.Lease.ID != "robots/creds/a/2" {
		t.Errorf("what is in use was given again: %+v", after.Lease)
	}
}

func TestWhatACloudRefusesForLongIsGivenBack(t *testing.T) {
	server, r, cloud := exchanging(t)
	cloud.says(exchange.ErrRefused)
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused)
	r.pass(settling + time.Second)
	if failure := r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused); !failure.Stalled {
		t.Errorf("%+v", failure)
	}
	if made, revoked := len(server.requests("/v1/robots/creds/a")), len(server.requests("/v1/sys/leases/revoke")); made != 1 || revoked != 1 {
		t.Errorf("%d users were made and %d revoked", made, revoked)
	}
	for _, reason := range []error{exchange.ErrInput, exchange.ErrRegistry} {
		server, r, cloud := exchanging(t)
		cloud.says(reason)
		_, failure := r.read(ofCloud(atDynamic))
		if revoked := len(server.requests("/v1/sys/leases/revoke")); failure == nil || !failure.Stalled || revoked != 1 {
			t.Errorf("%v: %+v, and %d were revoked", reason, failure, revoked)
		}
	}
}

func TestWhileACloudIsAwayNothingMoreIsMade(t *testing.T) {
	server, r, cloud := exchanging(t)
	cloud.says(exchange.ErrUnavailable)
	for range 100 {
		failure := r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
		if failure.Stalled || !errors.Is(failure, exchange.ErrUnavailable) || !strings.Contains(failure.Message, "the cloud said so") {
			t.Fatalf("%+v", failure)
		}
		r.pass(30 * time.Second)
	}
	made, revoked := len(server.requests("/v1/robots/creds/a")), len(server.requests("/v1/sys/leases/revoke"))
	if made > 6 || made-revoked > 1 {
		t.Errorf("in 50 minutes %d users were made, and %d given back", made, revoked)
	}
}

func TestWhatCannotBeReadIsNotExchanged(t *testing.T) {
	server, r, cloud := exchanging(t)
	for reason, answer := range map[string]http.HandlerFunc{v1alpha1.ReasonPermissionDenied: answers(403, `{"errors":[]}`), v1alpha1.ReasonUnavailable: breaks} {
		server.handle("/v1/robots/creds/a", answer)
		r.mustFail(ofCloud(atDynamic), reason)
	}
	if len(cloud.shown) > 0 {
		t.Errorf("the cloud was shown %v", cloud.shown)
	}
}

// What another object got may be of before somebody corrected it. A cloud that is away says nothing of it.
func TestWhatACloudDoesNotTakeIsReadAgainWhereAnotherObjectReadIt(t *testing.T) {
	for says, reads := range map[error]int{exchange.ErrRefused: 2, exchange.ErrInput: 2, exchange.ErrUnavailable: 1} {
		server, r, cloud := exchanging(t)
		server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"access_key": "AKIA", "secret_key": "s"})))
		if _, failure := r.readAged(ofCloud(atKV2), time.Hour); failure != nil {
			t.Fatal(failure)
		}
		r.pass(failureMemory)
		cloud.says(says)
		if _, failure := r.readAged(ofCloud(atKV2), time.Hour); failure == nil {
			t.Errorf("%v: it is exchanged", says)
		}
		if n := len(server.requests("/v1/secret/data/a")); n != reads {
			t.Errorf("%v: it is read %d times", says, n)
		}
	}
}

func TestAnAnswerThatWaitsIsOfOneObject(t *testing.T) {
	server, r, cloud := exchanging(t)
	cloud.says(exchange.ErrUnavailable)
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
	cloud.says(nil)
	other := ofCloud(atDynamic)
	request := requestOf(other)
	request.Salt = []byte("salt-of-another-o")
	snapshot, err := r.Read(t.Context(), request)
	if err != nil || snapshot.Lease.ID != "robots/creds/a/2" {
		t.Errorf("%v, lease %+v", err, snapshot.Lease)
	}
	if mine := r.mustRead(other); mine.Lease.ID != "robots/creds/a/1" || len(server.requests("/v1/robots/creds/a")) != 2 {
		t.Errorf("lease %+v", mine.Lease)
	}
}
