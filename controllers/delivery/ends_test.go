package delivery

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/removal"
)

// What an earlier process granted ends where it is not to be lost any more, and serves nobody before that was looked at.
func TestWhatAnEarlierProcessGrantedIsLookedAt(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.relabelOne("n-00001", "none")
	other := delivered.Place{Namespace: "n-00001", Name: "regcred"}
	k := &keeper{uid: "company", losing: wholly(first, other)}
	if k.resume(removal.State{UID: "another", Granted: wholeIn("n-00000")}); k.inherited || len(k.state.Granted) > 0 {
		t.Errorf("of one of before: %+v", k.state)
	}
	if k.resume(removal.State{UID: "company"}); k.inherited {
		t.Error("nothing was granted, and it is to be looked at")
	}
	k.resume(removal.State{UID: "company", Granted: wholeIn("n-00000", "n-00001"), GrantTime: g.now})
	k.decided = g.now
	if k.grants(first, g.now) {
		t.Error("it serves before anybody looked")
	}
	whole := g.r.Cluster
	g.unreadable("Namespace")
	if err := g.r.review(t.Context(), companyOf(t, whole), k); !errors.Is(err, errAway) || !k.inherited {
		t.Errorf("where it cannot be looked at: %v, still to be looked at %t", err, k.inherited)
	}
	g.r.Cluster = whole
	looked := 0
	g.r.Board = delivered.NewBoard(func(string) { looked++ })
	if err := g.r.review(t.Context(), companyOf(t, whole), k); err != nil || !k.state.Grants(wholeOf(other)) || k.state.Grants(wholeOf(first)) {
		t.Errorf("granted are %v: %v", k.state.Granted, err)
	}
	if err := g.r.review(t.Context(), companyOf(t, whole), k); err != nil || looked != 1 {
		t.Errorf("the look that keeps what was taken back is asked for %d times: %v", looked, err)
	}
	if !k.inherited || k.grants(other, g.now) {
		t.Error("it serves before it was compared with what the API server has")
	}
	if err := g.r.decide(t.Context(), companyOf(t, whole), k); err != nil || k.inherited || !k.grants(other, g.now) {
		t.Errorf("granted are %v: %v", k.state.Granted, err)
	}
}

