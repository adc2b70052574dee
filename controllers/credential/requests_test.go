package credential

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
)

// cluster is an API server that notes what is sent to it, and can refuse it.
type cluster struct {
	client.Client
	// sent are the patches: of the object "object", of its status "status", each with its body.
	sent []string
	// refuse is the answer to patches, away to reads of namespaces.
	refuse, away error
}

// before puts a cluster before what a controller talks to.
func before(r *Reconciler) *cluster {
	c := &cluster{}
	note := func(what string, object client.Object, patch client.Patch) error {
		body, err := patch.Data(object)
		c.sent = append(c.sent, what+" "+string(body))
		return errors.Join(err, c.refuse)
	}
	c.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := note("object", object, patch); err != nil {
				return c.refuse
			}
			return to.Patch(ctx, object, patch, options...)
		},
		SubResourcePatch: func(ctx context.Context, to client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if err := note(name, object, patch); err != nil {
				return c.refuse
			}
			return to.SubResource(name).Patch(ctx, object, patch, options...)
		},
		Get: func(ctx context.Context, to client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if _, is := object.(*corev1.Namespace); is && c.away != nil {
				return c.away
			}
			return to.Get(ctx, key, object, options...)
		},
		List: func(ctx context.Context, to client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, is := list.(*corev1.NamespaceList); is && c.away != nil {
				return c.away
			}
			return to.List(ctx, list, options...)
		},
	})
	r.Client = c.Client
	return c
}

// take gives what was sent since.
func (c *cluster) take() []string {
	sent := c.sent
	c.sent = nil
	return sent
}

var conflict = apierrors.NewConflict(schema.GroupResource{Resource: "registrycredentials"}, "c-00", errors.New("it changed"))
var notFound = apierrors.NewNotFound(schema.GroupResource{Resource: "registrycredentials"}, "c-00")

