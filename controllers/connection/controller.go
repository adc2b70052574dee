// Package connection says of each VaultConnection whether it can be used. It only looks: logins and reads are the source's.
package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"regcred.dev/regcred/internal/announce"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	kinds "sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/laststatus"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

const (
	workers      = 4
	backOffStart = 100 * time.Millisecond
)

// period is how often a connection is looked at. Between two looks its users find out what is wrong with it, and notify.
const period = time.Minute

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Checker checks a connection. Errors are, or wrap, a source.Error.
type Checker interface {
	Check(ctx context.Context, connection *v1alpha1.VaultConnection) (State, error)
}

// Reconciler owns the status of VaultConnections.
type Reconciler struct {
	Client  client.Client
	Checker Checker
	Events  announce.Recorder
	// Unfenced says that the operator's admission policies do not stand, or nothing. It may be nil.
	Unfenced func() string
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog

	statuses laststatus.Of[*v1alpha1.VaultConnectionStatus]
}

// SetupWithManager adds the controller to a manager. troubled notifies when those who read through a connection see another state
// of it than before.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, troubled *wakeup.Notifier) error {
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{Name: "connection", Workers: workers, BackOffStart: backOffStart}, r)
	if err != nil {
		return err
	}
	changes := watchdog.Source("states of connections that their readers see", func(_ context.Context, q queue) error {
		troubled.Listen(func(connection string) {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: connection}})
		})
		return nil
	})
	if err := indexConnections(context.Background(), mgr); err != nil {
		return err
	}
	return errors.Join(c.Watch(changes), c.Watch(kinds.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, whatTheyUse)),
		c.Watch(kinds.Kind(mgr.GetCache(), &v1alpha1.VaultConnection{}, &handler.TypedEnqueueRequestForObject[*v1alpha1.VaultConnection]{},
			wakeup.OnSpec[*v1alpha1.VaultConnection]())))
}

// Reconcile looks at one connection and says how it is.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var object v1alpha1.VaultConnection
	err := r.Client.Get(ctx, request.NamespacedName, &object)
	if apierrors.IsNotFound(err) {
		r.statuses.Forget(request.Name)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if status, newer := r.statuses.After(&object, time.Now()); newer {
		status.DeepCopyInto(&object.Status)
	}
	state, err := r.Checker.Check(ctx, &object)
	fault := source.AsError(err)
	before := object.DeepCopy()
	object.Status.ObservedGeneration = object.Generation
	if state.ServerVersion != "" && state.ServerVersion != object.Status.ServerVersion {
		ctrl.LoggerFrom(ctx).Info("The version of Vault is new", "version", state.ServerVersion, "before", before.Status.ServerVersion)
		object.Status.ServerVersion = state.ServerVersion
	}
	state.writeLogin(&object.Status, fault == nil)
	if object.Status.UsedBy, err = r.usersOf(ctx, object.Name); err != nil {
		return ctrl.Result{}, err
	}
	setReady(&object, fault)
	r.setUnfenced(&object)
	wait := period
	if fault != nil {
		wait = max(period/4, fault.RetryAfter)
	}
	same := equality.Semantic.DeepEqual(before.Status, object.Status)
	if same && !r.statuses.Late(&object) {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if !same {
		if err := r.write(ctx, &object, before); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	r.tell(ctx, r.statuses.Told(before, &before.Status), &object)
	return ctrl.Result{RequeueAfter: wait}, nil
}

// write writes what differs from before. Where that fails people may still be to be told of it.
func (r *Reconciler) write(ctx context.Context, object, before *v1alpha1.VaultConnection) error {
	if err := laststatus.Write(ctx, r.Client, object, before); err != nil {
		r.statuses.Failed(before, before.Status.DeepCopy())
		return fmt.Errorf("write the status: %w", err)
	}
	r.statuses.Wrote(object, &object.Status, time.Now())
	return nil
}

// tell tells people of what a status says now that it did not say before.
func (r *Reconciler) tell(ctx context.Context, before *v1alpha1.VaultConnectionStatus, object *v1alpha1.VaultConnection) {
	was, is := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	switch changed := differ(was, is); {
	case changed && is.Status == metav1.ConditionFalse:
		ctrl.LoggerFrom(ctx).Info("The VaultConnection cannot be used", "reason", is.Reason, "message", is.Message)
		r.Events.Eventf(object, nil, corev1.EventTypeWarning, is.Reason, "Connect", "%s", is.Message)
	case changed && was != nil && was.Status == metav1.ConditionFalse:
		ctrl.LoggerFrom(ctx).Info("The VaultConnection can be used again", "address", object.Spec.Address)
		r.Events.Eventf(object, nil, corev1.EventTypeNormal, is.Reason, "Connect", "%s", is.Message)
	}
	was, is = meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionUnfenced), meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnfenced)
	if is != nil && differ(was, is) {
		r.Events.Eventf(object, nil, corev1.EventTypeWarning, is.Reason, "CheckPolicies", "%s", is.Message)
	}
}

// differ reports whether a condition says something else than before.
func differ(was, is *metav1.Condition) bool {
	return was == nil || was.Status != is.Status || was.Reason != is.Reason || was.Message != is.Message || was.ObservedGeneration != is.ObservedGeneration
}

// setReady says whether the connection can be used.
func setReady(object *v1alpha1.VaultConnection, fault *source.Error) {
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonConnected,
		Message: "logged in at " + object.Spec.Address, ObservedGeneration: object.Generation,
	}
	if fault != nil {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, fault.Reason, fault.Message
	}
	meta.SetStatusCondition(&object.Status.Conditions, ready)
	setAbnormal(object, v1alpha1.ConditionStalled, fault, fault != nil && fault.Stalled)
	setAbnormal(object, v1alpha1.ConditionReconciling, fault, fault != nil && !fault.Stalled)
}

// setUnfenced says at every connection that nothing bounds the operator: it is what whoever installs regcred looks at first.
func (r *Reconciler) setUnfenced(object *v1alpha1.VaultConnection) {
	message := ""
	if r.Unfenced != nil {
		message = r.Unfenced()
	}
	if message == "" {
		meta.RemoveStatusCondition(&object.Status.Conditions, v1alpha1.ConditionUnfenced)
		return
	}
	meta.SetStatusCondition(&object.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPoliciesMissing, Message: message,
		ObservedGeneration: object.Generation,
	})
}

func setAbnormal(object *v1alpha1.VaultConnection, kind string, fault *source.Error, present bool) {
	if !present {
		meta.RemoveStatusCondition(&object.Status.Conditions, kind)
		return
	}
	meta.SetStatusCondition(&object.Status.Conditions, metav1.Condition{
		Type: kind, Status: metav1.ConditionTrue, Reason: fault.Reason, Message: fault.Message, ObservedGeneration: object.Generation,
	})
}
