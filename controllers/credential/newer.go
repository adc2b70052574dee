package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/laststatus"
	"regcred.dev/regcred/internal/records"
)

// newerAgain is how soon a record that is left alone is looked at again.
const newerAgain = time.Minute

// leaveAlone says that a newer version of regcred kept the record, and does nothing else: the rest of the status is what that version
// found. One that is being deleted and retains its entries needs no record.
func (r *Reconciler) leaveAlone(ctx context.Context, object *v1alpha1.RegistryCredential, cause error) (ctrl.Result, error) {
	newer := (*records.NewerError)(nil)
	if !errors.As(cause, &newer) {
		return ctrl.Result{}, cause
	}
	if object.DeletionTimestamp != nil && object.Spec.Policy() == v1alpha1.DeletionRetain {
		return r.finish(ctx, object)
	}
	before := object.DeepCopy()
	status, message := &object.Status, newerMessage(newer)
	set := func(kind string, value metav1.ConditionStatus) {
		setCondition(&status.Conditions, object.Generation, r.Now(), metav1.Condition{Type: kind, Status: value, Reason: v1alpha1.ReasonRecordNewer, Message: message})
	}
	set(v1alpha1.ConditionReady, metav1.ConditionFalse)
	set(v1alpha1.ConditionStalled, metav1.ConditionTrue)
	dropCondition(status, v1alpha1.ConditionReconciling)
	status.ObservedGeneration = object.Generation
	r.Metrics.Observe(object.Name, false, 0, 0, time.Time{})
	if equality.Semantic.DeepEqual(before.Status, object.Status) {
		return ctrl.Result{RequeueAfter: newerAgain}, nil
	}
	err := laststatus.Write(ctx, r.Client, object, before)
	return ctrl.Result{RequeueAfter: newerAgain}, client.IgnoreNotFound(err)
}

func newerMessage(newer *records.NewerError) string {
	return fmt.Sprintf("a newer version of regcred kept the record of this credential (format %d, this version knows up to %d): nothing is changed, what is in "+
		"the namespaces stays. Run that version again, or delete Secret %s in %s to have the source read again", newer.Format, records.Format, newer.Secret, newer.Namespace)
}
