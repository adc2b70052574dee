package credential

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/announce"
)

// What was counted for the one before is not told of one that was created again under its name, where nobody saw that there was none in between.
func TestOneThatWasCreatedAgainStartsWithNothing(t *testing.T) {
	r, object := reporting(t, 1, 1)
	recorder := events.NewFakeRecorder(10)
	now := noon
	r.Events, r.Now = announce.New(recorder), func() time.Time { return now }
	look := func() {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}); err != nil {
			t.Fatal(err)
		}
	}
	first := stored(t, r, object.Name)
	first.Spec.Suspend = true // nothing is read
	if err := r.Client.Update(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	look()
	r.Pods.Cure(object.Name)
	again := first.DeepCopy()
	again.UID, again.ResourceVersion, again.Status = types.UID("again"), "", first.Status
	if err := r.Client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := r.Client.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	heardOf(recorder)
	for range 3 {
		look()
		now = now.Add(curesAtMost) // a pod is stuck all the time
	}
	if told := heardOf(recorder); len(told) > 0 || r.Pods.Cured(object.Name) > 0 {
		t.Errorf("told %q", told)
	}
	r.Pods.Cure(object.Name)
	for range 3 {
		look()
		now = now.Add(curesAtMost) // a pod is stuck all the time
	}
	if told := heardOf(recorder); len(told) != 1 {
		t.Errorf("of a pod that was cured for it told is %q", told)
	}
}
