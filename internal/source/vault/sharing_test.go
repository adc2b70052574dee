package vault

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

func requestFor(place v1alpha1.VaultSource, maxAge time.Duration) source.Request {
	return source.Request{
		Registries: []v1alpha1.Registry{"registry.example"}, Source: v1alpha1.Source{Vault: &place},
		Salt: []byte("salt-of-sixteen-b"), MaxAge: maxAge,
	}
}

// blocking says that it was asked, and answers when it may go on.
func blocking(asked chan<- struct{}, goOn <-chan struct{}, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		answers(200, body)(w, r)
	}
}

func TestObjectsWithOnePlaceShareOneRead(t *testing.T) {
	const objects, paths, periods = 1000, 50, 5
	const period, maxAge = time.Minute, 30 * time.Second
	server := newScripted(t)
	for i := range paths {
		server.handle(fmt.Sprintf("/v1/secret/data/%d", i), answers(200, kv2Answer(goodData)))
	}
	rig := newRig(t, server.URL)
	for p := range periods {
		var group sync.WaitGroup
		for _, i := range rand.Perm(objects) {
			group.Go(func() {
				place := v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(i % paths)}
				if _, err := rig.Read(t.Context(), requestFor(place, maxAge)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		reads := 0
		for _, request := range server.requests("") {
			if strings.HasPrefix(request.URL.Path, "/v1/secret/") {
				reads++
			}
		}
		if want := (p + 1) * paths; reads != want {
			t.Fatalf("%d reads after %d periods, want %d", reads, p+1, want)
		}
		rig.pass(period)
	}
	if logins := len(server.requests("/v1/auth/approle/login")); logins != 1 {
		t.Errorf("%d logins", logins)
	}
}

func TestWhoWantsAFreshAnswerGetsOne(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"username": "u", "password": "old"})))
	rig.mustRead(atKV2)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"username": "u", "password": "new"})))
	shared, failure := rig.readAged(atKV2, time.Minute)
	if failure != nil || shared.Config["registry.example"].Password() != "old" {
		t.Errorf("shared: %v", failure)
	}
	if fresh := rig.mustRead(atKV2); fresh.Config["registry.example"].Password() != "new" {
		t.Error("a fresh read gave the old value")
	}
	if !shared.ReadTime.Equal(rig.now()) {
		t.Errorf("a shared answer says it was read at %s", shared.ReadTime)
	}
}

func TestAFailureIsSharedForAMomentOnly(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	for range 10 {
		if _, failure := rig.readAged(atKV2, time.Minute); failure == nil || failure.Reason != v1alpha1.ReasonSecretNotFound {
			t.Fatal(failure)
		}
	}
	if n := len(server.requests("/v1/secret/data/a")); n != 1 {
		t.Errorf("%d reads at once", n)
	}
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig.pass(failureMemory)
	if _, failure := rig.readAged(atKV2, time.Minute); failure != nil {
		t.Errorf("after it was fixed: %v", failure)
	}
}

// What another object got some time ago may lack what somebody wrote since. Whoever can make nothing of it asks himself, as after a failure.
func TestAnAnswerThatIsOfNoUseHereIsSharedForAMomentOnly(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig.mustRead(atKV2)
	other := atKV2
	other.Keys = &v1alpha1.VaultKeys{Username: "user-two", Password: "password-two"}
	both := maps.Clone(goodData)
	both["user-two"], both["password-two"] = "two", "second"
	read := func(want string) {
		t.Helper()
		snapshot, failure := rig.readAged(other, time.Hour)
		switch {
		case want == "" && (failure == nil || failure.Reason != v1alpha1.ReasonKeyMissing):
			t.Errorf("%v", failure)
		case want != "" && (failure != nil || snapshot.Config["registry.example"].Username() != want):
			t.Errorf("%v", failure)
		}
	}
	reads := func(want int) {
		t.Helper()
		if n := len(server.requests("/v1/secret/data/a")); n != want {
			t.Errorf("it is read %d times, want %d", n, want)
		}
	}
	read("")
	reads(1)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(both)))
	rig.pass(failureMemory)
	read("two")
	reads(2)
	read("two")
	rig.readAged(atKV2, time.Hour)
	reads(2)
	other.Keys.Password = "of nobody"
	rig.pass(failureMemory)
	for range 3 {
		read("")
	}
	reads(3)
}

