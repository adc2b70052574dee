package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a controller before a Vault that answers as it is told.
type rig struct {
	t *testing.T
	r *Reconciler
	c client.Client
	// state and err are what the check gives.
	state State
	err   error
	// mu guards what several workers write, where there are some.
	mu sync.Mutex
	// events are reasons, patches counts the writes of the status, and refuse is the answer to them.
	events  []string
	patches int
	// told are the same events with all that they say.
	told   []string
	refuse error
}

func (g *rig) Check(context.Context, *v1alpha1.VaultConnection) (State, error) {
	return g.state, g.err
}

func (g *rig) Eventf(_, _ runtime.Object, kind, reason, action, note string, arguments ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, reason)
	g.told = append(g.told, fmt.Sprintf("%s %s %s: "+note, append([]any{kind, reason, action}, arguments...)...))
}

func newRig(t *testing.T) *rig {
	object := &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 3}}
	object.Spec.Address = "https://vault.company.io:8200"
	g := &rig{t: t, state: State{ServerVersion: "1.20.4", Method: "kubernetes", LoginTime: noon}}
	g.c = inmemory.Cluster().WithObjects(object).WithStatusSubresource(object).WithIndex(&v1alpha1.RegistryCredential{}, connectionField, connectionsOf).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			g.mu.Lock()
			g.patches++
			g.mu.Unlock()
			if g.refuse != nil {
				return g.refuse
			}
			return c.SubResource(name).Patch(ctx, object, patch, options...)
		},
	}).Build()
	g.r = &Reconciler{Client: g.c, Checker: g, Events: announce.New(g)}
	return g
}

// look has the connection looked at, and returns it as it is afterwards.
func (g *rig) look() (*v1alpha1.VaultConnection, time.Duration) {
	g.t.Helper()
	result, err := g.r.Reconcile(g.t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}})
	if err != nil {
		g.t.Fatal(err)
	}
	var object v1alpha1.VaultConnection
	if err := g.c.Get(g.t.Context(), client.ObjectKey{Name: "default"}, &object); err != nil {
		g.t.Fatal(err)
	}
	return &object, result.RequeueAfter
}

// said are the conditions that are there, with their reasons.
func said(object *v1alpha1.VaultConnection) map[string]string {
	all := map[string]string{}
	for _, c := range object.Status.Conditions {
		all[c.Type] = string(c.Status) + " " + c.Reason
		if c.ObservedGeneration != object.Generation {
			all[c.Type] += " of another generation"
		}
	}
	return all
}

func TestWhatAConnectionSays(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		want  map[string]string
		after time.Duration
		event bool
	}{
		{"Vault answers", nil, map[string]string{v1alpha1.ConditionReady: "True Connected"}, period, false},
		{"Vault is sealed: that passes", &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed"},
			map[string]string{v1alpha1.ConditionReady: "False Sealed", v1alpha1.ConditionReconciling: "True Sealed"}, period / 4, true},
		{"a person must act", &source.Error{Reason: v1alpha1.ReasonPermissionDenied, Message: "denied", Stalled: true},
			map[string]string{v1alpha1.ConditionReady: "False " + v1alpha1.ReasonPermissionDenied, v1alpha1.ConditionStalled: "True " + v1alpha1.ReasonPermissionDenied}, period / 4, true},
		{"Vault says when to come back", &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed", RetryAfter: time.Hour},
			map[string]string{v1alpha1.ConditionReady: "False Sealed", v1alpha1.ConditionReconciling: "True Sealed"}, time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.err = c.err
			object, after := g.look()
			if got := said(object); len(got) != len(c.want) {
				t.Errorf("says %v, want %v", got, c.want)
			}
			for kind, want := range c.want {
				if got := said(object)[kind]; got != want {
					t.Errorf("%s is %q, want %q", kind, got, want)
				}
			}
			if after != c.after || object.Status.ObservedGeneration != 3 || object.Status.ServerVersion != "1.20.4" {
				t.Errorf("again after %s, want %s; status %+v", after, c.after, object.Status)
			}
			message := "logged in at " + object.Spec.Address
			if fault := source.AsError(c.err); fault != nil {
				message = fault.Message
			}
			if got := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); got.Message != message {
				t.Errorf("Ready says %q, want %q", got.Message, message)
			}
			if (len(g.events) == 1) != c.event {
				t.Errorf("events %q", g.events)
			}
		})
	}
}

