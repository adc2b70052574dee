package recovery

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"regcred.dev/regcred/internal/announce"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/podfacts"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/tracing"
	"regcred.dev/regcred/internal/watchdog"
)

// Metrics counts what was decided and how fast pods came up again.
type Metrics interface {
	// Decided is called when the verdict about a stuck pod changes, and after each pod that was acted on.
	Decided(action, reason string)
	// Recovered is called when a pod that was acted on, or its successor, runs. after is the time since the Secret, or its
	// attachment, changed.
	Recovered(action string, after time.Duration)
}

// Lists reads lists of pods, of each a few short fields.
type Lists interface {
	// Each calls visit for each pod that a field selector matches, until it returns false. truncated says that there are more.
	Each(ctx context.Context, namespace, fieldSelector string, visit func(podlist.Pod) bool) (truncated bool, err error)
}

// Named reads objects of one kind by the names that the operator may touch: *named.Caches.
type Named interface {
	// Get fails with named.ErrNotAllowed where the operator was not given the name.
	Get(ctx context.Context, key client.ObjectKey, into client.Object) error
	Each(func(cache.Cache) error) error
}

// Reconciler diagnoses stuck pods and cures those that it may.
type Reconciler struct {
	// Cluster reads RegistryCredentials, Namespaces and owners from the manager's cache: see CacheOptions.
	Cluster client.Reader
	// Writer deletes and patches pods, and reads past the caches.
	Writer client.Client
	// Pods is the cache of NewPodCache.
	Pods cache.Cache
	// Lists reads lists of pods that no cache holds: *podlist.Lister.
	Lists Lists
	// Secrets and ServiceAccounts are read by the names that the operator was given.
	Secrets         Named
	ServiceAccounts Named
	Store           *records.Store
	Board           *delivered.Board
	Tally           *podcounts.Counter
	// Prober asks registries what a credential can pull, where the kubelet's message leaves it open or an image is to be pinned. It
	// may be nil: then such pods are left alone.
	Prober Prober
	// Protected namespaces, and OwnNamespace, are served only where a RegistryCredential names them outright.
	Protected    []string
	OwnNamespace string
	Limits       Limits
	// SuccessorFirst asks before a restart, by a dry run, whether the API server would take the pod's successor.
	SuccessorFirst bool
	// OwnerKinds are kinds of custom resources whose pods may be restarted, too.
	OwnerKinds diagnosis.OwnerKinds
	Events     announce.Recorder
	// Metrics may be nil.
	Metrics Metrics
	// Now is the clock.
	Now func() time.Time
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog
	// Traces has a span of each pod that is acted on. It may be nil.
	Traces *tracing.Rotations

	budget          budget
	ordinals        ordinals
	owners          podfacts.Owners
	secretFacts     secretFacts
	heard           heard
	woken           woken
	memories        memories
	probes          probes
	runners         runners
	successors      successors
	unanswered      unanswered
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
	if err := r.hearOf(ctx, request.NamespacedName, pod); err != nil {
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
	verdict, err := r.diagnose(ctx, &g)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.Tally.Note(request.NamespacedName, wanted(verdict)...)
	r.Tally.Doubt(request.NamespacedName, doubted(g, verdict)...)
	return r.carryOut(ctx, g, verdict)
}

// pod is the pod in phase Pending, or one that was found stuck in phase Running. Nil where it is neither.
func (r *Reconciler) pod(ctx context.Context, key types.NamespacedName) (*corev1.Pod, error) {
	var pod corev1.Pod
	err := r.Pods.Get(ctx, key, &pod)
	if err == nil {
		return &pod, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, err
	}
	if !r.runners.knows(key) && !r.successors.any() {
		return nil, nil
	}
	if err := r.Writer.Get(ctx, key, &pod); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if after, action, arrived := r.successors.arrived(&pod, r.Now()); arrived {
		r.metrics().Recovered(string(action), after)
	}
	return &pod, nil
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.Tally.Note(key)
	r.runners.remove(key)
	if uid, known := r.memories.forget(key); known {
		r.budget.release(uid)
	}
}

// diagnose decides, and decides again with what it lacked: the pod's events, or the registry's word.
func (r *Reconciler) diagnose(ctx context.Context, g *gathered) (diagnosis.Verdict, error) {
	verdict := diagnosis.Diagnose(g.Facts)
	if verdict.NeedsEvents {
		var err error
		if g.PullEvents, err = podfacts.PullEvents(ctx, r.Writer, g.Pod); err != nil {
			return verdict, err
		}
		g.EventsRead = true
		verdict = diagnosis.Diagnose(g.Facts)
	}
	if verdict.Reason != diagnosis.AskingRegistry {
		return verdict, nil
	}
	g.Probes = map[diagnosis.Question]diagnosis.Probe{}
	var wait time.Duration
	for _, question := range verdict.Questions {
		probe, again := r.ask(ctx, g.Pod.Namespace, question)
		if again == 0 {
			g.Probes[question] = probe
		}
		wait = max(wait, again)
	}
	verdict = diagnosis.Diagnose(g.Facts)
	if verdict.Reason == diagnosis.AskingRegistry {
		verdict.RecheckAfter = wait
	}
	return verdict, nil
}

// carryOut does what a verdict says. What it says of a pod is said once.
func (r *Reconciler) carryOut(ctx context.Context, g gathered, verdict diagnosis.Verdict) (ctrl.Result, error) {
	if verdict.Action == diagnosis.Restart || verdict.Action == diagnosis.Repull {
		held, err := r.hold(ctx, g, verdict)
		switch {
		case err != nil:
			return ctrl.Result{}, client.IgnoreNotFound(err)
		case held == nil:
			return r.act(ctx, g, verdict)
		}
		verdict = *held
	}
	r.say(ctx, g, verdict)
	if r.runners.knows(client.ObjectKeyFromObject(g.Pod)) && verdict.Action != diagnosis.Wait && verdict.Reason != diagnosis.ReportOnly {
		// Nothing watches pods that run: what cannot be cured now is not looked at again, nor counted, before the next change. In
		// mode Report the next change may be one of the mode alone.
		r.forget(client.ObjectKeyFromObject(g.Pod))
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: verdict.RecheckAfter}, nil
}

// doubted are the values that the pod had and the registry refused: perhaps it refuses them to everybody now.
func doubted(g gathered, verdict diagnosis.Verdict) []podcounts.Value {
	var values []podcounts.Value
	for _, finding := range verdict.Findings {
		if (finding.Reason == diagnosis.CredentialDidNotHelp || finding.Reason == diagnosis.JudgingCredential) && finding.WantsCredential() {
			i := slices.IndexFunc(g.Credentials, func(c diagnosis.Credential) bool { return c.Name == finding.Credential })
			if i >= 0 {
				values = append(values, podcounts.Value{Credential: finding.Credential, Digest: g.Credentials[i].Digest})
			}
		}
	}
	return values
}

// wanted are the RegistryCredentials that the stuck pod lacks.
func wanted(verdict diagnosis.Verdict) []string {
	var names []string
	for _, finding := range verdict.Findings {
		nearMiss := finding.Reason == diagnosis.NoCredential // it is said at the pod, and the RegistryCredential does not serve its image
		if finding.Credential != "" && !nearMiss && finding.WantsCredential() {
			names = append(names, finding.Credential)
		}
	}
	return names
}
