package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/inmemory"
)

func TestTheBarIsAsLongAsNamespacesHaveTheValue(t *testing.T) {
	for _, test := range []struct {
		synced, selected int32
		full             int
	}{{0, 200, 0}, {100, 200, 15}, {199, 200, 29}, {200, 200, 30}, {3, 0, 0}, {5, 4, 30}} {
		line := bar(test.synced, test.selected)
		if got := strings.Count(line, "#"); got != test.full || got+strings.Count(line, ".") != barWidth || !strings.HasPrefix(line, eraseLine) {
			t.Errorf("%d of %d: %q", test.synced, test.selected, line)
		}
	}
	if (&writer{}).clearLine() != "" {
		t.Error("what is no terminal gets what moves a cursor")
	}
}

func TestARefreshSaysWhatBecameOfPods(t *testing.T) {
	for _, test := range []struct {
		before, now int32
		says        string
	}{{0, 0, ""}, {1, 0, "; 1 pod could not pull and can now"}, {4, 1, "; 1 of 4 pods still cannot pull. See why: kubectl regcred explain pods -A"}} {
		if said := (&outcome{StuckBefore: test.before, StuckPods: test.now}).cured(); said != test.says {
			t.Errorf("said %q", said)
		}
	}
}

// The client in memory watches from now on, not from what was listed: so the pods are cured once the watch began.
func TestPodsAreFollowedUntilNoneIsStuckOrForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Status: v1alpha1.RegistryCredentialStatus{Pods: &v1alpha1.PodsStatus{Stuck: 2}}}
		c := inmemory.ClusterOf(scheme).WithObjects(object).WithStatusSubresource(object).
			WithIndex(object, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build()
		o := &outcome{Name: "company", StuckBefore: 2, StuckPods: 2}
		r := &refresh{timeout: 50 * time.Millisecond}
		if err := r.followPods(t.Context(), c, &writer{}, o); err != nil || o.StuckPods != 2 {
			t.Errorf("after a while: %v, %d stuck", err, o.StuckPods)
		}
		r.timeout = time.Minute
		ended := make(chan error, 1)
		go func() { ended <- r.followPods(t.Context(), c, &writer{}, o) }()
		synctest.Wait()
		object.Status.Pods.Stuck = 0
		if err := c.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil || o.StuckPods != 0 {
			t.Errorf("when all are cured: %v, %d stuck", err, o.StuckPods)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		o.StuckPods, object.Status.Pods.Stuck = 1, 1
		if err := c.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if err := r.followPods(over, c, &writer{}, o); err == nil {
			t.Error("who interrupts the command is told that it ended well")
		}
	})
}
