package delivery

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/wakeup"
)

// A look goes by what was published when it began. That registries accept it meanwhile is heard before the look has said that it waits for that: it is
// looked at once more, and not only by the next look at everything.
func TestAPlaceThatIsBeingLookedAtWhenAValueIsAcceptedIsLookedAtAgain(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt })
	accepted := record(t, "company", "1-x", "good", "r.example")
	g.publish(accepted)
	g.all(1)
	refused := accepted
	refused.RefusedTime = g.now
	g.publish(refused)
	if err := g.c.Delete(t.Context(), g.secret("n-00000")); err != nil { // and its people make one by hand, which works
		t.Fatal(err)
	}
	made := g.there("regcred", false)
	made.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"r.example":{"username":"u","password":"theirs"}}}`)}
	if err := g.c.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	q, proven := priorities{asked: map[delivered.Place]int{}}, &wakeup.Notifier{}
	if err := g.r.onProven(proven).Start(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	g.r.Store.Proven = proven.Notify
	happened := g.afterRead(func(read any) bool { _, is := read.(*corev1.Namespace); return is }, func() { g.publish(accepted) })
	if _, err := g.reconcile("n-00000"); err != nil || !*happened {
		t.Fatalf("%v", err)
	}
	told, _ := g.r.Board.At(first, "company")
	if told.Reason != v1alpha1.ReasonForeignSecret {
		t.Fatalf("it does not wait, so that this test finds nothing: %+v", told)
	}
	if _, again := q.asked[first]; !again {
		t.Errorf("it is accepted, and the namespace is told that it waits for that: %s", told.Message)
	}
}

// Who is told of an acceptance is who lacks something.
func TestWhichPlacesAreLookedAtWhenAValueIsAccepted(t *testing.T) {
	g, _ := delivers(t, nil)
	looked := func() bool {
		q, proven := priorities{asked: map[delivered.Place]int{}}, &wakeup.Notifier{}
		if err := g.r.onProven(proven).Start(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		proven.Notify("company")
		_, asked := q.asked[first]
		return asked
	}
	if looked() {
		t.Error("it has all, nobody looks at it now, and it is looked at")
	}
	end := g.r.look(first)
	if !looked() {
		t.Error("it is being looked at, by what was published before")
	}
	if end(); looked() {
		t.Error("that look is over, and it is looked at once more")
	}
}