func TestAConnectionThatIsAsBeforeIsNotWrittenAndRecoveryTakesBackWhatWasSaid(t *testing.T) {
	g := newRig(t)
	g.err = &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed", Stalled: true}
	g.look()
	if object, after := g.look(); g.patches != 1 || len(g.events) != 1 || after != period/4 {
		t.Errorf("%d writes, events %q, again after %s: %v", g.patches, g.events, after, said(object))
	}
	g.err, g.state.ServerVersion = nil, ""
	object, after := g.look()
	if got := said(object); len(got) != 1 || got[v1alpha1.ConditionReady] != "True Connected" || after != period || g.patches != 2 {
		t.Errorf("says %v, again after %s, %d writes", got, after, g.patches)
	}
	if want := []string{v1alpha1.ReasonSealed, v1alpha1.ReasonConnected}; !slices.Equal(g.events, want) {
		t.Errorf("events %q, want %q", g.events, want)
	}
	if object.Status.ServerVersion != "1.20.4" {
		t.Errorf("the version that was known is %q", object.Status.ServerVersion)
	}
}

func TestWhatEventsSay(t *testing.T) {
	g := newRig(t)
	missing := "no policy"
	g.r.Unfenced = func() string { return missing }
	g.err = &source.Error{Reason: v1alpha1.ReasonSealed, Message: "it is sealed"}
	g.look()
	g.err = nil
	g.look()
	missing = "another policy is missing"
	g.look()
	want := []string{
		"Warning Sealed Connect: it is sealed", "Warning PoliciesMissing CheckPolicies: no policy",
		"Normal Connected Connect: logged in at https://vault.company.io:8200", "Warning PoliciesMissing CheckPolicies: another policy is missing",
	}
	if !slices.Equal(g.told, want) {
		t.Errorf("%q, want %q", g.told, want)
	}
}

// What was written of the one before is not taken for what this one says.
func TestAConnectionThatIsMadeAgainSaysHowItIs(t *testing.T) {
	g := newRig(t)
	object, _ := g.look()
	if err := g.c.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if _, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}}); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Create(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 3}, Spec: object.Spec}); err != nil {
		t.Fatal(err)
	}
	if object, _ := g.look(); said(object)[v1alpha1.ConditionReady] != "True Connected" || object.Status.ServerVersion != "1.20.4" {
		t.Errorf("%+v", object.Status)
	}
}

func TestThatThePoliciesAreMissingIsToldOnceAndTakenBack(t *testing.T) {
	g := newRig(t)
	message := "no policy"
	g.r.Unfenced = func() string { return message }
	g.look()
	object, _ := g.look()
	if got := said(object)[v1alpha1.ConditionUnfenced]; got != "True "+v1alpha1.ReasonPoliciesMissing || !slices.Equal(g.events, []string{v1alpha1.ReasonPoliciesMissing}) {
		t.Errorf("says %q, events %q", got, g.events)
	}
	message = ""
	if object, _ = g.look(); meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnfenced) != nil {
		t.Errorf("the policies stand, and it says %v", said(object))
	}
}

