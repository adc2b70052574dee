package vault

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
)

func TestWhichLeasesThatNobodyUsesAreDue(t *testing.T) {
	for _, test := range []struct {
		name  string
		since time.Duration // ago
		tried time.Duration // ago, 0: never
		of    string
		due   bool
		kept  bool
	}{
		{"one that was never tried", time.Minute, 0, "default", true, false},
		{"one that was tried a moment ago", time.Minute, unusedPause - 1, "default", false, true},
		{"one that was tried a while ago", time.Minute, unusedPause, "default", true, false},
		{"one of another connection", time.Minute, 0, "other", false, true},
		{"one that is tried for as long as that makes sense", unusedLimit, 0, "default", true, false},
		{"one that was tried for longer", unusedLimit + 1, 0, "default", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var u unused
			lease := unusedLease{connection: test.of, id: "a", since: readAt.Add(-test.since)}
			if test.tried > 0 {
				lease.tried = readAt.Add(-test.tried)
			}
			u.putBack(lease)
			if held := u.holds("default", readAt); test.kept && held != test.due || test.due && !held {
				t.Errorf("it is held: %t", held)
			}
			if due := u.due("default", readAt); len(due) == 1 != test.due || len(u.all) == 1 != test.kept {
				t.Errorf("due are %v, and kept %v", due, u.all)
			}
		})
	}
}

func TestOfTooManyUnusedLeasesTheOldestAreLeftToTheirEnd(t *testing.T) {
	var u unused
	for n := range mostUnused + 2 {
		u.add("default", fmt.Sprint(n), readAt)
	}
	if len(u.all) != mostUnused || u.all[0].id != "2" || u.all[mostUnused-1].id != fmt.Sprint(mostUnused+1) {
		t.Errorf("%d are kept, from %s on", len(u.all), u.all[0].id)
	}
}

func TestALeaseThatVaultDoesNotTakeIsTriedAgainAfterAPause(t *testing.T) {
	server := newScripted(t)
	engine := newEngine(server, `{}`)
	rig := newRig(t, server.URL)
	engine.says(500)
	tried := func() int { return len(server.requests("/v1/sys/leases/revoke")) }
	rig.mustFail(atDynamic, v1alpha1.ReasonKeyMissing)
	rig.maintain(t.Context())
	if tried() != 1 {
		t.Errorf("tried %d times at once", tried())
	}
	rig.unused.add("default", "robots/creds/a/other", rig.now())
	rig.pass(unusedPause)
	rig.maintain(t.Context()) // the first is not taken: the other waits for the next time
	if tried() != 2 || len(rig.unused.all) != 2 {
		t.Errorf("tried %d times, and %d are left", tried(), len(rig.unused.all))
	}
	engine.says(0)
	rig.pass(unusedPause)
	rig.maintain(t.Context())
	if left, _ := engine.left(); left != 0 || len(rig.unused.all) != 0 {
		t.Errorf("%d live on, and %d are left", left, len(rig.unused.all))
	}
}

// Whoever reads next is not to find out once more what is wrong with the server.
func TestAServerThatTakesNoLeaseBackBecauseItIsSealedIsKnownToBe(t *testing.T) {
	server := newScripted(t)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	rig := newRig(t, server.URL)
	rig.mustRead(atDynamic)
	rig.unused.add("default", "robots/creds/a/old", rig.now())
	server.handle("/v1/sys/leases/revoke", answers(503, `{"errors":["Vault is sealed"]}`))
	rig.maintain(t.Context())
	before := len(server.requests(""))
	rig.mustFail(atDynamic, v1alpha1.ReasonSealed)
	if more := len(server.requests("")) - before; more != 0 {
		t.Errorf("%d requests for what is known", more)
	}
}

func TestAnAnswerWithoutALeaseMakesNothingThatIsGivenBack(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/robots/creds/a", answers(200, `{"data":{"user":"a"}}`))
	rig := newRig(t, server.URL)
	if failure := rig.mustFail(atDynamic, v1alpha1.ReasonKeyMissing); failure.Wasted || len(server.requests("/v1/sys/leases/revoke")) != 0 {
		t.Errorf("%+v", failure)
	}
}

// key is that of an object of a name.
func key(name string) inputKey { return inputKey{placeNamed(name), "salt"} }

// madeAt is an answer that an engine made for an exchange.
func madeAt(at time.Time, bytes int) *answer {
	a := &answer{body: make([]byte, bytes), read: readContext{at: at}}
	a.content.LeaseID = "robots/creds/a/1"
	return a
}

