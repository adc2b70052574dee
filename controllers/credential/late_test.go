package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
)

var errUnanswered = errors.New("connection reset by peer")

// unanswered has statuses written from here on, and the answers lost. It returns how to answer again.
func unanswered(r *Reconciler) (answer func()) {
	answering := r.Client
	r.Client = interceptor.NewClient(answering.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, to client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return errors.Join(to.SubResource(name).Patch(ctx, object, patch, options...), errUnanswered)
		},
	})
	return func() { r.Client = answering }
}

// What a status says already is news for people all the same, where the answer to its write was lost.
func TestPeopleAreToldOfAStatusWhoseWriteWasNotAnswered(t *testing.T) {
	for name, look := range map[string]func(*Reconciler) error{
		"of one that changes": func(r *Reconciler) error {
			_, err := r.report(t.Context(), r.begin(stored(t, r, "c-00")))
			return err
		},
		"of one that is being deleted": func(r *Reconciler) error {
			removal, err := r.Removal(t.Context(), nil)
			return errors.Join(err, r.reportDeletion(t.Context(), stored(t, r, "c-00"), removal))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := reporting(t, 1, 1)
			recorder := events.NewFakeRecorder(10)
			r.Events, r.Now = announce.New(recorder), func() time.Time { return noon }
			r.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) {
				return delivered.Removal{Holding: 3, Losing: 3, Held: true, ID: "abc"}, nil
			}
			answer := unanswered(r)
			if err := look(r); !errors.Is(err, errUnanswered) || len(recorder.Events) > 0 || stored(t, r, "c-00").Status.PendingRemoval == nil {
				t.Fatalf("told %q: %v", heardOf(recorder), err)
			}
			answer()
			for range 3 {
				if err := look(r); err != nil {
					t.Fatal(err)
				}
			}
			told := slices.DeleteFunc(heardOf(recorder), func(event string) bool { return !strings.Contains(event, v1alpha1.ReasonRemovalUnconfirmed) })
			if len(told) != 1 {
				t.Errorf("told %q", told)
			}
		})
	}
}