func TestAStatusThatCannotBeWrittenIsTriedAgainUnlessTheConnectionIsGone(t *testing.T) {
	connections := schema.GroupResource{Resource: "vaultconnections"}
	for _, c := range []struct {
		name   string
		answer error
		fails  bool
	}{
		{"the API server is away", errors.New("away"), true},
		{"the connection is gone", apierrors.NewNotFound(connections, "default"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.refuse = c.answer
			_, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}})
			if (err != nil) != c.fails || err != nil && !errors.Is(err, c.answer) {
				t.Errorf("%v", err)
			}
		})
	}
	g := newRig(t)
	away := errors.New("away")
	g.r.Client = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return away
	}})
	if _, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}}); !errors.Is(err, away) {
		t.Errorf("the connection cannot be read, and that is not tried again: %v", err)
	}
	g = newRig(t)
	if result, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "gone"}}); err != nil || result.RequeueAfter != 0 || g.patches > 0 {
		t.Errorf("of one that is not there: %v, %v, %d writes", result, err, g.patches)
	}
}

// Each try to write a status is no news of its own.
func TestPeopleAreToldOnceOfAStatusThatCannotBeWrittenAtFirst(t *testing.T) {
	g := newRig(t)
	g.err, g.refuse = &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed"}, errors.New("away")
	g.r.Unfenced = func() string { return "no policy" }
	for range 3 {
		if _, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}}); !errors.Is(err, g.refuse) || len(g.events) > 0 {
			t.Errorf("told is %q before it is written: %v", g.events, err)
		}
	}
	g.refuse = nil
	g.look()
	if g.look(); !slices.Equal(g.events, []string{v1alpha1.ReasonSealed, v1alpha1.ReasonPoliciesMissing}) {
		t.Errorf("told is %q", g.events)
	}
}

// What a status says already is news for people all the same, where the answer to its write was lost.
func TestPeopleAreToldOfAStatusWhoseWriteWasNotAnswered(t *testing.T) {
	g := newRig(t)
	answering, lost := g.r.Client, errors.New("connection reset by peer")
	g.r.Client = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return errors.Join(c.SubResource(name).Patch(ctx, object, patch, options...), lost)
		},
	})
	g.err = &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed"}
	if _, err := g.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "default"}}); !errors.Is(err, lost) || len(g.events) > 0 {
		t.Errorf("told is %q: %v", g.events, err)
	}
	g.r.Client = answering
	g.look()
	if g.look(); !slices.Equal(g.events, []string{v1alpha1.ReasonSealed}) || g.patches != 1 {
		t.Errorf("told is %q, after %d writes", g.events, g.patches)
	}
}

// A cache that is behind shows what was before the last write. What went back meanwhile is written, and nothing is told twice.
func TestAStatusIsComparedWithWhatWasWrittenLast(t *testing.T) {
	g := newRig(t)
	g.look()
	var shown v1alpha1.VaultConnection
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "default"}, &shown); err != nil {
		t.Fatal(err)
	}
	g.r.Client = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if object, is := into.(*v1alpha1.VaultConnection); is {
				shown.DeepCopyInto(object)
				return nil
			}
			return c.Get(ctx, key, into, options...)
		},
	})
	g.patches, g.events = 0, nil
	g.err = &source.Error{Reason: "Down", Message: "it is down"}
	g.look()
	if g.look(); g.patches != 1 || !slices.Equal(g.events, []string{"Down"}) {
		t.Errorf("written %d times, told %q", g.patches, g.events)
	}
	g.err = nil
	if object, _ := g.look(); !meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("it can be used again, and the status says: %+v", object.Status.Conditions)
	}
}

// Somebody changed the spec to correct it: that it is as before is an answer.
func TestThatAChangedSpecFailsAsTheOneBeforeIsTold(t *testing.T) {
	g := newRig(t)
	g.err = &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed", Stalled: true}
	object, _ := g.look()
	object.Generation++
	if err := g.c.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.look()
	}
	if want := []string{v1alpha1.ReasonSealed, v1alpha1.ReasonSealed}; !slices.Equal(g.events, want) {
		t.Errorf("events %q, want %q", g.events, want)
	}
}
