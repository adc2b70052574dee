package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
)

// freshTimes are when what happened in a namespace that was applied with its pods, all as one client saw it.
type freshTimes struct {
	// begun is when the namespace was seen, plain when a plain client had written a Secret into it then, delivered when regcred's Secret was
	// seen and, where ServiceAccounts are to name it, the ServiceAccount that does.
	begun, plain, delivered time.Time
	// first is when the first pod was seen.
	first time.Time
	pods  map[types.UID]*freshPod
}

// freshPod is one pod. Times are zero for what did not happen.
type freshPod struct {
	// owned says that its owner makes another where it is deleted, named that it was created with the Secret's name.
	owned, named bool
	// seen is when it was first seen, stuck when it was first seen to wait for its image, acted when it was being deleted.
	seen, stuck, acted, ran time.Time
}

// took is how long after the first pod each pod ran.
func (f *freshTimes) took() []time.Duration {
	var all []time.Duration
	for _, pod := range f.pods {
		if !pod.ran.IsZero() {
			all = append(all, pod.ran.Sub(f.first))
		}
	}
	return all
}

// states are the pods for people.
func (f *freshTimes) states() string {
	var all []string
	for _, pod := range f.pods {
		all = append(all, fmt.Sprintf("%+v", *pod))
	}
	return strings.Join(all, ", ")
}

// ran is how many pods run.
func (f *freshTimes) ran() int { return len(f.took()) }

// freshWatch watches a namespace from before it is there.
type freshWatch struct {
	all       []watch.Interface
	events    chan seenEvent
	ended     chan struct{}
	plain     chan plainWrite
	begin     sync.Once
	attach    v1alpha1.AttachMode
	namespace string
}

// seenEvent is an event and when it came.
type seenEvent struct {
	watch.Event
	at time.Time
}

func watchFresh(t *testing.T, attach v1alpha1.AttachMode, namespace string) *freshWatch {
	t.Helper()
	w := &freshWatch{attach: attach, namespace: namespace, events: make(chan seenEvent), ended: make(chan struct{}), plain: make(chan plainWrite, 1)}
	named := func(name string) client.MatchingFields { return client.MatchingFields{"metadata.name": name} }
	in := client.InNamespace(namespace)
	for _, of := range []struct {
		list    client.ObjectList
		options []client.ListOption
	}{
		{&corev1.NamespaceList{}, []client.ListOption{named(namespace)}},
		{&corev1.SecretList{}, []client.ListOption{in, named("regcred")}},
		{&corev1.ServiceAccountList{}, []client.ListOption{in, named("default")}},
		{&corev1.PodList{}, []client.ListOption{in}},
	} {
		one, err := s.Client.Watch(t.Context(), of.list, of.options...)
		must(t, err)
		w.all = append(w.all, one)
		go w.forward(t.Context(), one)
	}
	return w
}

// forward hands events on. It notes when they come, which is while they are still being caused: nobody takes them before all is applied.
func (w *freshWatch) forward(ctx context.Context, from watch.Interface) {
	var waiting []seenEvent
	for {
		var out chan<- seenEvent
		var next seenEvent
		if len(waiting) > 0 {
			out, next = w.events, waiting[0]
		}
		select {
		case event, open := <-from.ResultChan():
			if !open {
				return
			}
			if _, is := event.Object.(*corev1.Namespace); is {
				w.begin.Do(func() { go w.writePlainly(ctx) })
			}
			waiting = append(waiting, seenEvent{event, time.Now()})
		case out <- next:
			waiting = waiting[1:]
		case <-w.ended:
			return
		}
	}
}

func (w *freshWatch) stop() {
	close(w.ended)
	for _, one := range w.all {
		one.Stop()
	}
}

// times waits until a batch runs and all else is known, too.
func (w *freshWatch) times(t *testing.T) *freshTimes {
	t.Helper()
	f := &freshTimes{pods: map[types.UID]*freshPod{}}
	timeout := time.After(90 * time.Second)
	for f.ran() < freshBatch || f.delivered.IsZero() || f.plain.IsZero() {
		select {
		case event := <-w.events:
			w.note(f, event)
		case written := <-w.plain:
			must(t, written.err)
			f.plain = written.at
		case <-timeout:
			t.Fatalf("%d of %d pods of %s run after 90 s; the Secret is delivered: %t; pods: %s", f.ran(), freshBatch, w.namespace, !f.delivered.IsZero(), f.states())
		}
	}
	return f
}

func (w *freshWatch) note(f *freshTimes, event seenEvent) {
	switch object := event.Object.(type) {
	case *corev1.Namespace:
		if f.begun.IsZero() {
			f.begun = event.at
		}
	case *corev1.Secret:
		if f.delivered.IsZero() && w.attach == v1alpha1.AttachPods {
			f.delivered = event.at
		}
	case *corev1.ServiceAccount:
		if f.delivered.IsZero() && slices.Contains(object.ImagePullSecrets, corev1.LocalObjectReference{Name: "regcred"}) {
			f.delivered = event.at
		}
	case *corev1.Pod:
		f.notePod(object, event)
	}
}

func (f *freshTimes) notePod(pod *corev1.Pod, event seenEvent) {
	now := event.at
	if f.first.IsZero() {
		f.first = now
	}
	known := f.pods[pod.UID]
	if known == nil {
		owner := metav1.GetControllerOf(pod)
		known = &freshPod{seen: now, named: namesSecret(pod), owned: owner != nil && owner.Kind == "ReplicaSet"}
		f.pods[pod.UID] = known
	}
	set := func(at *time.Time, happened bool) {
		if happened && at.IsZero() {
			*at = now
		}
	}
	set(&known.stuck, diagnosis.IsStuck(pod))
	set(&known.acted, pod.DeletionTimestamp != nil || event.Type == watch.Deleted)
	set(&known.ran, pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil)
}

// plainWrite is when a plain client had written.
type plainWrite struct {
	at  time.Time
	err error
}

// writePlainly writes a Secret into the namespace, as a client that does nothing else.
func (w *freshWatch) writePlainly(ctx context.Context) {
	err := s.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "plain-"}})
	w.plain <- plainWrite{time.Now(), err}
}
