package delivery

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/test/racedetector"
)

// served is a rig in which all namespaces hold the values of all credentials. All but one are only known of, which costs less to make.
func served(t testing.TB, namespaces, credentials int) *rig {
	var objects []*v1alpha1.RegistryCredential
	var values []records.Record
	for i := range credentials {
		name := fmt.Sprintf("c-%02d", i)
		objects = append(objects, credential(name, name+".example"))
		values = append(values, record(t, name, "1-x", "secret", name+".example"))
	}
	g := newRig(t, namespaces, objects...)
	g.publish(values...)
	g.all(1)
	model, deliveries := g.secret(concerned), map[string]delivered.Delivery{}
	for _, one := range objects {
		deliveries[one.Name], _ = g.r.Board.At(delivered.Place{Namespace: concerned, Name: model.Name}, one.Name)
	}
	for i := 1; i < namespaces; i++ {
		secret := model.DeepCopy()
		secret.Namespace, secret.UID = fmt.Sprintf("n-%05d", i), types.UID(fmt.Sprint(i))
		g.r.ledger.note(secret)
		g.r.Board.Post(delivered.Place{Namespace: secret.Namespace, Name: secret.Name}, deliveries)
	}
	return g
}

// concerned is the namespace whose delivery is looked at.
const concerned = "n-00000"

// sizes are namespaces and RegistryCredentials.
var sizes = [][2]int{{100, 1}, {100, 50}, {10_000, 1}, {10_000, 50}}

func BenchmarkADelivery(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%d-namespaces-%d-credentials", size[0], size[1]), func(b *testing.B) {
			g := served(b, size[0], size[1])
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.reconcile(concerned); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWhatARemovalCosts(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%d-namespaces-%d-credentials", size[0], size[1]), func(b *testing.B) {
			g := served(b, size[0], size[1])
			var object v1alpha1.RegistryCredential
			if err := g.c.Get(context.Background(), client.ObjectKey{Name: "c-00"}, &object); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.r.Removal(context.Background(), &object); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestADeliveryCostsTheSameHoweverManyNamespacesThereAre counts allocations, which do not depend on how busy the machine is.
func TestADeliveryCostsTheSameHoweverManyNamespacesThereAre(t *testing.T) {
	racedetector.Skip(t)
	const few, many, slack = 100, 10_000, 1.05
	measure := func(namespaces int) (delivery, removal float64) {
		g := served(t, namespaces, 5)
		var object v1alpha1.RegistryCredential
		if err := g.c.Get(context.Background(), client.ObjectKey{Name: "c-00"}, &object); err != nil {
			t.Fatal(err)
		}
		delivery = testing.AllocsPerRun(50, func() {
			if _, err := g.reconcile(concerned); err != nil {
				t.Fatal(err)
			}
		})
		return delivery, testing.AllocsPerRun(50, func() { _, _ = g.r.Removal(context.Background(), &object) })
	}
	fewDelivery, fewRemoval := measure(few)
	manyDelivery, manyRemoval := measure(many)
	if manyDelivery > fewDelivery*slack {
		t.Errorf("a delivery makes %.0f allocations with %d namespaces, and %.0f with %d", fewDelivery, few, manyDelivery, many)
	}
	if manyRemoval > fewRemoval*slack {
		t.Errorf("to say what a credential would lose makes %.0f allocations with %d namespaces, and %.0f with %d", fewRemoval, few, manyRemoval, many)
	}
}

// A look at a Secret that many share costs each of them the same: what is looked up among all for each would cost the square.
func TestACredentialCostsTheSameHoweverManyAreInTheSecret(t *testing.T) {
	racedetector.Skip(t)
	const few, many, slack = 10, 80, 1.1
	each := func(credentials int) float64 {
		g := served(t, 1, credentials)
		return testing.AllocsPerRun(20, func() {
			if _, err := g.reconcile(concerned); err != nil {
				t.Fatal(err)
			}
		}) / float64(credentials)
	}
	if of, ofMany := each(few), each(many); ofMany > of*slack {
		t.Errorf("a look makes %.0f allocations for each of %d RegistryCredentials, and %.0f for each of %d", of, few, ofMany, many)
	}
}

// known is a cache of RegistryCredentials that gives what it has, as one does that copies nothing.
type known struct {
	client.Reader
	items []v1alpha1.RegistryCredential
}

func (k known) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*v1alpha1.RegistryCredentialList).Items = k.items
	return nil
}

func TestToKnowTheCredentialsCostsTheSameHoweverManyThereAre(t *testing.T) {
	cost := func(credentials int) float64 {
		var items []v1alpha1.RegistryCredential
		for i := range credentials {
			items = append(items, *credential(fmt.Sprintf("c-%02d", i), "r.example"))
		}
		r := &Reconciler{Cluster: known{items: items}}
		return testing.AllocsPerRun(100, func() {
			if all, err := r.credentials(t.Context(), records.Snapshot{}); err != nil || len(all) != credentials {
				t.Fatal(all, err)
			}
		})
	}
	if few, many := cost(1), cost(50); many > few || many > 4 {
		t.Errorf("%.0f allocations for one RegistryCredential, %.0f for 50", few, many)
	}
}

// A rotation has the ledger asked several times for each namespace: by the look, by the write, and by the event of the watch.
func TestWhatTheLedgerCosts(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "secret", "r.example"))
	g.all(1)
	secret, place, version := g.secret(concerned), delivered.Place{Namespace: concerned, Name: "regcred"}, 10
	var l ledger
	l.note(secret)
	knows := map[string][]string{"company": {"r.example"}}
	for _, test := range []struct {
		name string
		do   func()
		most float64
	}{
		{"a version that is known", func() { l.note(secret) }, 0},
		{"what it knows", func() { l.at(place, "company"); l.settled(place, secret.ResourceVersion); l.settle(secret) }, 0},
		{"a new version", func() {
			version++
			secret.ResourceVersion = fmt.Sprint(version)
			l.note(secret)
		}, 6},
		{"what was delivered to a new version", func() {
			version++
			secret.ResourceVersion = fmt.Sprint(version)
			l.vouch(secret, knows)
		}, 8},
	} {
		if got := testing.AllocsPerRun(100, test.do); got > test.most {
			t.Errorf("%s: %.0f allocations, want %.0f at most", test.name, got, test.most)
		} else {
			t.Logf("%s: %.0f allocations", test.name, got)
		}
	}
}