// stored is the object as the API server has it.
func stored(t *testing.T, r *Reconciler, name string) *v1alpha1.RegistryCredential {
	t.Helper()
	object := &v1alpha1.RegistryCredential{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// Retain needs no finalizer (docs/design/decisions.md, "Large removals").
func TestOnlyWhoseEntriesGoWithItIsHeld(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy v1alpha1.DeletionPolicy
		has    []string
		want   []string // of the finalizers in what is sent; nil where nothing is
	}{
		{"Retain", v1alpha1.DeletionRetain, nil, nil},
		{"no policy", "", nil, nil},
		{"Delete", v1alpha1.DeletionDelete, nil, []string{v1alpha1.Finalizer}},
		{"Delete, and it is held", v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}, nil},
		{"Retain, and it was held", v1alpha1.DeletionRetain, []string{v1alpha1.Finalizer, "theirs.example/x"}, []string{"theirs.example/x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, object := reporting(t, 1, 1)
			object = stored(t, r, object.Name)
			object.Finalizers = test.has
			if err := r.Client.Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			object.Spec.DeletionPolicy = test.policy
			c := before(r)
			version := object.ResourceVersion
			if err := r.ensureFinalizer(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			sent := c.take()
			if (len(sent) == 0) != (test.want == nil) {
				t.Fatalf("sent %q", sent)
			}
			if test.want == nil {
				return
			}
			var body struct{ Metadata metav1.ObjectMeta }
			if err := json.Unmarshal([]byte(strings.TrimPrefix(sent[0], "object ")), &body); err != nil || body.Metadata.ResourceVersion != version || !slices.Equal(body.Metadata.Finalizers, test.want) {
				t.Errorf("sent %q, want finalizers %q of version %s: %v", sent, test.want, version, err)
			}
			if got := stored(t, r, object.Name).Finalizers; !slices.Equal(got, test.want) {
				t.Errorf("it has %q", got)
			}
		})
	}
}

// Entries that namespaces hold when the object goes are left for ever: nobody is there any more to remove them.
func TestAnObjectThatIsDeletedIsLetGoWhenNoEntryIsLeft(t *testing.T) {
	deleted := func(t *testing.T, r *Reconciler, policy v1alpha1.DeletionPolicy, finalizers ...string) *v1alpha1.RegistryCredential {
		object := stored(t, r, "c-00")
		object.Finalizers, object.Spec.DeletionPolicy = slices.Concat(finalizers, []string{"theirs.example/x"}), policy
		if err := r.Client.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if err := r.Client.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		return stored(t, r, "c-00")
	}
	now := noon
	setUp := func(t *testing.T, holding *delivered.Removal, err *error) (*Reconciler, *cluster, *events.FakeRecorder) {
		r, _ := reporting(t, 1, 1)
		recorder := events.NewFakeRecorder(10)
		r.Events, r.Now = announce.New(recorder), func() time.Time { return now }
		r.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) { return *holding, *err }
		return r, before(r), recorder
	}
	t.Run("one that regcred does not hold is not touched", func(t *testing.T) {
		var holding delivered.Removal
		var fails error
		r, c, _ := setUp(t, &holding, &fails)
		object := deleted(t, r, v1alpha1.DeletionDelete)
		if result, err := r.finish(t.Context(), object); err != nil || result.RequeueAfter != 0 || len(c.take()) > 0 {
			t.Errorf("%+v, %v", result, err)
		}
	})
	t.Run("one whose entries go waits for them, and says so", func(t *testing.T) {
		holding, fails := delivered.Removal{Holding: 3}, error(nil)
		r, c, recorder := setUp(t, &holding, &fails)
		object := deleted(t, r, v1alpha1.DeletionDelete, v1alpha1.Finalizer)
		result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)})
		if err != nil || result.RequeueAfter != time.Second {
			t.Errorf("%+v, %v", result, err)
		}
		sees(t, &stored(t, r, "c-00").Status, []condition{{v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonDeleting, "entries of this credential are still in 3 namespaces"}, gone(v1alpha1.ConditionStalled)})
		if sent := c.take(); len(sent) != 1 || !strings.HasPrefix(sent[0], "status ") || len(recorder.Events) > 0 {
			t.Errorf("sent %q, told %q", sent, heardOf(recorder))
		}
		holding = delivered.Removal{Holding: 3, Losing: 3, Held: true, ID: "abc"}
		if _, err := r.finish(t.Context(), stored(t, r, "c-00")); err != nil || len(c.take()) > 0 {
			t.Errorf("within a second it is written again: %v", err)
		}
		now = now.Add(statusInterval)
		for range 2 {
			if _, err := r.finish(t.Context(), stored(t, r, "c-00")); err != nil {
				t.Fatal(err)
			}
			now = now.Add(statusInterval)
		}
		status := stored(t, r, "c-00").Status
		sees(t, &status, []condition{ready("False", v1alpha1.ReasonRemovalUnconfirmed, "let the object go and the entries stay"), stuck(v1alpha1.ReasonRemovalUnconfirmed), gone(v1alpha1.ConditionReconciling)})
		if status.PendingRemoval == nil || status.PendingRemoval.ID != "abc" || status.ObservedGeneration != object.Generation {
			t.Errorf("%+v", status)
		}
		if sent, told := c.take(), heardOf(recorder); len(sent) != 1 || len(told) != 1 || !strings.Contains(told[0], "RemovalUnconfirmed") {
			t.Errorf("sent %d, told %q", len(sent), told)
		}
		holding = delivered.Removal{Holding: 2, Losing: 2} // a person confirmed it
		if _, err := r.finish(t.Context(), stored(t, r, "c-00")); err != nil || len(c.take()) != 1 {
			t.Errorf("that it goes on is not said: %v", err)
		}
		status = stored(t, r, "c-00").Status
		sees(t, &status, []condition{ready("False", v1alpha1.ReasonDeleting, "still in 2 namespaces"), working(v1alpha1.ReasonDeleting), gone(v1alpha1.ConditionStalled)})
		if status.PendingRemoval != nil {
			t.Errorf("it still waits for a person: %+v", status.PendingRemoval)
		}
		holding, fails = delivered.Removal{}, errors.New("away")
		if _, err := r.finish(t.Context(), stored(t, r, "c-00")); !errors.Is(err, fails) || len(c.take()) > 0 {
			t.Errorf("it is not known what holds entries, and it is let go: %v", err)
		}
		fails, c.refuse = nil, conflict
		if _, err := r.finish(t.Context(), stored(t, r, "c-00")); !apierrors.IsConflict(err) {
			t.Errorf("a conflict is not told: %v", err)
		}
		c.refuse = nil
		c.take()
		if result, err := r.finish(t.Context(), stored(t, r, "c-00")); err != nil || result.RequeueAfter != 0 {
			t.Errorf("%+v, %v", result, err)
		}
		if sent := c.take(); len(sent) != 1 || !strings.Contains(sent[0], "resourceVersion") || slices.Contains(stored(t, r, "c-00").Finalizers, v1alpha1.Finalizer) {
			t.Errorf("sent %q", sent)
		}
	})
	t.Run("one that went meanwhile is no error", func(t *testing.T) {
		holding, fails := delivered.Removal{Holding: 1}, error(nil)
		r, c, _ := setUp(t, &holding, &fails)
		object := deleted(t, r, v1alpha1.DeletionDelete, v1alpha1.Finalizer)
		c.refuse = notFound
		now = now.Add(time.Minute)
		if _, err := r.finish(t.Context(), object.DeepCopy()); err != nil {
			t.Error(err)
		}
		holding.Holding = 0
		if _, err := r.finish(t.Context(), object.DeepCopy()); err != nil {
			t.Error(err)
		}
		holding.Holding, c.refuse = 1, conflict
		if _, err := r.finish(t.Context(), object.DeepCopy()); !apierrors.IsConflict(err) {
			t.Errorf("a status that was not written is not told: %v", err)
		}
	})
}