func TestWhileTheGateIsShutAReadIsJoinedButNoneBegins(t *testing.T) {
	good := func(context.Context) (*answer, *failure) { return &answer{status: 200}, nil }
	s := &sharing{usage: &usage{}, gate: &gate{}}
	if _, f := s.do(t.Context(), source.Place{Name: "known"}, readAt, time.Minute, good); f != nil {
		t.Fatal(f)
	}
	goOn := make(chan struct{})
	underWay, _ := s.begin(t.Context(), source.Place{Name: "under way"}, readAt, time.Minute, func(ctx context.Context) (*answer, *failure) {
		<-goOn
		return good(ctx)
	})
	s.gate.leave(readAt, false, outcomeSealed.at("x"))
	now := readAt.Add(time.Second)

	none := func(context.Context) (*answer, *failure) {
		t.Error("a read began")
		return nil, outcomeSlow.at("x")
	}
	for key, maxAge := range map[string]time.Duration{"known": 0, "under way": 0, "another": time.Minute} {
		if a, f := s.do(t.Context(), source.Place{Name: key}, now, maxAge, none); a != nil || f == nil || f.Outcome != outcomeSealed {
			t.Errorf("%q, asked again: %v", key, f)
		}
	}
	if a, f := s.do(t.Context(), source.Place{Name: "known"}, now, time.Minute, none); a == nil || f != nil {
		t.Errorf("an answer that is fresh enough is not shared: %v", f)
	}
	if joined, f := s.begin(t.Context(), source.Place{Name: "under way"}, now, time.Minute, none); joined != underWay || f != nil {
		t.Errorf("a read under way is not joined: %v", f)
	}
	close(goOn)
	<-underWay.done
	if a, f := s.do(t.Context(), source.Place{Name: "another"}, readAt.Add(lastProbe), time.Minute, good); a == nil || f != nil {
		t.Errorf("when it is time to probe nobody does: %v", f)
	}
}

func TestADynamicPathIsReadForEachAlone(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":60,"data":{"username":"u","password":"p"}}`))
	rig := newRig(t, server.URL)
	for range 3 {
		if _, failure := rig.readAged(atDynamic, time.Hour); failure != nil {
			t.Fatal(failure)
		}
	}
	if n := len(server.requests("/v1/robots/creds/a")); n != 3 {
		t.Errorf("%d reads", n)
	}
}

func TestOldAnswersAreForgotten(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	if _, failure := rig.readAged(atKV2, 30*time.Minute); failure != nil {
		t.Fatal(failure)
	}
	another := v1alpha1.VaultSource{Mount: "secret", Path: "b"}
	kept := func() int { return len(rig.connections["default"].sharing.reads) }
	rig.pass(29 * time.Minute)
	rig.mustFail(another, v1alpha1.ReasonSecretNotFound)
	if _, failure := rig.readAged(atKV2, 30*time.Minute); failure != nil || kept() != 2 || len(server.requests("/v1/secret/data/a")) != 1 {
		t.Errorf("%d answers are kept while one of half an hour is still of use: %v", kept(), failure)
	}
	rig.pass(time.Minute)
	rig.mustFail(another, v1alpha1.ReasonSecretNotFound)
	if kept() != 1 {
		t.Errorf("%d answers are kept", kept())
	}
}

// Objects of one place with other periods ride on the reads of the quickest, and none has a value that is older than its own
// period.
func TestTheQuickestReaderReadsForAll(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	type object struct{ period, due, read time.Duration } // since the beginning
	objects := []*object{{period: 45 * time.Second}, {period: time.Minute}, {period: 85 * time.Second}, {period: time.Hour}}
	begin := rig.now()
	const hours = 2
	for now := time.Duration(0); now < hours*time.Hour; now += time.Second {
		for _, o := range objects {
			if now < o.due {
				continue
			}
			maxAge := schedule.Shared(o.period)
			if now > 0 {
				maxAge = min(maxAge, now-o.read)
			}
			snapshot, failure := rig.readAged(atKV2, maxAge)
			if failure != nil {
				t.Fatal(failure)
			}
			if age := now - o.read; age > o.period {
				t.Fatalf("a value of %s was in use, with a period of %s", age, o.period)
			}
			o.read = snapshot.ReadTime.Sub(begin)
			o.due = schedule.Next(schedule.LastRead{Time: snapshot.ReadTime}, o.period, 0.5).Sub(begin)
		}
		rig.pass(time.Second)
	}
	if reads, want := len(server.requests("/v1/secret/data/a")), int(hours*time.Hour/(45*time.Second)); reads != want {
		t.Errorf("%d reads, want those of the quickest alone, %d", reads, want)
	}
}

// A server can take seconds to answer, and to take a lease back. What it gave for this object is not asked for once more, however long that took.
func TestAnAnswerThatIsOfNoUseIsNotAskedForOnceMore(t *testing.T) {
	for _, test := range []struct {
		name  string
		place v1alpha1.VaultSource
		path  string
	}{
		{"a login that an engine makes", atDynamic, "/v1/robots/creds/a"},
		{"a secret", atKV2, "/v1/secret/data/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			rig := newRig(t, server.URL)
			engine := newEngine(server, `{"other":"x"}`)
			server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
				rig.pass(failureMemory)
				answers(200, kv2Answer(map[string]any{"other": "x"}))(w, r)
			})
			server.handle("/v1/robots/creds/a", func(w http.ResponseWriter, r *http.Request) { engine.make(w, r); rig.pass(failureMemory) })
			if _, failure := rig.readAged(test.place, time.Hour); failure == nil || failure.Reason != v1alpha1.ReasonKeyMissing {
				t.Errorf("%v", failure)
			}
			if n := len(server.requests(test.path)); n != 1 {
				t.Errorf("it is read %d times", n)
			}
		})
	}
}
