package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/inmemory"
)

func eventOf(name, reason string, at time.Time) *corev1.Event {
	return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}, Type: corev1.EventTypeNormal, Reason: reason, Message: "words of " + name,
		LastTimestamp: metav1.NewTime(at), InvolvedObject: corev1.ObjectReference{Kind: "RegistryCredential", Name: "company"}}
}

func withEvents(events ...client.Object) client.WithWatch {
	return inmemory.ClusterOf(scheme).WithObjects(events...).
		WithIndex(&corev1.Event{}, "involvedObject.kind", func(o client.Object) []string { return []string{o.(*corev1.Event).InvolvedObject.Kind} }).
		WithIndex(&corev1.Event{}, "involvedObject.name", func(o client.Object) []string { return []string{o.(*corev1.Event).InvolvedObject.Name} }).Build()
}

func TestWhoFollowsOneIsToldEachChangeInALine(t *testing.T) {
	object := requested("now")
	object.Status.Namespaces = &v1alpha1.NamespacesStatus{Selected: 3, Synced: 3}
	c := withEvents(eventOf("old", "Published", noon.Add(-time.Hour)))
	var out bytes.Buffer
	f := &following{status: &status{client: c}, w: &writer{out: &out}, name: "company", passed: map[eventReport]bool{}}
	show := func(want string) {
		t.Helper()
		out.Reset()
		if err := f.show(t.Context(), object, noon); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
	if err := f.show(t.Context(), object, noon); err != nil || !strings.HasPrefix(out.String(), "RegistryCredential company:") || !strings.HasSuffix(out.String(), "\n\nChanges\n") ||
		strings.Contains(out.String(), "words of old") {
		t.Errorf("%v: at first it shows\n%s", err, out.String())
	}
	show("") // nothing changed, as after a watch that ended

	conditions := object.Status.Conditions
	conditions[1].Reason, conditions[1].Status, conditions[1].Message = v1alpha1.ReasonNoLongerAccepted, metav1.ConditionFalse, "the registry refuses it"
	conditions[2].Message = "it is still everywhere"
	object.Status.Conditions = slices.Concat(conditions, []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoLongerAccepted, Message: "the registry refuses it"}})
	show(`  12:00:00  Verified: True Accepted -> False NoLongerAccepted: the registry refuses it
  12:00:00  RotationComplete: True OldRefused: it is still everywhere
  12:00:00  Stalled: - -> True NoLongerAccepted, as Verified
`)

	for i, name := range []string{"first", "second"} {
		if err := c.Create(t.Context(), eventOf(name, "Told", noon.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
	}
	object.Status.Conditions, object.Status.Credential.Revision, object.Status.Namespaces.Synced, object.Status.Namespaces.Failed = conditions, "8", 1, 2
	object.Status.Pods = &v1alpha1.PodsStatus{Stuck: 4}
	object.Status.Previous = &v1alpha1.PreviousStatus{Revision: "7", Namespaces: 1}
	show(`  12:00:00  Event Normal Told: words of first
  12:00:00  Value: 7 -> 8
  12:00:00  Namespaces: 3 of 3 have the value, 0 cannot be served -> 1 of 3 have the value, 2 cannot be served
  12:00:00  Pods: 0 stuck -> 4 stuck
  12:00:00  Old password: none before this one is known -> may not be revoked yet
  12:00:00  Stalled: True NoLongerAccepted -> -
  12:00:01  Event Normal Told: words of second
`)
	show("") // no event is told twice
}

func TestWhoMayNotReadEventsIsToldOnce(t *testing.T) {
	r := recorded{forbids: []string{"EventList"}}
	object := requested("now")
	var out bytes.Buffer
	f := &following{status: &status{client: r.client()}, w: &writer{out: &out}, name: "company", passed: map[eventReport]bool{}}
	for range 3 {
		object.Status.Credential.Revision += "1"
		if err := f.show(t.Context(), object, noon); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(out.String(), "You may not read events") != 1 || r.requests != 1 || strings.Count(out.String(), "RegistryCredential company:") != 1 {
		t.Errorf("%d requests:\n%s", r.requests, out.String())
	}
}

// The client in memory watches from now on, not from what was listed: so the object goes once the watch began.
func TestWhoFollowsOneThatIsDeletedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		object := requested("now")
		ended := make(chan error, 1)
		var out bytes.Buffer
		c := inmemory.ClusterOf(scheme).WithObjects(object).WithStatusSubresource(object).
			WithIndex(object, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
			WithIndex(&corev1.Event{}, "involvedObject.kind", func(client.Object) []string { return nil }).
			WithIndex(&corev1.Event{}, "involvedObject.name", func(client.Object) []string { return nil }).Build()
		go func() { ended <- (&status{client: c}).watchOne(t.Context(), &out, "company") }()
		synctest.Wait()
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "there is no RegistryCredential company") {
			t.Errorf("it ends with %v", err)
		}
	})
}

func TestAnEventThatComesAfterTheLastChangeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		object := requested("now")
		c := inmemory.ClusterOf(scheme).WithObjects(object).WithStatusSubresource(object).
			WithIndex(object, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
			WithIndex(&corev1.Event{}, "involvedObject.kind", func(o client.Object) []string { return []string{o.(*corev1.Event).InvolvedObject.Kind} }).
			WithIndex(&corev1.Event{}, "involvedObject.name", func(o client.Object) []string { return []string{o.(*corev1.Event).InvolvedObject.Name} }).Build()
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		ended := make(chan error, 1)
		go func() { ended <- (&status{client: c}).watchOne(ctx, &out, "company") }()
		synctest.Wait()
		if err := c.Create(t.Context(), eventOf("late", "Delivered", time.Now())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * eventsEvery)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if strings.Count(out.String(), "Event Normal Delivered: words of late") != 1 {
			t.Errorf("it is not told once:\n%s", out.String())
		}
	})
}
