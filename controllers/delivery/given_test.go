package delivery

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// The older RegistryCredential has the registry, whatever its name, and what each wants on the Secret is there.
func TestWhatOfASpecCountsInASecret(t *testing.T) {
	older, younger := credential("z-older", "r.example"), credential("a-younger", "r.example")
	older.CreationTimestamp, younger.CreationTimestamp = metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	older.Spec.Target.SecretLabels = map[string]v1alpha1.LabelValue{"team": "shop"}
	g := newRig(t, 1, older, younger)
	g.publish(record(t, "z-older", "1-o", "of-older", "r.example"), record(t, "a-younger", "1-y", "of-younger", "r.example"))
	g.all(1)
	if secret := g.secret("n-00000"); g.having(1, `"of-older"`) != 1 || secret.Labels["team"] != "shop" {
		t.Errorf("labels %v; %d have the entry of the older one", secret.Labels, g.having(1, `"of-older"`))
	}
	if d, _ := g.r.Board.At(first, "a-younger"); d.TakenBy != "z-older" {
		t.Errorf("the younger one is told %+v", d)
	}
}

// Whose entries may not be written goes on to be recorded as it was, with its revision.
func TestOfOneThatIsSuspendedAndSelectsOthersTheRecordStaysAsItIs(t *testing.T) {
	g, seen := delivers(t, nil)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Suspend, c.Spec.Target.NamespaceSelector.MatchLabels["team"] = true, "nobody"
	})
	g.publish(record(t, "company", "2-x", "two", "r.example", "s.example"))
	g.leave()
	if got := g.source("n-00000"); len(seen.requests) > 0 || got.Revision != "1-x" {
		t.Errorf("%+v, written is %q", got, seen.lines())
	}
}

func TestARegistryThatIsPublishedNoMoreStaysWhileARemovalWaits(t *testing.T) {
	g := newRig(t, 10, credential("company", "r.example", "s.example"))
	g.publish(record(t, "company", "1-x", "old", "r.example", "s.example"))
	g.all(10)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
	g.all(10)
	g.now = g.now.Add(time.Minute)
	g.publish(record(t, "company", "2-x", "new", "r.example"))
	g.all(10)
	if !g.removal().Held || g.having(10, `"s.example"`) != 10 || g.having(10, `"new"`) != 10 {
		t.Errorf("%+v; %d have the registry, %d the new value", g.removal(), g.having(10, `"s.example"`), g.having(10, `"new"`))
	}
}

func TestOnlyWhatIsPublishedIsGivenToAPlaceThatWaits(t *testing.T) {
	value, err := dockerconfig.NewCredential("robot", "one")
	if err != nil {
		t.Fatal(err)
	}
	config := dockerconfig.Config{"r.example": value, "s.example": value}
	if got := restrict(config, []string{"r.example", "never.example"}); len(got) != 1 || got["r.example"] != value {
		t.Errorf("of two keys, one of which is published: %d", len(got))
	}
	if restrict(nil, []string{"r.example"}) != nil {
		t.Error("nothing that is published became an empty value, which takes what is there")
	}
}

// A person who suspends a RegistryCredential wants nothing to be taken, either.
func TestOfOneThatIsSuspendedNoRemovalIsDecided(t *testing.T) {
	g, seen := delivers(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.Registries = []v1alpha1.Registry{"r.example", "s.example"}
	})
	g.publish(record(t, "company", "2-x", "one", "r.example", "s.example"))
	g.all(1)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Suspend, c.Spec.Registries = true, []v1alpha1.Registry{"r.example"}
	})
	g.publish(record(t, "company", "3-x", "one", "r.example"))
	seen.requests = nil
	if after, err := g.reconcile("n-00000"); err != nil || after != 0 || len(seen.requests) > 0 || len(g.r.keepers.m["company"].losing) > 0 {
		t.Errorf("again after %s (%v), written is %q", after, err, seen.lines())
	}
}

// What cannot be decided takes nothing, and is tried again.
func TestNothingIsTakenWhereTheDecisionCannotBeKept(t *testing.T) {
	g, seen := delivers(t, nil)
	g.deselect()
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	g.now = g.now.Add(settle)
	g.storeFails = errAway
	if _, err := g.reconcile("n-00000"); !errors.Is(err, errAway) || len(seen.requests) > 0 {
		t.Errorf("%v; written is %q", err, seen.lines())
	}
	g.storeFails, g.now = nil, g.now.Add(decideAgain)
	g.leave()
	seen.find(t, "delete Secret regcred")
}

// Where there is not room for all, the older ones have it, and the others are told.
func TestWhoHasNoRoomInASecretIsTold(t *testing.T) {
	older, younger := credential("z-older", "r.example"), credential("a-younger", "s.example")
	older.CreationTimestamp, younger.CreationTimestamp = metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	g := newRig(t, 1, older, younger)
	long, of := strings.Repeat("x", 60<<10), func(host string) []string {
		return []string{host, host + "/a", host + "/b", host + "/c", host + "/d"}
	}
	g.publish(record(t, "z-older", "1-o", long, of("r.example")...), record(t, "a-younger", "1-y", long, of("s.example")...))
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	if d, _ := g.r.Board.At(first, "a-younger"); d.Reason != v1alpha1.ReasonSecretFull || g.having(1, `"r.example"`) != 1 || g.having(1, `"s.example"`) != 0 {
		t.Errorf("%+v", d)
	}
	if d, _ := g.r.Board.At(first, "z-older"); d.Reason != "" || d.Revision != "1-o" {
		t.Errorf("%+v", d)
	}
	if known := g.r.ledger.at(first, "a-younger").known; len(known) > 0 {
		t.Errorf("it is known to hold %q", known)
	}
}
