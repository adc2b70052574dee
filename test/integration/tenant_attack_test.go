package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/box"
)

// tenantPods is how many large pods there are at any time.
const tenantPods = 100

// attack is everything that the tenant does, until it is stopped.
type attack struct {
	run *tenantRun
	// secrets are the forms that the tenant gives its Secrets, made before: who attacks has a computer of his own.
	secrets, forgeries []*corev1.Secret
	cancel             context.CancelFunc
	done               sync.WaitGroup
	counts             [3]atomic.Int64 // pods, Secrets and ServiceAccounts written
	mu                 sync.Mutex
	errs               []error
}

// attack returns once all large pods are there. Every two seconds one of them is recreated, and the Secrets and the ServiceAccount
// take another form.
func (r *tenantRun) attack(t *testing.T) *attack {
	t.Helper()
	// A registry that has the tenant's images wait for a day.
	r.setFaults(t, box.Fault{Repository: "hostile/", Status: 429, RetryAfter: "86400"})
	ctx, cancel := context.WithCancel(context.Background())
	a := &attack{run: r, cancel: cancel, forgeries: []*corev1.Secret{forgedSecret(r, true), forgedSecret(r, false)}}
	for _, form := range tenantSecrets {
		a.secrets = append(a.secrets, form(r))
	}
	t.Cleanup(func() { cancel(); a.done.Wait() })
	a.makeAllPods(ctx, t)
	for _, do := range []func(ctx context.Context, i int) error{a.makePod, a.makeSecret, a.makeForgery, a.changeAccount} {
		a.done.Go(func() { a.repeat(ctx, do) })
	}
	return a
}

func (a *attack) makeAllPods(ctx context.Context, t *testing.T) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(4)
	for i := range tenantPods {
		group.Go(func() error { return a.makePod(ctx, i) })
	}
	vaultMust(t, group.Wait())
}

// repeat does something again and again.
func (a *attack) repeat(ctx context.Context, do func(ctx context.Context, i int) error) {
	turn := 0
	each(ctx, 2*time.Second, func() {
		if err := do(ctx, turn); err != nil && ctx.Err() == nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.errs = append(a.errs, err)
		}
		turn++
	})
}

func (a *attack) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.errs) > 0 {
		return fmt.Errorf("the tenant could not go on, so that the test proves nothing: %w", a.errs[0])
	}
	return nil
}

// stop ends the attack. One that came to an end before proves nothing.
func (a *attack) stop(t *testing.T) {
	t.Helper()
	a.cancel()
	a.done.Wait()
	if err := a.failure(); err != nil {
		t.Error(err)
	}
}

func (a *attack) made() string {
	return fmt.Sprintf("%d pods, %d Secrets, and changed its ServiceAccount %d times", a.counts[0].Load(), a.counts[1].Load(), a.counts[2].Load())
}

// makePod makes one of the large pods anew, and plays the kubelet that cannot pull its image.
func (a *attack) makePod(ctx context.Context, i int) error {
	r := a.run
	pod, message := r.largePod(i % tenantPods)
	if err := client.IgnoreNotFound(r.tenant.Delete(ctx, pod, client.GracePeriodSeconds(0))); err != nil {
		return fmt.Errorf("delete a pod: %w", err)
	}
	if err := r.tenant.Create(ctx, pod); err != nil {
		return fmt.Errorf("create a pod: %w", err)
	}
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: waitsFor("ErrImagePull", message)}}
	if len(pod.Spec.Containers[0].Image) > 1000 {
		pod.Status.ContainerStatuses[0].State = waitsFor("InvalidImageName", message)
	}
	// Nobody's but the operator's: it may have restarted the pod, which is its right.
	if err := r.admin.Status().Update(ctx, pod); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("write the status of a pod: %w", err)
	}
	a.counts[0].Add(1)
	return nil
}

// makeSecret puts a Secret of the name that the operator writes into the tenant's namespace, in one form after the other.
func (a *attack) makeSecret(ctx context.Context, i int) error {
	return a.replace(ctx, a.secrets[i%len(a.secrets)])
}

// makeForgery puts a Secret into a namespace that is not selected. It claims to hold the entries of all credentials.
func (a *attack) makeForgery(ctx context.Context, i int) error {
	return a.replace(ctx, a.forgeries[i%len(a.forgeries)])
}

func (a *attack) replace(ctx context.Context, secret *corev1.Secret) error {
	for ctx.Err() == nil {
		old := &corev1.Secret{}
		old.Namespace, old.Name = secret.Namespace, secret.Name
		if err := client.IgnoreNotFound(a.run.tenant.Delete(ctx, old)); err != nil {
			return fmt.Errorf("delete a Secret: %w", err)
		}
		err := a.run.tenant.Create(ctx, secret.DeepCopy())
		if apierrors.IsAlreadyExists(err) {
			continue // the operator was faster
		}
		if err != nil {
			return fmt.Errorf("create a Secret: %w", err)
		}
		a.counts[1].Add(1)
		break
	}
	return nil
}

// changeAccount takes the pull Secret from the ServiceAccount, and has it name a thousand others.
func (a *attack) changeAccount(ctx context.Context, i int) error {
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = tenantHome, "default"
	if err := a.run.tenant.Get(ctx, client.ObjectKeyFromObject(account), account); err != nil {
		return fmt.Errorf("read a ServiceAccount: %w", err)
	}
	account.ImagePullSecrets = nil
	for n := range 1000 {
		account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprintf("s-%d-%d%s", i, n, escape)})
	}
	if err := a.run.tenant.Update(ctx, account); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("change a ServiceAccount: %w", err)
	}
	a.counts[2].Add(1)
	return nil
}
