package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

var errAway = errors.New("away")

// unreadable has reads of one kind fail, such as "Secret" and "RegistryCredentialList", of what is cached and of what is not.
func (g *rig) unreadable(kind string) {
	is := func(object any) bool { return strings.HasSuffix(fmt.Sprintf("%T", object), "."+kind) }
	under := func(c client.Reader) client.Client {
		return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if is(object) {
					return errAway
				}
				return c.Get(ctx, key, object, options...)
			},
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if is(list) {
					return errAway
				}
				return c.List(ctx, list, options...)
			},
		})
	}
	g.r.Cluster, g.r.Writer = under(g.r.Cluster), under(g.r.Writer)
	g.r.Secrets, g.r.ServiceAccounts = everyName{under(g.c)}, everyName{under(g.c)}
}

// What cannot be read may be anything: a Secret that would be taken for one that is not there, or RegistryCredentials for ones that are gone.
func TestNothingIsWrittenWhereSomethingCannotBeRead(t *testing.T) {
	for _, kind := range []string{"Namespace", "Secret", "RegistryCredentialList"} {
		t.Run(kind, func(t *testing.T) {
			g, writes := delivers(t, nil)
			g.publish(record(t, "company", "2-x", "two", "r.example"))
			before, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company")
			g.unreadable(kind)
			if _, err := g.reconcile("n-00000"); !errors.Is(err, errAway) {
				t.Errorf("it is not told: %v", err)
			}
			if after, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company"); len(writes.requests) > 0 || after != before {
				t.Errorf("written is %q, and said %+v", writes.lines(), after)
			}
		})
	}
}

func TestNothingIsLostWhereSomethingCannotBeRead(t *testing.T) {
	for _, kind := range []string{"Namespace", "RegistryCredentialList"} {
		t.Run(kind, func(t *testing.T) {
			g, writes := delivers(t, nil)
			g.deselect()
			for range 2 {
				if _, err := g.reconcile("n-00000"); err != nil {
					t.Fatal(err)
				}
				g.now = g.now.Add(settle)
			}
			writes.requests = nil
			object := &v1alpha1.RegistryCredential{}
			if err := g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, object); err != nil {
				t.Fatal(err)
			}
			place := delivered.Place{Namespace: "n-00000", Name: "regcred"}
			g.r.keepers = keepers{}
			if _, err := g.r.mayLose(t.Context(), object, place); err != nil {
				t.Fatal(err)
			}
			g.now = g.now.Add(settle)
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Target.NamespaceSelector.MatchLabels["team"], c.Spec.Registries = "shop", []v1alpha1.Registry{"other.example"}
			})
			_ = g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, object)
			g.publish(record(t, "company", "2-x", "two", "other.example"))
			g.unreadable(kind)
			decided, err := g.r.mayLose(t.Context(), object, place)
			if !errors.Is(err, errAway) || decided.granted || len(writes.requests) > 0 {
				t.Errorf("%+v, %v; written is %q", decided, err, writes.lines())
			}
		})
	}
}

