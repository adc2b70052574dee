package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

// forge has the people of a namespace write a pull Secret that records company, with an entry for each key.
func (g *rig) forge(namespace string, keys ...string) {
	g.t.Helper()
	var entries []string
	for _, key := range keys {
		entries = append(entries, fmt.Sprintf(`%q:{"username":"u","password":"p"}`, key))
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "regcred", UID: types.UID(namespace), Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
			Annotations: map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: "1-x", Keys: keys, Changed: metav1.NewTime(g.now)}}.String()},
		},
		Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{` + strings.Join(entries, ",") + `}}`)},
	}
	if there := g.secret(namespace); there != nil {
		there.Annotations, there.Data = secret.Annotations, secret.Data
		if err := g.c.Update(g.t.Context(), there); err != nil {
			g.t.Fatal(err)
		}
		return
	}
	if err := g.c.Create(g.t.Context(), secret); err != nil {
		g.t.Fatal(err)
	}
}

// relabel takes some namespaces out of the selection.
func (g *rig) relabel(namespaces int) {
	g.t.Helper()
	for i := range namespaces {
		var namespace corev1.Namespace
		if err := g.c.Get(g.t.Context(), client.ObjectKey{Name: fmt.Sprintf("n-%05d", i)}, &namespace); err != nil {
			g.t.Fatal(err)
		}
		namespace.Labels["team"] = "none"
		if err := g.c.Update(g.t.Context(), &namespace); err != nil {
			g.t.Fatal(err)
		}
	}
}

// withTenant is a rig in which a namespace that is not selected has people of its own.
func withTenant(t *testing.T) *rig {
	t.Helper()
	g := newRig(t, 10, credential("company", "r.example"))
	if err := g.c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tenant", UID: "tenant"}}); err != nil {
		t.Fatal(err)
	}
	g.publish(record(t, "company", "1-x", "good", "r.example"))
	g.all(10)
	return g
}

func TestARecordThatATenantForgesGoesAtOnceAndNothingIsDecidedForIt(t *testing.T) {
	for _, test := range []struct {
		name      string
		namespace string
		keys      []string
	}{
		{"in a namespace that is not selected", "tenant", []string{"r.example"}},
		{"a key too many in one that is", "n-00000", []string{"evil.example", "r.example"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := withTenant(t)
			for range 3 {
				g.forge(test.namespace, test.keys...)
				if _, err := g.reconcile(test.namespace); err != nil {
					t.Fatal(err)
				}
				if secret := g.secret(test.namespace); secret != nil && strings.Contains(string(secret.Data[corev1.DockerConfigJsonKey]), test.keys[0]) {
					t.Errorf("it is still there: %s", secret.Data[corev1.DockerConfigJsonKey])
				}
				if _, err := g.reconcile(test.namespace); err != nil {
					t.Fatal(err)
				}
				g.now = g.now.Add(time.Minute)
			}
			if k := g.r.keepers.m["company"]; k != nil && (!k.decided.IsZero() || len(k.losing) > 0) {
				t.Errorf("a removal was decided on: %+v", k.outcome)
			}
			if got := g.removal(); got.Losing != 0 || got.Holding != 10 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The people of a namespace that is not selected write a record that says that it was. They are given no value by it, whatever keeps their entry.
func TestARecordThatATenantForgesBringsNoValue(t *testing.T) {
	unreadable := func(g *rig) {
		g.edit(func(c *v1alpha1.RegistryCredential) {
			c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}
		})
	}
	for name, do := range map[string]func(*rig){
		"the selector cannot be read":               func(g *rig) { unreadable(g); g.forge("tenant", "r.example") },
		"it is forged while no operator runs":       func(g *rig) { g.forge("tenant", "r.example"); g.restart() },
		"the same, and the selector cannot be read": func(g *rig) { g.forge("tenant", "r.example"); unreadable(g); g.restart() },
		"the cache of a new leader is behind": func(g *rig) {
			g.behind()
			g.edit(func(*v1alpha1.RegistryCredential) {})
			g.forge("tenant", "r.example")
		},
		"the RegistryCredential is away from the cache": func(g *rig) { g.behind(); g.remove(); g.forge("tenant", "r.example") },
	} {
		t.Run(name, func(t *testing.T) {
			g := withTenant(t)
			do(g)
			for range 3 {
				if _, err := g.reconcile("tenant"); err != nil {
					t.Fatal(err)
				}
				if secret := g.secret("tenant"); secret != nil && strings.Contains(string(secret.Data[corev1.DockerConfigJsonKey]), `"good"`) {
					t.Fatalf("they are given the value: %s", secret.Data[corev1.DockerConfigJsonKey])
				}
				g.now = g.now.Add(time.Second)
			}
		})
	}
}

// Whoever was given the password of one registry, and keeps it, is not given that of another one for having it.
func TestAValueThatIsKnownInOneEntryBringsNoneInAnother(t *testing.T) {
	g := newRig(t, 10, credential("company", "r.example", "s.example"))
	if err := g.c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tenant", UID: "tenant"}}); err != nil {
		t.Fatal(err)
	}
	before := record(t, "company", "1-x", "good", "r.example", "s.example")
	g.publish(before)
	g.all(10)
	g.forge("tenant", "r.example", "s.example")
	forged := g.secret("tenant")
	forged.Data[corev1.DockerConfigJsonKey] = []byte(strings.Replace(string(forged.Data[corev1.DockerConfigJsonKey]), `{"username":"u","password":"p"}`, string(before.Config.Raw()["r.example"]), 1))
	if err := g.c.Update(t.Context(), forged); err != nil || !strings.Contains(string(forged.Data[corev1.DockerConfigJsonKey]), `"good"`) {
		t.Fatalf("it is not forged: %v", err)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}
	})
	g.restart()
	next := record(t, "company", "2-x", "next", "r.example", "s.example")
	next.Previous = &rotation.Previous{Value: before.Value}
	g.publish(next)
	for range 2 {
		if _, err := g.reconcile("tenant"); err != nil {
			t.Fatal(err)
		}
		g.now = g.now.Add(settle)
	}
	if count := strings.Count(string(g.secret("tenant").Data[corev1.DockerConfigJsonKey]), `"next"`); count != 1 {
		t.Errorf("they are given the new value in %d entries: %s", count, g.secret("tenant").Data[corev1.DockerConfigJsonKey])
	}
}

// What was there when the operator started, and waits, is rotated where it has a value that regcred knows.
func TestWhatWaitedBeforeARestartIsRotatedAllTheSame(t *testing.T) {
	before, wrong := record(t, "company", "1-x", "good", "r.example"), record(t, "company", "0-x", "wrong", "r.example")
	next := func(change func(*records.Record)) records.Record {
		one := record(t, "company", "2-x", "next", "r.example")
		change(&one)
		return one
	}
	for name, test := range map[string]struct {
		next  records.Record
		given int
	}{
		"the one before was in use until now": {next(func(r *records.Record) { r.Previous = &rotation.Previous{Value: before.Value} }), 10},
		"regcred went back from it":           {next(func(r *records.Record) { r.Waiting = &rotation.Waiting{Value: before.Value} }), 10},
		"it is known no more":                 {next(func(r *records.Record) { r.Previous = &rotation.Previous{Value: wrong.Value} }), 0},
		"nothing is known of what was before": {next(func(*records.Record) {}), 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := withTenant(t)
			g.selects("shpo")
			g.all(10)
			g.restart()
			g.all(10)
			g.publish(test.next)
			for range 2 {
				g.now = g.now.Add(settle)
				g.all(10)
			}
			if got := g.having(10, `"next"`); got != test.given || g.having(10, "r.example") != 10 {
				t.Errorf("%d of 10 have the new value, want %d; %d have the entry", got, test.given, g.having(10, "r.example"))
			}
		})
	}
}

func TestARecordThatATenantForgesDoesNotCountInTheRemovalOfOthers(t *testing.T) {
	g := withTenant(t)
	g.relabel(5) // as many as may lose it without a person
	for range 3 {
		g.forge("tenant", "r.example")
		g.forge("n-00009", "evil.example", "r.example")
		if _, err := g.reconcile("tenant"); err != nil {
			t.Fatal(err)
		}
		g.all(10)
		g.now = g.now.Add(time.Minute)
	}
	if held := g.removal(); held.Held {
		t.Errorf("five of ten lose it, and it is held: %+v", held)
	}
	if got := g.having(10, `"r.example"`); got != 5 {
		t.Errorf("%d have the entry, wanted 5", got)
	}
}

func TestWhatWasDeliveredCountsHoweverItsRecordIsReadAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		after func(g *rig)
	}{
		{"at once", func(*rig) {}},
		{"after the watch told of it", func(g *rig) {
			for i := range 10 {
				g.r.ledger.note(g.secret(fmt.Sprintf("n-%05d", i)))
			}
		}},
		{"after a restart", func(g *rig) { g.restart() }},
		{"after a rotation", func(g *rig) {
			g.publish(record(t, "company", "2-x", "better", "r.example"))
			g.all(10)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := withTenant(t)
			test.after(g)
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
			for range 3 {
				g.all(10)
				g.now = g.now.Add(time.Minute)
			}
			if held := g.removal(); !held.Held || held.Losing != 10 || g.having(10, `"r.example"`) != 10 {
				t.Errorf("%+v, %d have it", held, g.having(10, `"r.example"`))
			}
		})
	}
}

// TestTheLedgerCountsAsItsContentSays goes through random histories of Secrets and counts again.
func TestTheLedgerCountsAsItsContentSays(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var l ledger
		for version := range 60 {
			sources := pullsecret.Sources{}
			for range random.IntN(3) {
				sources[fmt.Sprint("c", random.IntN(2))] = pullsecret.Source{Keys: []string{"a", "b", "c"}[:random.IntN(4)]}
			}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Namespace: fmt.Sprint("n", random.IntN(2)), Name: fmt.Sprint("s", random.IntN(2)), UID: types.UID(fmt.Sprint(random.IntN(2))),
				ResourceVersion: fmt.Sprint(version + 1), Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
				Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()},
			}}
			switch random.IntN(5) {
			case 0:
				l.begin(secret)
			case 1:
				l.drop(secret)
			case 2:
				l.gone(delivered.Place{Namespace: secret.Namespace, Name: secret.Name})
			case 3:
				l.vouch(secret, map[string][]string{"c0": {"a"}})
			default:
				l.note(secret)
			}
			for _, credential := range []string{"c0", "c1"} {
				namespaces := map[string]bool{}
				for place, one := range l.of(credential) {
					if len(one.known) > 0 {
						namespaces[place.Namespace] = true
					}
					if len(intersection(one.known, one.keys)) != len(one.known) {
						t.Fatalf("seed %d, %d: %v is known, and recorded is %v", seed, version, one.known, one.keys)
					}
				}
				if l.holding(credential) != len(namespaces) {
					t.Fatalf("seed %d, %d: it counts %d namespaces, and there are %d", seed, version, l.holding(credential), len(namespaces))
				}
			}
		}
	}
}

func TestEveryLineOfTheLogNamesTheCredentialsAndTheirRevisions(t *testing.T) {
	company := credential("company", "r.example")
	g := newRig(t, 1, company)
	g.publish(record(t, "company", "1-x", "good", "r.example"))
	var lines []string
	ctx := log.IntoContext(t.Context(), funcr.NewJSON(func(line string) { lines = append(lines, line) }, funcr.Options{}))
	look := func(ctx context.Context) {
		if _, err := g.r.Reconcile(ctx, delivered.Place{Namespace: "n-00000", Name: "regcred"}); err != nil {
			t.Fatal(err)
		}
	}
	look(ctx)
	g.alsoThere("shop")
	g.relabel(1)
	look(ctx)
	g.now = g.now.Add(time.Minute)
	look(ctx)
	if len(lines) != 4 { // written, attached, detached, removed
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, `"revisions":{"company":"1-x"}`) {
			t.Errorf("it does not say which revision: %s", line)
		}
	}
}

func TestThatASecretOfSomebodyWasTakenOverIsLogged(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt })
	g.publish(record(t, "company", "1-x", "good", "r.example"))
	secret := g.there("regcred", false)
	secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"other.example":{"auth":"dTpw"}}}`)}
	if err := g.c.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	var lines []string
	ctx := log.IntoContext(t.Context(), funcr.NewJSON(func(line string) { lines = append(lines, line) }, funcr.Options{}))
	for _, revision := range []string{"1-x", "2-x"} {
		g.publish(record(t, "company", revision, "good", "r.example"))
		if _, err := g.r.Reconcile(ctx, first); err != nil {
			t.Fatal(err)
		}
	}
	if all := strings.Join(lines, "\n"); strings.Count(all, "Took over") != 1 || g.having(1, "other.example") != 1 {
		t.Errorf("%q", lines)
	}
}

