package delivery

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

func TestWhatIsRememberedOfAPlaceEndsWithItsNamespace(t *testing.T) {
	var m memories
	place := func(namespace, name string) delivered.Place {
		return delivered.Place{Namespace: namespace, Name: name}
	}
	for _, one := range []delivered.Place{place("shop", "regcred"), place("shop", "other"), place("web", "regcred")} {
		m.of(one, "uid").goes("company")
	}
	if known := m.of(place("shop", "regcred"), "uid"); !known.away["company"] {
		t.Error("it is not remembered")
	}
	again := m.of(place("shop", "regcred"), "another")
	if again.away["company"] || m.of(place("shop", "regcred"), "another") != again || m.names["regcred"] != 2 {
		t.Errorf("a namespace that was made again begins with %v; %v", again.away, m.names)
	}
	m.forget(place("nobody", "regcred"))
	m.forget(place("web", "regcred"))
	if len(m.m) != 2 || m.names["regcred"] != 1 {
		t.Errorf("%d places, %v", len(m.m), m.names)
	}
	m.forgetNamespace("web")
	if len(m.m) != 2 {
		t.Errorf("%d places", len(m.m))
	}
	if m.forgetNamespace("shop"); len(m.m) != 0 || len(m.names) != 0 {
		t.Errorf("%d places, %v", len(m.m), m.names)
	}
}

func TestWhichRegistryCredentialsAreRememberedAsDeleted(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		policy v1alpha1.DeletionPolicy
		gone   bool
		want   bool
	}{
		{"one that is deleted with its entries", v1alpha1.DeletionDelete, true, true},
		{"one whose entries are retained", v1alpha1.DeletionRetain, true, false},
		{"one that is there", v1alpha1.DeletionDelete, false, false},
	} {
		object := credential("company")
		object.Spec.DeletionPolicy = test.policy
		if test.gone {
			object.DeletionTimestamp = ptr.To(metav1.NewTime(at))
		}
		var d departed
		if d.note(object); d.includes("company", at) {
			t.Errorf("%s, with entries left, is taken for one that was let go", test.name)
		}
		d.leaves("company", at)
		if d.note(object); d.includes("company", at.Add(departedFor)) != test.want {
			t.Errorf("%s: %t", test.name, !test.want)
		}
	}
}

// Two places are looked at at the same time, and each hears of its own events.
func TestEventsOfPlacesThatAreLookedAtAtTheSameTime(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	one, other := delivered.Place{Namespace: "n-00000", Name: "regcred"}, delivered.Place{Namespace: "n-00001", Name: "regcred"}
	q := &added{}
	endOne, endOther := g.r.look(one), g.r.look(other)
	secret := version("a", "5", "r.example")
	secret.Namespace = "n-00000"
	if !g.r.isEcho(secret, q) {
		t.Error("an event of a place that is being looked at does not wait for the end of the look")
	}
	endOther()
	if len(q.places) != 0 {
		t.Errorf("the end of another look woke %v", q.places)
	}
	endOne()
	if len(q.places) != 1 || q.places[0] != one {
		t.Errorf("its end woke %v", q.places)
	}
	if g.r.isEcho(secret, q) {
		t.Error("after the end it waits for another one, which may never come")
	}
}

// A place can be looked at long after somebody made an object again. How long that stood which was written is told by when the next one was made.
func TestHowLongWhatWasWrittenStoodBeforeItWasMadeAgain(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type look struct {
		there   bool
		created time.Duration // after it was written
	}
	for _, test := range []struct {
		name  string
		looks []look
		stood bool
	}{
		{"it is there as it was written", []look{{true, -time.Hour}}, false},
		{"it was made again at once", []look{{true, time.Second}}, false},
		{"it was made again after it had stood", []look{{true, standsFor}}, true},
		{"it is gone, and nobody knows since when", []look{{false, 0}}, true},
		{"it was gone, and the one that is there is the one before", []look{{false, 0}, {true, -time.Hour}}, false},
	} {
		c := &contest{}
		c.note([32]byte{1}, [32]byte{}, at)
		for i, one := range test.looks {
			c.meets(one.there, metav1.NewTime(at.Add(one.created)), at.Add(time.Duration(i+1)*time.Hour))
		}
		if c.another != test.stood {
			t.Errorf("%s: it had stood: %t", test.name, c.another)
		}
	}
}