// "That nothing is left of one that is being deleted is not believed to what was watched": and not to an error either.
func TestADeletionWaitsWhereNobodyCanSayWhatIsLeft(t *testing.T) {
	g, _ := delivers(t, func(c *v1alpha1.RegistryCredential) { c.Spec.DeletionPolicy = v1alpha1.DeletionDelete })
	g.r.ledger = ledger{}
	object := credential("company", "r.example")
	object.Spec.DeletionPolicy, object.DeletionTimestamp = v1alpha1.DeletionDelete, ptr.To(metav1.NewTime(g.now))
	g.unreadable("PartialObjectMetadataList")
	if _, err := g.r.Removal(t.Context(), object); !errors.Is(err, errAway) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsPublishedToAPlace(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredential)
		made   func(*records.Record)
		want   string
	}{
		{"the value in use", func(*v1alpha1.RegistryCredential) {}, nil, "1-x"},
		{"the value in use, beside the one before and one that waits", func(*v1alpha1.RegistryCredential) {}, func(r *records.Record) {
			other := record(t, "company", "0-x", "other", "r.example").Value
			other.Digest = "other"
			r.Previous, r.Waiting = &rotation.Previous{Value: other}, &rotation.Waiting{Value: other}
		}, "1-x"},
		{"nothing of one that is suspended", func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true }, nil, ""},
		{"nothing of one that is deleted and retained", func(c *v1alpha1.RegistryCredential) {
			c.DeletionTimestamp, c.Spec.DeletionPolicy = ptr.To(metav1.Now()), v1alpha1.DeletionRetain
		}, nil, ""},
		{"the value in use of one that is deleted and whose removal waits: the registry may refuse the old one at any time", func(c *v1alpha1.RegistryCredential) {
			c.DeletionTimestamp, c.Spec.DeletionPolicy = ptr.To(metav1.Now()), v1alpha1.DeletionDelete
		}, nil, "1-x"},
		{"nothing of a namesake that is gone", func(c *v1alpha1.RegistryCredential) { c.UID = "another" }, nil, ""},
		{"nothing where nothing is published", func(*v1alpha1.RegistryCredential) {}, func(r *records.Record) {
			r.Config = nil
		}, ""},
	} {
		g := newRig(t, 0)
		object, published := credential("company", "r.example"), record(t, "company", "1-x", "one", "r.example")
		published.Digest = "digest"
		test.change(object)
		if test.made != nil {
			test.made(&published)
		}
		g.publish(published)
		var got pullsecret.Contribution
		f := facts{values: g.r.Store.Snapshot()}
		if f.publishTo(object, &got); got.Revision != test.want || (got.Config != nil) != (test.want != "") || (got.Digest == "digest") != (test.want != "") ||
			test.want != "" && got.Config["r.example"].Password() != "one" {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// A person who suspends a RegistryCredential wants nothing to be written.
func TestOfOneThatIsSuspendedNoServiceAccountIsGivenTheSecret(t *testing.T) {
	g, writes := delivers(t, nil)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true })
	account := g.account()
	account.ImagePullSecrets = nil
	if err := g.c.Update(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	g.all(1)
	if len(writes.requests) > 0 {
		t.Errorf("written is %q", writes.lines())
	}
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = false })
	g.all(1)
	writes.find(t, "patch ServiceAccount default")
}