func TestWhatWaitsForACloudIsKeptWithinBounds(t *testing.T) {
	u := &unused{}
	i := inputs{unused: u}
	if i.keep(key("large"), madeAt(readAt, largestInput), readAt); i.take(key("large"), readAt) == nil || len(u.all) != 0 {
		t.Error("one of the largest size is not kept")
	}
	if i.keep(key("larger"), madeAt(readAt, largestInput+1), readAt); i.take(key("larger"), readAt) != nil || len(u.all) != 1 {
		t.Error("a larger one is kept, or not given back")
	}
	for n := range mostInputs {
		i.keep(key(fmt.Sprint(n)), madeAt(readAt, 1), readAt)
	}
	if len(u.all) != 1 {
		t.Errorf("%d are given back while there is room", len(u.all)-1)
	}
	if i.keep(key("one more"), madeAt(readAt, 1), readAt); i.take(key("one more"), readAt) != nil || len(u.all) != 2 {
		t.Error("one more is kept, or not given back")
	}
	late := readAt.Add(longestInput)
	if a := i.take(key("0"), late); a == nil {
		t.Error("one is forgotten while it may be of use")
	}
	i.keep(key("new"), madeAt(late, 1), late.Add(1)) // all others are too old by now, so that there is room
	if a := i.take(key("new"), late.Add(1)); a == nil {
		t.Error("the old ones are in the way of a new one")
	}
}

func TestWhatWaitedTooLongForACloudIsNotShownToItAnyMore(t *testing.T) {
	u := &unused{}
	i := inputs{unused: u}
	i.keep(key("a"), madeAt(readAt, 1), readAt)
	if a := i.take(key("a"), readAt.Add(longestInput+1)); a != nil || len(u.all) != 1 || len(i.m) != 0 {
		t.Errorf("it is %v; %d are given back, and %d wait", a, len(u.all), len(i.m))
	}
}

func TestWhatIsOfNoUseToACloudIsSaid(t *testing.T) {
	server, r, cloud := exchanging(t)
	server.handle("/v1/secret/a", answers(200, `{"data":{"access_key":"a"}}`))
	server.handle("/v1/secret/b", answers(200, `{"data":{}}`))
	cloud.says(exchange.ErrUnavailable)
	kv1, empty := ofCloud(atKV1), ofCloud(atKV1)
	empty.Path = "b"
	if failure := r.mustFail(kv1, v1alpha1.ReasonExchangeUnavailable); failure.Stalled {
		t.Errorf("%+v", failure)
	}
	r.mustFail(empty, v1alpha1.ReasonKeyMissing)
	r.options.Exchange = nil
	if failure := r.mustFail(kv1, v1alpha1.ReasonMalformed); !strings.Contains(failure.Message, "does no exchange") {
		t.Errorf("%+v", failure)
	}
}

func TestHowLongWhatWasMadeIsShownToACloud(t *testing.T) {
	server, r, cloud := exchanging(t)
	made := func() int { return len(server.requests("/v1/robots/creds/a")) }
	revoked := func() int { return len(server.requests("/v1/sys/leases/revoke")) }
	cloud.says(exchange.ErrRefused)
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused)
	r.pass(settling - 1)
	if failure := r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused); failure.Stalled || made() != 1 || revoked() != 0 {
		t.Errorf("%+v, %d were made, %d revoked", failure, made(), revoked())
	}
	r.pass(1)
	if failure := r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeRefused); !failure.Stalled || made() != 1 || revoked() != 1 {
		t.Errorf("%+v, %d were made, %d revoked", failure, made(), revoked())
	}
	cloud.says(exchange.ErrUnavailable)
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
	r.pass(longestInput)
	if r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable); made() != 2 || revoked() != 2 {
		t.Errorf("%d were made, %d revoked", made(), revoked())
	}
}

func TestTheWaitOfACloudIsPassedOn(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{time.Second: settlingPause, time.Minute: time.Minute} {
		f := notExchanged("x", &exchange.Error{Reason: exchange.ErrRefused, Message: "slowly", RetryAfter: asked}, 0)
		if f.wait != want || f.detail != "slowly" {
			t.Errorf("asked for %s, it waits %s", asked, f.wait)
		}
	}
	if f := notExchanged("x", fmt.Errorf("strange"), 0); f.Outcome != outcomeExchangeUnavailable || f.cause == nil {
		t.Errorf("%+v", f)
	}
}

// A cloud is asked only after what was of no use before is given back.
func TestBeforeAnotherIsMadeWhatIsUnusedIsGivenBack(t *testing.T) {
	server, r, _ := exchanging(t)
	r.mustRead(ofCloud(atDynamic))
	r.unused.add("default", "robots/creds/a/old", r.now())
	r.mustRead(ofCloud(atDynamic))
	var order []string
	for _, request := range server.requests("") {
		if path := request.URL.Path; path == "/v1/robots/creds/a" || path == "/v1/sys/leases/revoke" {
			order = append(order, path)
		}
	}
	if len(order) != 3 || order[1] != "/v1/sys/leases/revoke" {
		t.Errorf("the order was %q", order)
	}
}
