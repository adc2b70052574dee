package delivery

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
)

// version is a Secret of ours as it was at one time, which records these keys of company.
func version(uid, version string, keys ...string) *corev1.Secret {
	secret := kept(pullsecret.Sources{"company": {Keys: keys}, pullsecret.Adopted: {Keys: []string{"theirs.example"}}}, `{"auths":{}}`)
	secret.UID, secret.ResourceVersion = types.UID(uid), version
	secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	return secret
}

var ofShop = delivered.Place{Namespace: "shop", Name: "regcred"}

func TestWhatIsKnownOfASecretThatChanges(t *testing.T) {
	foreign := version("a", "9", "r.example")
	foreign.Labels = nil
	delivers := func(l *ledger) {
		l.vouch(version("a", "5", "r.example", "s.example"), map[string][]string{"company": {"r.example", "s.example"}})
	}
	for _, test := range []struct {
		name        string
		does        func(l *ledger)
		keys, known []string
	}{
		{"nothing happens", func(*ledger) {}, []string{"r.example", "s.example"}, []string{"r.example", "s.example"}},
		{"it records less", func(l *ledger) { l.note(version("a", "6", "r.example")) }, []string{"r.example"}, []string{"r.example"}},
		{"it recorded less before: the event comes late", func(l *ledger) { l.note(version("a", "4", "r.example")) },
			[]string{"r.example", "s.example"}, []string{"r.example", "s.example"}},
		{"it is told once more", func(l *ledger) { l.note(version("a", "5", "r.example")) }, []string{"r.example", "s.example"}, []string{"r.example", "s.example"}},
		{"its people add a key", func(l *ledger) { l.note(version("a", "6", "r.example", "s.example", "x.example")) },
			[]string{"r.example", "s.example", "x.example"}, []string{"r.example", "s.example"}},
		{"its people take a key away and add it again", func(l *ledger) {
			l.note(version("a", "6", "r.example"))
			l.note(version("a", "7", "r.example", "s.example"))
		}, []string{"r.example", "s.example"}, []string{"r.example"}},
		{"the watch tells late that it was there at the start", func(l *ledger) { l.begin(version("a", "5", "r.example", "s.example")) },
			[]string{"r.example", "s.example"}, []string{"r.example", "s.example"}},
		{"another one of the name has a lower version", func(l *ledger) { l.note(version("b", "2", "r.example")) }, []string{"r.example"}, []string{"r.example"}},
		{"its version cannot be compared", func(l *ledger) { l.note(version("a", "x", "r.example")) }, []string{"r.example"}, []string{"r.example"}},
		{"it is ours no more", func(l *ledger) { l.note(foreign) }, nil, nil},
		{"it is gone", func(l *ledger) { l.drop(version("a", "9")) }, nil, nil},
		{"another one of the name is gone", func(l *ledger) { l.drop(version("b", "9")) }, []string{"r.example", "s.example"}, []string{"r.example", "s.example"}},
		{"there is none", func(l *ledger) { l.gone(ofShop) }, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l ledger
			delivers(&l)
			test.does(&l)
			got := l.of("company")[ofShop]
			if !slices.Equal(got.keys, test.keys) || !slices.Equal(got.known, test.known) || !slices.Equal(l.at(ofShop, "company").known, test.known) {
				t.Errorf("recorded %q, known %q, want %q, %q", got.keys, got.known, test.keys, test.known)
			}
			if len(test.keys) > 0 && !got.seen {
				t.Error("that this process delivered it is forgotten")
			}
			if holding := l.holding("company"); holding != min(len(test.known), 1) {
				t.Errorf("%d namespaces hold it", holding)
			}
			if len(l.of(pullsecret.Adopted)) > 0 {
				t.Error("what was adopted counts as of a RegistryCredential")
			}
			if len(test.keys) == 0 && len(l.holders)+len(l.proven)+len(l.secrets) > 0 {
				t.Errorf("something is remembered of what is gone: %v %v %v", l.holders, l.proven, l.secrets)
			}
		})
	}
}

func TestANamespaceWithTwoSecretsHoldsARegistryCredentialUntilBothAreGone(t *testing.T) {
	var l ledger
	one, two := version("a", "5", "r.example"), version("b", "6", "r.example")
	two.Name = "former"
	l.begin(one)
	l.begin(two)
	if l.holding("company") != 1 || len(l.of("company")) != 2 {
		t.Errorf("%d namespaces, %v", l.holding("company"), l.of("company"))
	}
	if l.drop(one); l.holding("company") != 1 {
		t.Error("the other one still holds it")
	}
	if l.drop(two); l.holding("company") != 0 {
		t.Error("nothing is left")
	}
}

// Whoever was told what is held goes through it while it changes.
func TestWhatTheLedgerToldChangesNoMore(t *testing.T) {
	var l ledger
	l.begin(version("a", "5", "r.example"))
	told := l.of("company")
	l.drop(version("a", "5"))
	if len(told) != 1 {
		t.Errorf("%v", told)
	}
}