// Three repairs, and then one in ten minutes (docs/design/decisions.md, "When somebody changes it back").
func TestAServiceAccountThatIsChangedBackIsNotFoughtOver(t *testing.T) {
	g, writes := delivers(t, nil)
	for range 10 {
		account := g.account()
		account.ImagePullSecrets = nil
		if err := g.c.Update(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		if _, err := g.reconcile("n-00000"); err != nil {
			t.Fatal(err)
		}
		g.now = g.now.Add(time.Second)
	}
	if got := len(writes.lines()); got > 1+pullsecret.ContestReverts {
		t.Errorf("%d times it is written: %q", got, writes.lines())
	}
	if d, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company"); d.Reason != v1alpha1.ReasonContested || !d.ServiceAccounts ||
		!strings.Contains(d.Message, "imagePullSecrets: [{name: regcred}]") {
		t.Errorf("it is said to be %+v", d)
	}
}

// A webhook that refuses what regcred writes is no rival who changes it back: as soon as it does not, the Secret is named there.
func TestAServiceAccountThatCannotBeWrittenIsNotFoughtOver(t *testing.T) {
	g, writes := delivers(t, nil)
	account := g.account()
	account.ImagePullSecrets, account.Annotations = nil, nil
	if err := g.c.Update(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	writes.refuse = func(request) error { return errAway }
	for range 3 * pullsecret.ContestReverts {
		if _, err := g.reconcile("n-00000"); err == nil {
			t.Fatal("it is written")
		}
		if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonWriteFailed {
			t.Fatalf("said is %+v", d)
		}
	}
	writes.refuse = func(request) error { return nil }
	if _, err := g.reconcile("n-00000"); err != nil || !lists(g.account(), "regcred") {
		t.Errorf("it is not written when it can be: %v", err)
	}
}

func TestWhatIsWrongWithSeveralIsToldOfOneAndTriedAgainForAll(t *testing.T) {
	missing := &problem{reason: v1alpha1.ReasonServiceAccountNotFound}
	refused, told := &problem{reason: v1alpha1.ReasonForbidden, retry: true}, &problem{reason: v1alpha1.ReasonContested}
	for _, test := range []struct {
		name     string
		problems []*problem
		reason   string
		retry    bool
	}{
		{"nothing", []*problem{nil, nil}, "", false},
		{"one of two", []*problem{nil, told}, v1alpha1.ReasonContested, false},
		{"the first", []*problem{told, refused}, v1alpha1.ReasonContested, true},
		{"one that is more than an account that is still to come", []*problem{missing, told}, v1alpha1.ReasonContested, false},
		{"that one, and it is tried again", []*problem{missing, refused}, v1alpha1.ReasonForbidden, true},
		{"an account that is still to come, and another one", []*problem{missing, missing}, v1alpha1.ReasonServiceAccountNotFound, false},
		{"the first of two, beside an account", []*problem{missing, told, refused}, v1alpha1.ReasonContested, true},
	} {
		got := gravest(test.problems...)
		if (got == nil) != (test.reason == "") || got != nil && (got.reason != test.reason || got.retry != test.retry) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	if told.retry || missing.retry {
		t.Error("what is shared was changed")
	}
}

// The record of a Secret is its people's; what was delivered is what is in both.
func TestOnlyWhatIsRecordedIsKnownToBeDelivered(t *testing.T) {
	place := delivered.Place{Namespace: "shop", Name: "regcred"}
	held := kept(pullsecret.Sources{"company": {Keys: []string{"a.example", "b.example"}}}, `{"auths":{}}`)
	held.UID, held.ResourceVersion, held.Labels = "first", "5", map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	var l ledger
	l.vouch(held, map[string][]string{"company": {"b.example", "other.example"}, "gone": {"x.example"}})
	if got := l.at(place, "company").known; !slices.Equal(got, []string{"b.example"}) {
		t.Errorf("known is %q", got)
	}
	if l.holding("company") != 1 || l.holding("gone") != 0 {
		t.Errorf("held in %d and %d namespaces", l.holding("company"), l.holding("gone"))
	}
	namesake := held.DeepCopy()
	namesake.UID = "second"
	if l.settle(namesake); l.settled(place, "5") {
		t.Error("what another Secret of the name was counts for this one")
	}
	if l.drop(namesake); l.holding("company") != 1 {
		t.Error("that another Secret of the name is gone counts for this one")
	}
	if l.settle(held); !l.settled(place, "5") || l.settled(place, "6") {
		t.Error("it is as it should be, in this version")
	}
}

func TestAnUnusableEntryIsToldOfWhoHasIt(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	f := facts{place: delivered.Place{Namespace: "n-00000", Name: "regcred"}, exists: func(string) bool { return true }}
	f.selecting = []*v1alpha1.RegistryCredential{credential("company", "r.example"), credential("other", "s.example")}
	secret := kept(pullsecret.Sources{"company": {Keys: []string{"hub.docker.com"}}, "other": {Keys: []string{"s.example"}}},
		`{"auths":{"hub.docker.com":{"username":"u","password":"p"},"s.example":{"username":"u","password":"p"}}}`)
	told := outcome{secret: secret}.deliveries(f, g.r.Board)
	if found := told["company"].Finding; found == (dockerconfig.Finding{}) || found.Key != "hub.docker.com" {
		t.Errorf("of the one that has it: %+v", told["company"])
	}
	if found := told["other"].Finding; found != (dockerconfig.Finding{}) {
		t.Errorf("of another one: %+v", found)
	}
}

// What was granted for one removal does not serve another one.
func TestAPlaceThatLosesNothingAnyMoreEndsTheRemoval(t *testing.T) {
	g, writes := delivers(t, nil)
	place := delivered.Place{Namespace: "n-00000", Name: "regcred"}
	g.deselect()
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	if got := g.removal(); got.Losing != 0 && got.Held {
		t.Errorf("%+v", got)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shop" })
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	k := g.r.keepers.of(credential("company", "r.example"), g.r.Store.Removals, g.now)
	if len(k.losing) != 0 || k.grants(place, g.now) {
		t.Errorf("it loses nothing, and known is %v", k.losing)
	}
	g.now = g.now.Add(settle)
	g.deselect()
	wait, err := g.reconcile("n-00000")
	if err != nil || wait <= 0 || len(writes.requests) > 0 {
		t.Errorf("the next removal is not waited for: %s, %v, %q", wait, err, writes.lines())
	}
}
