package recovery

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

const (
	// settle is how long changes are collected before all running pods are looked at, once for all of them.
	settle = 2 * time.Second
	// tryLookAgain is how soon a look that failed is taken again.
	tryLookAgain = 30 * time.Second
)

// runners are the pods in phase Running that were found unable to pull: a container of theirs ran before and cannot be started
// again. No cache holds them: there is one look at all pods after a change that can have cured some.
type runners struct {
	mu      sync.Mutex
	pods    map[types.NamespacedName]bool
	pending bool
}

func (s *runners) knows(pod types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[pod]
}

func (s *runners) add(pod types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pods == nil {
		s.pods = map[types.NamespacedName]bool{}
	}
	s.pods[pod] = true
}

func (s *runners) remove(pod types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pods, pod)
}

// in lists those of one namespace, or of all with "".
func (s *runners) in(namespace string) []types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.NamespacedName
	for pod := range s.pods {
		if namespace == "" || pod.Namespace == namespace {
			found = append(found, pod)
		}
	}
	return found
}

// begin reports whether a look is to be scheduled: one that is waits for further changes.
func (s *runners) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.pending
	s.pending = true
	return first
}

func (s *runners) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = false
}

// scheduleLook has all running pods looked at soon.
func (r *Reconciler) scheduleLook(ctx context.Context, q queue) {
	if !r.runners.begin() {
		return
	}
	r.lookAfter(ctx, q, settle)
}

// lookAfter takes a look, and takes it again where it fails.
func (r *Reconciler) lookAfter(ctx context.Context, q queue, after time.Duration) {
	time.AfterFunc(after, func() {
		if ctx.Err() != nil {
			return
		}
		r.runners.end()
		if err := r.lookAtRunning(ctx, q); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "The running pods could not be looked at; they are looked at again", "after", tryLookAgain)
			if r.runners.begin() {
				r.lookAfter(ctx, q, tryLookAgain)
			}
		}
	})
}

// lookAtRunning reads the list as a stream: whoever may create pods decides how large they are.
func (r *Reconciler) lookAtRunning(ctx context.Context, q queue) error {
	truncated, err := r.Lists.Each(ctx, "", "status.phase="+string(corev1.PodRunning), func(pod podlist.Pod) bool {
		if object := pod.Object(); diagnosis.IsStuck(object) {
			key := client.ObjectKeyFromObject(object)
			r.runners.add(key)
			q.Add(reconcile.Request{NamespacedName: key})
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("look at the pods in phase Running: %w", err)
	}
	if truncated {
		log.FromContext(ctx).Info("The pods in phase Running are more than one look reads: some that are stuck may not be seen", "bytes", int64(podlist.MaxBytes))
	}
	return nil
}

// replacedBad reports whether the published value of a RegistryCredential took the place of one that the registry refused, or that
// pods hung for.
func (r *Reconciler) replacedBad(credential string) bool {
	return r.Tally.Stuck(credential) > 0 || refusedBefore(r.Store.Get(credential))
}

func refusedBefore(record records.Record) bool {
	current := map[string]bool{}
	for _, account := range record.Accounts {
		current[account.Print] = true
	}
	for print, test := range record.Tests {
		if test.Verdict == rotation.Rejected && !current[print] {
			return true
		}
	}
	return false
}