// companyOf is company as a cache shows it.
func companyOf(t *testing.T, from client.Reader) *v1alpha1.RegistryCredential {
	t.Helper()
	var object v1alpha1.RegistryCredential
	if err := from.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

// The end of a removal is known by what is left in a Secret.
func TestWhenNothingIsLeftToGoFromASecret(t *testing.T) {
	for _, test := range []struct {
		name   string
		secret *corev1.Secret
		keys   []string
		over   bool
	}{
		{"it holds none of them", version("a", "5", "r.example"), []string{"s.example"}, true},
		{"it holds one of them", version("a", "5", "r.example"), []string{"r.example", "s.example"}, false},
		{"nothing was to go", version("a", "5", "r.example"), nil, false},
		{"it is gone: the watch tells of that", nil, []string{"s.example"}, false},
		{"it is new: the watch tells of that", version("a", "", "r.example"), []string{"s.example"}, false},
	} {
		g := newRig(t, 0, credential("company", "r.example"))
		g.publish()
		object := g.company()
		k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
		k.losing[ofShop] = wholeOf(ofShop)
		f := facts{place: ofShop}
		f.loses(object, test.keys, unlisted)
		if err := g.r.ends(t.Context(), f, test.secret); err != nil || (len(k.losing) == 0) != test.over {
			t.Errorf("%s: to be lost are %v, %v", test.name, k.losing, err)
		}
	}
	g := newRig(t, 0, credential("company", "r.example"))
	g.publish()
	object := g.company()
	g.r.keepers.of(object, g.r.Store.Removals, g.now).losing[ofShop] = wholeOf(ofShop)
	g.unreadable("NamespaceList")
	f := facts{place: ofShop}
	f.loses(object, []string{"s.example"}, unlisted)
	if err := g.r.ends(t.Context(), f, version("a", "5", "r.example")); !errors.Is(err, errAway) {
		t.Errorf("where that cannot be decided: %v", err)
	}
}

func TestThatANamespaceIsGoneIsNotForgottenWhereItCannotBeDecidedWhatFollows(t *testing.T) {
	for _, kind := range []string{"RegistryCredentialList", "NamespaceList"} {
		g := newRig(t, 1, credential("company", "r.example"))
		g.publish()
		g.r.keepers.of(g.company(), g.r.Store.Removals, g.now).losing[ofShop] = wholeOf(ofShop)
		g.unreadable(kind)
		if _, err := g.r.Reconcile(t.Context(), ofShop); !errors.Is(err, errAway) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Which of the keys that stay get a new value: those that regcred itself found right, and those whose entry it knows.
func TestWhichEntriesThatStayAreGivenNewValues(t *testing.T) {
	published := record(t, "company", "2-x", "two", "r.example", "s.example")
	secret := func(content string) *corev1.Secret {
		return kept(pullsecret.Sources{"company": {Keys: []string{"r.example", "s.example"}}}, content)
	}
	both := []string{"r.example", "s.example"}
	for _, test := range []struct {
		name    string
		content string
		known   []string
		seen    bool
		want    []string
	}{
		{"both were found right", `{"auths":{}}`, both, true, both},
		{"nothing is known", `{"auths":{"r.example":{"username":"robot","password":"two"}}}`, nil, false, nil},
		{"one has the value", `{"auths":{"r.example":{"username":"robot","password":"two"},"s.example":{"username":"robot","password":"x"}}}`, both, false, []string{"r.example"}},
		{"one has no value", `{"auths":{"r.example":{"username":"robot","password":"two"}}}`, both, false, []string{"r.example"}},
		{"one cannot be read", `{"auths":{"r.example":{"username":"robot","password":"two"},"s.example":{"auth":"%"}}}`, both, false, []string{"r.example"}},
		{"one is published for another registry alone", `{"auths":{"q.example":{"username":"robot","password":"two"}}}`, []string{"q.example"}, false, nil},
		{"nothing can be read", `{"auths":[]}`, both, false, nil},
	} {
		g := newRig(t, 0)
		g.publish(published)
		f := facts{values: g.r.Store.Snapshot(), secret: secret(test.content)}
		if got := f.own(credential("company"), test.known, test.seen); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWhoCameAfterWhomIsKnownOfEach(t *testing.T) {
	var s successors
	company, other := credential("company"), credential("other")
	s.note(company, "before")
	s.note(other, "before-other")
	if !s.is(company, "before") || s.is(company, "before-other") || !s.is(other, "before-other") {
		t.Errorf("%v", s.m)
	}
	again := credential("company")
	again.UID = "again"
	if s.is(again, "before") {
		t.Error("another one of the name is taken for it")
	}
	if s.forget("company"); s.is(company, "before") || len(s.m) != 1 {
		t.Errorf("%v", s.m)
	}
}

// Where that cannot be looked at, a place that loses nothing any more is asked for again.
func TestThatNothingIsLostAnyMoreIsNotForgottenWhereWhatWasGrantedCannotBeLookedAt(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	object := g.company()
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	k.resume(removal.State{UID: "company", Granted: wholeIn("n-00000"), GrantTime: g.now})
	k.losing[first] = wholeOf(first)
	g.unreadable("Namespace")
	if err := g.r.losesNothing(t.Context(), object, first); !errors.Is(err, errAway) || len(k.losing) != 1 || !k.inherited {
		t.Errorf("%v; to be lost are %v", err, k.losing)
	}
}

// Each decision that changes nothing would else be a write of the record.
func TestADecisionThatChangesNothingIsNotWritten(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.label("none")
	object := g.company()
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	if err := g.r.decide(t.Context(), object, k); err != nil || !k.outcome.Held {
		t.Fatalf("%+v, %v", k.outcome, err)
	}
	g.storeFails = errAway
	if err := g.r.decide(t.Context(), object, k); err != nil || !k.outcome.Held {
		t.Errorf("%+v, %v", k.outcome, err)
	}
}

// Whose record is only found there keeps what it says, also its revision: the new one is not in it.
func TestWhatStaysWithoutANewValueKeepsItsRecord(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	object := g.company()
	object.Spec.Suspend = true
	object.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody"
	secret := g.there("regcred", true)
	secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"r.example":{"username":"u","password":"theirs"}}}`)}
	for _, suspended := range []bool{true, false} {
		object.Spec.Suspend = suspended
		g.r.ledger.begin(secret)
		f := facts{place: first, values: g.r.Store.Snapshot(), namespace: g.namespace(), memory: &memory{}}
		f.found(secret)
		if err := g.r.consider(t.Context(), &f, object, nil); err != nil || f.role("company") != "stays" || f.contributions[0].Config != nil {
			t.Errorf("suspended %t: it %q, %+v: %v", suspended, f.role("company"), f.contributions, err)
		}
	}
}

// What a Secret of somebody's still records of regcred counts for nothing.
func TestASecretOfSomebodysRecordsNothing(t *testing.T) {
	theirs := version("a", "5", "r.example")
	theirs.Labels = nil
	for _, test := range []struct {
		name   string
		secret *corev1.Secret
		ours   bool
	}{{"ours", version("a", "5", "r.example"), true}, {"theirs", theirs, false}, {"none", nil, false}} {
		var f facts
		if f.found(test.secret); (f.ours != nil) != test.ours || (len(f.recorded) > 0) != test.ours || f.secret != test.secret {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}
