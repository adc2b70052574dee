package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/internal/diagnosis"
)

const (
	// lookAgain is how soon a pod is looked at again that changed while it was acted on.
	lookAgain = 100 * time.Millisecond
	// refusedAgain is how soon something is tried again that the API server refused.
	refusedAgain = 5 * time.Minute
)

// hold says why an action must wait, nil where it may be done now.
func (r *Reconciler) hold(ctx context.Context, g gathered, verdict diagnosis.Verdict) *diagnosis.Verdict {
	pod := g.Pod
	if verdict.Action == diagnosis.Restart && len(g.Owners) > 0 && g.Owners[0].Kind == "StatefulSet" {
		if busy := r.ordinals.busy(ctx, r.Writer, g.owners[0].UID, pod, g.Now); busy != "" {
			verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Wait, diagnosis.OrdinalInProgress, time.Second
			verdict.Message = fmt.Sprintf("%s; the pods of a StatefulSet are restarted one at a time, and %s comes first", verdict.Message, busy)
			return &verdict
		}
	}
	due := r.budget.reserve(r.Limits, pod.UID, pod.Spec.NodeName, pod.Namespace, diagnosis.Pulling(pod), g.Now)
	if wait := due.Sub(g.Now); wait > 0 {
		verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Wait, diagnosis.BudgetUsed, wait
		verdict.Message = fmt.Sprintf("%s; its turn comes within the limits in %s", verdict.Message, wait.Round(time.Second))
		return &verdict
	}
	return nil
}

// act restarts or repulls a pod. What the API server refuses is reported; what changed meanwhile is looked at again.
func (r *Reconciler) act(ctx context.Context, g gathered, verdict diagnosis.Verdict) (ctrl.Result, error) {
	r.announce(g, verdict)
	var err error
	if verdict.Action == diagnosis.Restart {
		err = r.restart(ctx, g)
	} else {
		err = r.repull(ctx, g.Pod, verdict.Pins)
	}
	switch {
	case err == nil:
		r.budget.release(g.Pod.UID)
		r.done(ctx, g, verdict)
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err), apierrors.IsInvalid(err) && verdict.Action == diagnosis.Repull:
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsForbidden(err):
		return r.refused(ctx, g, verdict, err)
	}
	return ctrl.Result{}, fmt.Errorf("%s pod %s/%s: %w", verdict.Action, g.Pod.Namespace, g.Pod.Name, err)
}

// restart deletes exactly the pod that was looked at. Its owner makes it anew.
func (r *Reconciler) restart(ctx context.Context, g gathered) error {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = g.Pod.Namespace, g.Pod.Name
	err := r.Writer.Delete(ctx, pod, client.Preconditions{UID: ptr.To(g.Pod.UID), ResourceVersion: ptr.To(g.Pod.ResourceVersion)})
	if err == nil && len(g.Owners) > 0 && g.Owners[0].Kind == "StatefulSet" {
		r.ordinals.restarted(g.owners[0].UID, g.Pod, g.Now)
	}
	return err
}

// repull pins the images of the pod that was looked at, in one write.
func (r *Reconciler) repull(ctx context.Context, pod *corev1.Pod, pins []diagnosis.Pin) error {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	operations := []operation{
		{"test", "/metadata/uid", string(pod.UID)},
		{"test", "/metadata/resourceVersion", pod.ResourceVersion},
	}
	for _, pin := range pins {
		path, ok := imagePath(pod, pin.Container)
		if !ok {
			return fmt.Errorf("container %s is not in pod %s/%s", pin.Container, pod.Namespace, pod.Name)
		}
		operations = append(operations, operation{"test", path, pin.Image}, operation{"replace", path, pin.Pinned})
	}
	patch, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	return r.Writer.Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch))
}

func imagePath(pod *corev1.Pod, container string) (string, bool) {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == container {
			return "/spec/initContainers/" + strconv.Itoa(i) + "/image", true
		}
	}
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == container {
			return "/spec/containers/" + strconv.Itoa(i) + "/image", true
		}
	}
	return "", false
}

// refused reports that the role or an admission policy does not let regcred act.
func (r *Reconciler) refused(ctx context.Context, g gathered, verdict diagnosis.Verdict, cause error) (ctrl.Result, error) {
	if verdict.Action == diagnosis.Repull {
		// Without the right to patch pods the next diagnosis finds another cure.
		r.repullForbidden.set(g.Now)
		log.FromContext(ctx).Info("Pods may not be patched, so that podRecovery.repull is not available: give the operator's role the verb patch on pods", "answer", cause.Error())
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	r.budget.release(g.Pod.UID)
	verdict.Action, verdict.Reason, verdict.RecheckAfter = diagnosis.Report, diagnosis.ActionForbidden, refusedAgain
	verdict.Message = fmt.Sprintf("%s; the API server does not let regcred delete the pod: %v", verdict.Message, cause)
	r.say(ctx, g, verdict)
	return ctrl.Result{RequeueAfter: verdict.RecheckAfter}, nil
}
