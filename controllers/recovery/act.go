package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/tracing"
)

const (
	// lookAgain is how soon a pod is looked at again that changed while it was acted on.
	lookAgain = 100 * time.Millisecond
	// refusedAgain is how soon something is tried again that the API server refused.
	refusedAgain = 5 * time.Minute
)

// hold says why an action must wait or is not to be done, nil where it may be done now.
func (r *Reconciler) hold(ctx context.Context, g gathered, verdict diagnosis.Verdict) (*diagnosis.Verdict, error) {
	pod := g.Pod
	if verdict.Action == diagnosis.Restart && len(g.Owners) > 0 && g.Owners[0].Kind == "StatefulSet" {
		if mine, other := r.ordinals.take(ctx, r.Writer, g.owners[0].UID, pod, g.Now); !mine {
			verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Wait, diagnosis.OrdinalInProgress, time.Second
			verdict.Message = fmt.Sprintf("%s; the pods of a StatefulSet are restarted one at a time, and %s comes first", verdict.Message, other)
			return &verdict, nil
		}
	}
	due := r.budget.reserve(r.Limits, pod.UID, pod.Spec.NodeName, pod.Namespace, diagnosis.Pulling(pod), g.Now)
	if wait := due.Sub(g.Now); wait > 0 {
		verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Wait, diagnosis.BudgetUsed, wait
		verdict.Message = fmt.Sprintf("%s; its turn comes within the limits in %s", verdict.Message, wait.Round(time.Second))
		return &verdict, nil
	}
	foreseen, err := r.foresee(ctx, g, verdict)
	if err != nil || foreseen.Action == verdict.Action {
		return nil, err
	}
	r.budget.release(pod.UID)
	return &foreseen, nil
}

// act restarts or repulls a pod. What the API server refuses is reported; what changed meanwhile is looked at again.
func (r *Reconciler) act(ctx context.Context, g gathered, verdict diagnosis.Verdict) (ctrl.Result, error) {
	r.announce(g, verdict)
	err := r.cure(ctx, g.Pod, verdict)
	switch {
	case err == nil:
		r.cured(ctx, g, verdict)
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsForbidden(err):
		return r.refused(ctx, g, verdict, err)
	}
	r.unanswered.note(g, verdict)
	return ctrl.Result{}, fmt.Errorf("%s pod %s/%s: %w", verdict.Action, g.Pod.Namespace, g.Pod.Name, err)
}

// cure restarts or repulls a pod. The span belongs to the rotation of the first credential that the pod lacks.
func (r *Reconciler) cure(ctx context.Context, pod *corev1.Pod, verdict diagnosis.Verdict) error {
	var span *tracing.Span
	if r.Traces != nil {
		lacked := append(verdict.Credentials(), "")
		span = r.Traces.Cure(lacked[0], tracing.Pod{Namespace: pod.Namespace, Name: pod.Name, Reason: string(verdict.Reason)})
	}
	cured := r.repull
	if verdict.Action == diagnosis.Restart {
		cured = func(ctx context.Context, pod *corev1.Pod, _ []diagnosis.Pin) error { return r.restart(ctx, pod) }
	}
	err := cured(ctx, pod, verdict.Pins)
	if err != nil {
		span.End(string(apierrors.ReasonForError(err)), !apierrors.IsConflict(err) && !apierrors.IsNotFound(err))
		return err
	}
	span.End(string(verdict.Action), false)
	return nil
}

// restart deletes exactly the pod that was looked at. Its owner recreates it.
func (r *Reconciler) restart(ctx context.Context, pod *corev1.Pod) error {
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	return r.Writer.Delete(ctx, target, client.Preconditions{UID: ptr.To(pod.UID), ResourceVersion: ptr.To(pod.ResourceVersion)})
}

// repull pins the images of exactly the pod that was looked at, all in one write. A strategic merge patch finds containers by
// their names.
func (r *Reconciler) repull(ctx context.Context, pod *corev1.Pod, pins []diagnosis.Pin) error {
	type image struct {
		Name  string `json:"name"`
		Image string `json:"image"`
	}
	images := map[string][]image{}
	for _, pin := range pins {
		list := "containers"
		if slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == pin.Container }) {
			list = "initContainers"
		}
		images[list] = append(images[list], image{pin.Container, pin.Pinned})
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID, "resourceVersion": pod.ResourceVersion},
		"spec":     images,
	})
	if err != nil {
		return err
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	return r.Writer.Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
}

// refused reports that the role or an admission policy does not let regcred act.
func (r *Reconciler) refused(ctx context.Context, g gathered, verdict diagnosis.Verdict, cause error) (ctrl.Result, error) {
	if verdict.Action == diagnosis.Repull {
		// The next diagnosis finds another cure, and says at the pod that this one is missed.
		r.repullForbidden.set(g.Now)
		return ctrl.Result{RequeueAfter: lookAgain}, r.tellOfRepull(ctx, verdict, cause)
	}
	r.budget.release(g.Pod.UID)
	verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Report, diagnosis.ActionForbidden, refusedAgain
	verdict.Message = fmt.Sprintf("%s; the API server does not let regcred delete the pod: %v", verdict.Message, cause)
	verdict.Advice = fmt.Sprintf("allow it, or run: kubectl delete pod %s -n %s", g.Pod.Name, g.Pod.Namespace)
	r.say(ctx, g, verdict)
	return ctrl.Result{RequeueAfter: verdict.RecheckAfter}, nil
}

// tellOfRepull says at the RegistryCredentials, where repull is enabled, that it cannot be had.
func (r *Reconciler) tellOfRepull(ctx context.Context, verdict diagnosis.Verdict, cause error) error {
	for _, name := range verdict.Credentials() {
		var object v1alpha1.RegistryCredential
		err := r.Cluster.Get(ctx, client.ObjectKey{Name: name}, &object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.event(&object, corev1.EventTypeWarning, diagnosis.ActionForbidden, verdict.Action, fmt.Sprintf(
			"podRecovery.repull is not available: the API server does not let regcred patch pods (%v); give its role the verb, or disable repull", cause))
	}
	return nil
}
