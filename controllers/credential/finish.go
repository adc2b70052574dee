package credential

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/foreign"
)

// ensureFinalizer holds objects with deletionPolicy Delete, and no others.
func (r *Reconciler) ensureFinalizer(ctx context.Context, object *v1alpha1.RegistryCredential) error {
	before := object.DeepCopy()
	changed := false
	if object.Spec.Policy() == v1alpha1.DeletionDelete {
		changed = controllerutil.AddFinalizer(object, v1alpha1.Finalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer)
	}
	if !changed {
		return nil
	}
	return r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// finish lets an object go: at once with deletionPolicy Retain, and when no entry of it is left with Delete. It needs neither
// the source nor the registry.
func (r *Reconciler) finish(ctx context.Context, object *v1alpha1.RegistryCredential) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	if object.Spec.Policy() == v1alpha1.DeletionDelete {
		removal, err := r.Removal(ctx, object)
		if err != nil {
			return ctrl.Result{}, err
		}
		if removal.Holding > 0 {
			return ctrl.Result{RequeueAfter: time.Second}, r.reportDeletion(ctx, object, removal)
		}
		r.tellOfRemoved(object)
		r.giveBackAll(ctx, object)
	}
	before := object.DeepCopy()
	controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer)
	err := r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// reportDeletion says how many namespaces still hold entries of an object that is being deleted, and whether a person must confirm it.
func (r *Reconciler) reportDeletion(ctx context.Context, object *v1alpha1.RegistryCredential, removal delivered.Removal) error {
	memory, _ := r.memories.of(object, r.Now())
	if r.Now().Before(memory.statusTime.Add(statusInterval)) {
		return nil
	}
	object = r.upToDate(object)
	before := object.DeepCopy()
	status := &object.Status
	status.PendingRemoval, status.ObservedGeneration = pendingRemoval(removal), object.Generation
	set := func(kind string, value metav1.ConditionStatus, reason, message string) {
		setCondition(&status.Conditions, object.Generation, r.Now(), metav1.Condition{Type: kind, Status: value, Reason: reason, Message: message})
	}
	if removal.Held {
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRemovalUnconfirmed, heldRemoval(object, removal, keepEntries(object)))
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRemovalUnconfirmed, heldRemoval(object, removal, keepEntries(object)))
		dropCondition(status, v1alpha1.ConditionReconciling)
	} else {
		message := fmt.Sprintf("entries of this credential are still in %s; they are being removed", namespaces(removal.Holding))
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message)
		set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting, message)
		dropCondition(status, v1alpha1.ConditionStalled)
	}
	same := equality.Semantic.DeepEqual(before.Status, object.Status)
	if same && !r.statuses.Late(object) {
		return nil
	}
	if !same {
		if err := r.writeStatus(ctx, object, before, memory); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	r.tellOfRemoval(object, r.statuses.Told(before, &before.Status).PendingRemoval, removal, heldRemoval(object, removal, keepEntries(object)))
	return nil
}

// tellOfRemoved tells people, once for all that went together, that namespaces lost the credential.
func (r *Reconciler) tellOfRemoved(object *v1alpha1.RegistryCredential) {
	if n := r.Board.TakeRemoved(object.Name); n > 0 {
		why := "which spec.target does not select any more"
		if object.DeletionTimestamp != nil {
			why = "as spec.deletionPolicy says"
		}
		r.event(object, corev1.EventTypeNormal, v1alpha1.ReasonRemoved, "Remove", fmt.Sprintf("the credential was removed from %s, %s", namespaces(n), why))
	}
}

// tellOfRemoval tells people once that a removal waits for them: before is what the status said, message what waits.
func (r *Reconciler) tellOfRemoval(object *v1alpha1.RegistryCredential, before *v1alpha1.PendingRemovalStatus, removal delivered.Removal, message string) {
	if removal.Held && (before == nil || before.ID != removal.ID) {
		r.event(object, corev1.EventTypeWarning, v1alpha1.ReasonRemovalUnconfirmed, "Remove", message)
	}
}

// undoChange is what to do instead of confirming what a change would remove.
const undoChange = "undo the change of spec.target, spec.registries or the labels; meanwhile these namespaces get new values"

// keepEntries is what to do instead of confirming what a deletion would remove.
func keepEntries(object *v1alpha1.RegistryCredential) string {
	return fmt.Sprintf(`let the object go and the entries stay: kubectl patch registrycredential %s --type=merge -p '{"metadata":{"finalizers":null}}'`, object.Name)
}

func pendingRemoval(removal delivered.Removal) *v1alpha1.PendingRemovalStatus {
	if !removal.Held {
		return nil
	}
	return &v1alpha1.PendingRemovalStatus{ID: removal.ID, Losing: int32(removal.Losing), Holding: int32(removal.Holding)}
}

// heldRemoval says what waits for a person. A change can be undone, a deletion cannot.
func heldRemoval(object *v1alpha1.RegistryCredential, removal delivered.Removal, otherwise string) string {
	return fmt.Sprintf("%s would lose %s. Nothing was removed. If that is meant: kubectl annotate registrycredential %s --overwrite %s=%s. If not, %s",
		losers(removal), cmp.Or(removal.What, "it, or a registry of it"), object.Name, v1alpha1.ConfirmRemovalAnnotation, removal.ID, otherwise) + mistaken(object, v1alpha1.ConfirmRemovalAnnotation, removal.ID)
}

// losers are the namespaces that would lose something, in words.
func losers(removal delivered.Removal) string {
	switch {
	case removal.Holding == 1:
		return "the only namespace that holds the credential"
	case removal.Losing == removal.Holding:
		return fmt.Sprintf("all %d namespaces that hold the credential", removal.Holding)
	}
	return fmt.Sprintf("%d of the %d namespaces that hold the credential", removal.Losing, removal.Holding)
}

// heldRemoval says what waits for a person because of a change.
func (f *facts) heldRemoval() string {
	message := heldRemoval(f.run.object, f.removal, undoChange)
	if f.looked() && f.selected() == 0 {
		message = "spec.target selects no namespace" + labelsOf(&f.run.object.Spec.Target) + ", so " + message
	}
	return message
}

// mistaken says that an annotation by which a person decides has another value than the one that is meant, and so decides nothing.
func mistaken(object *v1alpha1.RegistryCredential, annotation, meant string) string {
	value := object.Annotations[annotation]
	if value == "" || value == meant {
		return ""
	}
	return fmt.Sprintf(". The annotation %s has the value %q now, which decides nothing here", annotation, foreign.Name(value))
}
