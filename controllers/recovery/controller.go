package recovery

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/publish"
)

// Metrics counts what was decided and how fast pods came up again.
type Metrics interface {
	// Decided is called when the verdict about a pod changes, and after each pod that was acted on.
	Decided(action, reason string)
	// Recovered is called when a pod that was acted on, or its successor, leaves the phase Pending. after is the time since the
	// Secret, or its attachment, changed.
	Recovered(action string, after time.Duration)
}

// Reconciler diagnoses stuck pods and cures those that it may.
type Reconciler struct {
	// Cluster reads RegistryCredentials, Namespaces and owners from the manager's cache: see CacheOptions.
	Cluster client.Reader
	// Writer deletes and patches pods, and reads past the caches.
	Writer client.Client
	// Pods is the cache of NewPodCache.
	Pods cache.Cache
	// Secrets and ServiceAccounts are read by the names that the operator was given.
	Secrets         *named.Caches
	ServiceAccounts *named.Caches
	Store           *publish.Store
	Board           *publish.Board
	Tally           *publish.Tally
	// Protected namespaces, and OwnNamespace, are served only where a RegistryCredential names them outright.
	Protected    []string
	OwnNamespace string
	Limits       Limits
	Events       events.EventRecorder
	// Metrics may be nil.
	Metrics Metrics
	// Now is the clock.
	Now func() time.Time

	budget          budget
	ordinals        ordinals
	memories        memories
	repullForbidden refusal
}

// Reconcile looks at one pod: gather, decide, act or say why not.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if err := r.Store.Load(ctx); err != nil {
		return ctrl.Result{}, err
	}
	pod, err := r.pod(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if pod == nil || pod.DeletionTimestamp != nil || !diagnosis.IsStuck(pod) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	g, err := r.gather(ctx, pod)
	if err != nil {
		return ctrl.Result{}, err
	}
	verdict := diagnosis.Diagnose(g.Facts)
	r.Tally.Note(request.NamespacedName, wanted(verdict)...)
	return r.carryOut(ctx, g, verdict)
}

// pod is nil where there is none that waits.
func (r *Reconciler) pod(ctx context.Context, key types.NamespacedName) (*corev1.Pod, error) {
	var pod corev1.Pod
	err := r.Pods.Get(ctx, key, &pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &pod, nil
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.Tally.Note(key)
	if uid, known := r.memories.forget(key); known {
		r.budget.release(uid)
	}
}

// carryOut does what a verdict says. What it says of a pod is said once.
func (r *Reconciler) carryOut(ctx context.Context, g gathered, verdict diagnosis.Verdict) (ctrl.Result, error) {
	if verdict.Action == diagnosis.Restart || verdict.Action == diagnosis.Repull {
		if held := r.hold(ctx, g, verdict); held != nil {
			verdict = *held
		} else {
			return r.act(ctx, g, verdict)
		}
	}
	r.say(ctx, g, verdict)
	return ctrl.Result{RequeueAfter: verdict.RecheckAfter}, nil
}

// wanted are the RegistryCredentials for want of which the pod hangs.
func wanted(verdict diagnosis.Verdict) []string {
	var names []string
	for _, finding := range verdict.Findings {
		if finding.Credential != "" && finding.WantsCredential() {
			names = append(names, finding.Credential)
		}
	}
	return names
}