// What is recorded for a RegistryCredential whose entries wait is not all its own: only that is given new values, and nothing of the rest is taken away.
func TestWhileEntriesWaitWhatElseIsRecordedForThemStays(t *testing.T) {
	g := newRig(t, 10, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "old", "r.example"))
	g.all(10)
	g.selects("nobody")
	g.all(10)
	g.forge("n-00000", "r.example", "s.example")
	g.publish(record(t, "company", "2-x", "new", "r.example"))
	g.now = g.now.Add(time.Minute)
	g.all(10)
	if held := g.removal(); !held.Held || !g.has(0, `"s.example":{"username":"u","password":"p"}`) || !g.has(1, `"password":"new"`) {
		t.Errorf("%+v: %s", held, g.secret("n-00000").Data)
	}
}

// Else it would depend on who looks first whether the removal of others waits for a person.
func TestAKeyThatATenantAddsToARecordIsNoLoss(t *testing.T) {
	g := withTenant(t)
	g.forge("n-00009", "evil.example", "r.example")
	g.r.ledger.note(g.secret("n-00009")) // as the watch tells
	holding, losing, err := g.r.losses(t.Context(), g.company())
	if err != nil || len(holding) != 10 || len(losing) != 0 {
		t.Errorf("%d hold it, and %v are to lose something: %v", len(holding), losing, err)
	}
}