func TestAVersionThatWasFoundRightIsNotLookedAtOnceMore(t *testing.T) {
	var l ledger
	l.note(version("a", "5", "r.example"))
	if l.settled(ofShop, "5") {
		t.Error("nobody looked at it yet")
	}
	if l.settle(version("a", "4", "r.example")); l.settled(ofShop, "5") || l.settled(ofShop, "4") {
		t.Error("an older version was found right, and this one counts as right")
	}
	l.settle(version("a", "5", "r.example"))
	if l.note(version("a", "6", "r.example")); l.settled(ofShop, "5") || l.settled(ofShop, "6") {
		t.Error("it changed since it was found right")
	}
	if l.settled(delivered.Place{Namespace: "other", Name: "regcred"}, "") {
		t.Error("a place of which nothing is known is right")
	}
}

// What was there at the start was delivered before. What comes later its namespace's people can have written.
func TestWhatAWatchSaysOfASecretThatIsThere(t *testing.T) {
	for _, test := range []struct {
		name        string
		atTheStart  bool
		held        bool
		keys, known int
	}{
		{"it was there at the start", true, true, 1, 1},
		{"it came later", false, true, 1, 0},
		{"it was there at the start, and what it records is not kept", true, false, 0, 0},
		{"it came later, and what it records is not kept", false, false, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1, credential("company", "r.example"))
			secret := g.there("regcred", true)
			if !test.held {
				secret.Generation = -1
			}
			if named.Held(secret) != test.held {
				t.Fatal("this is not how such a Secret looks")
			}
			q := &added{}
			g.r.onSecret().Create(t.Context(), event.TypedCreateEvent[*corev1.Secret]{Object: secret, IsInInitialList: test.atTheStart}, q)
			if got := g.r.ledger.of("company")[first]; len(got.keys) != test.keys || len(got.known) != test.known || !slices.Contains(q.places, first) {
				t.Errorf("recorded %q, known %q; looked at %v", got.keys, got.known, q.places)
			}
			if _, counts := g.r.Board.At(first, "company"); counts != (test.atTheStart && test.held) {
				t.Errorf("it counts before it is looked at: %t", counts)
			}
			changed := secret.DeepCopy()
			changed.ResourceVersion = "10000"
			sources := pullsecret.Sources{"company": {Keys: []string{"r.example", "x.example"}}}
			changed.Annotations[v1alpha1.SourcesAnnotation] = sources.String()
			g.r.onSecret().Update(t.Context(), event.TypedUpdateEvent[*corev1.Secret]{ObjectOld: secret, ObjectNew: changed}, q)
			if got := g.r.ledger.of("company")[first]; len(got.keys) != 2*test.keys || len(got.known) != test.known {
				t.Errorf("after a change recorded are %q, known %q", got.keys, got.known)
			}
		})
	}
}

// What a look sees counts, also where no event told of it yet.
func TestWhatALookSeesOfASecretIsNoted(t *testing.T) {
	t.Run("somebody made it his own", func(t *testing.T) {
		g, seen := delivers(t, nil)
		secret := g.secret("n-00000")
		secret.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
		if err := g.c.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if _, err := g.reconcile("n-00000"); err != nil || g.r.ledger.holding("company") != 0 || len(seen.requests) > 0 {
			t.Errorf("%d namespaces hold it, written is %q: %v", g.r.ledger.holding("company"), seen.lines(), err)
		}
	})
	t.Run("it is gone", func(t *testing.T) {
		g, _ := delivers(t, nil)
		g.deselect()
		if err := g.c.Delete(t.Context(), g.secret("n-00000")); err != nil {
			t.Fatal(err)
		}
		if _, err := g.reconcile("n-00000"); err != nil || g.r.ledger.holding("company") != 0 {
			t.Errorf("%d namespaces hold it: %v", g.r.ledger.holding("company"), err)
		}
	})
}

// What delivery left counts as delivered: not what stays of a RegistryCredential that does not select the place, has nothing published or
// for which there is no room. There its namespace's people can have added keys.
func TestWhatIsKnownToBeDeliveredAfterALook(t *testing.T) {
	published := record(t, "company", "1-x", "one", "r.example").Config
	company := credential("company", "r.example")
	for _, test := range []struct {
		name   string
		change func(f *facts) (refused []string)
		known  int
	}{
		{"it selects the place, and its value is there", func(*facts) []string { return nil }, 1},
		{"it stays", func(f *facts) []string { f.selecting, f.staying = nil, f.selecting; return nil }, 0},
		{"nothing of it is published", func(f *facts) []string { f.contributions[0].Config = nil; return nil }, 0},
		{"there is no room for it", func(*facts) []string { return []string{"company"} }, 0},
		{"there is no room for another one", func(*facts) []string { return []string{"other"} }, 1},
	} {
		var r Reconciler
		f := facts{selecting: []*v1alpha1.RegistryCredential{credential("other"), company}, contributions: []pullsecret.Contribution{{Credential: "company", Config: published}}}
		refused := test.change(&f)
		r.vouch(f, version("a", "5", "r.example"), refused)
		if got := r.ledger.at(ofShop, "company").known; len(got) != test.known {
			t.Errorf("%s: %q", test.name, got)
		}
		if r.vouch(f, nil, nil); r.ledger.holding("company") != test.known {
			t.Errorf("%s: a look that left no Secret changed what is known", test.name)
		}
	}
}
