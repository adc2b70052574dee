package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
)

// reading is a RegistryCredential that reads through a connection; with "" it names none, and the default is meant.
func reading(name, connection string) *v1alpha1.RegistryCredential {
	return &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.RegistryCredentialSpec{Source: v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: connection}}}}
}

func TestTheUsersOfAConnectionAreCounted(t *testing.T) {
	g := newRig(t)
	if object, _ := g.look(); object.Status.UsedBy == nil || *object.Status.UsedBy != 0 {
		t.Errorf("without any: %v", object.Status.UsedBy)
	}
	for i, connection := range []string{"", "default", "other"} {
		if err := g.c.Create(t.Context(), reading(fmt.Sprint("c", i), connection)); err != nil {
			t.Fatal(err)
		}
	}
	if object, _ := g.look(); object.Status.UsedBy == nil || *object.Status.UsedBy != 2 || g.patches != 2 {
		t.Errorf("of three, of which one is another's: %v, %d writes", object.Status.UsedBy, g.patches)
	}
	if err := g.c.Delete(t.Context(), reading("c0", "")); err != nil {
		t.Fatal(err)
	}
	if object, _ := g.look(); *object.Status.UsedBy != 1 {
		t.Errorf("after one is gone: %v", *object.Status.UsedBy)
	}
	away := errors.New("away")
	g.r.Client = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return away
	}})
	if _, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}}); !errors.Is(err, away) {
		t.Errorf("they cannot be counted, and that is not tried again: %v", err)
	}
}

// asked notes whom it is asked to look at.
type asked struct {
	queue
	names []string
	after time.Duration
}

func (a *asked) AddAfter(request ctrl.Request, after time.Duration) {
	a.names, a.after = append(a.names, request.Name), after
}

func TestWhichChangesAreCounted(t *testing.T) {
	changed := reading("a", "default")
	changed.Spec.Registries = []v1alpha1.Registry{"registry.example"}
	for _, c := range []struct {
		name   string
		happen func(*asked)
		want   []string
	}{
		{"one is made", func(q *asked) {
			whatTheyUse.Create(t.Context(), event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: reading("a", "")}, q)
		}, []string{"default"}},
		{"one was there when the operator started", func(q *asked) {
			whatTheyUse.Create(t.Context(), event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: reading("a", ""), IsInInitialList: true}, q)
		}, nil},
		{"one is gone", func(q *asked) {
			whatTheyUse.Delete(t.Context(), event.TypedDeleteEvent[*v1alpha1.RegistryCredential]{Object: reading("a", "other")}, q)
		}, []string{"other"}},
		{"one names another connection", func(q *asked) {
			whatTheyUse.Update(t.Context(), event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: reading("a", ""), ObjectNew: reading("a", "other")}, q)
		}, []string{"default", "other"}},
		{"anything else of one changes", func(q *asked) {
			whatTheyUse.Update(t.Context(), event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: reading("a", ""), ObjectNew: changed}, q)
		}, nil},
		{"one without a source of Vault is made", func(q *asked) {
			whatTheyUse.Create(t.Context(), event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: &v1alpha1.RegistryCredential{}}, q)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := &asked{}
			c.happen(q)
			if !slices.Equal(q.names, c.want) || len(q.names) > 0 && q.after != gatherUsers {
				t.Errorf("looked at %v after %s, want %v", q.names, q.after, c.want)
			}
		})
	}
}
