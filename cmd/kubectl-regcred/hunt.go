package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/podlist"
)

// hunt looks for the pull Secrets of a registry with the rights of whoever calls.
type hunt struct {
	reader client.Reader
	pods   *podlist.Lister
	finder *adoption.Finder
	// namespace is the one that is looked at, empty for all.
	namespace string

	notes
	mu sync.Mutex
}

// run finds the Secrets, and then who names them. current names a Secret with the password in use, as NAMESPACE/NAME.
func (h *hunt) run(ctx context.Context, current string) error {
	if err := h.secrets(ctx); err != nil {
		return err
	}
	if current != "" {
		namespace, name, _ := strings.Cut(current, "/")
		if !h.finder.NameInUse(namespace, name) {
			return fmt.Errorf("--current %s: there is no pull Secret for the registry that you may read: write NAMESPACE/NAME", foreign.Name(current))
		}
	} else if err := h.inUse(ctx); err != nil {
		return err
	}
	err := each(ctx, h.reader, &corev1.ServiceAccountList{}, othersAtOnce, func(object client.Object) {
		if account, ok := object.(*corev1.ServiceAccount); ok {
			h.finder.Account(account)
		}
	}, client.InNamespace(h.namespace))
	if err := h.unless(err, "ServiceAccounts", "which of them name the Secrets is not known, and not in the manifest"); err != nil {
		return err
	}
	err = eachPod(ctx, h.pods, &h.notes, h.namespace, "status.phase!=Succeeded,status.phase!=Failed", func(pod podlist.Pod) bool {
		h.finder.Pod(pod.Namespace, pod.Name, pod.PullSecrets)
		return true
	})
	return h.unless(err, "pods", "which of them name the Secrets is not known")
}

// unless notes what may not be listed.
func (h *hunt) unless(err error, what, consequence string) error {
	switch {
	case apierrors.IsForbidden(err):
		h.note(fmt.Sprintf("You may not list %s here: %s.", what, consequence))
		return nil
	case err != nil:
		return fmt.Errorf("list %s: %w", what, err)
	}
	return nil
}

func (h *hunt) secrets(ctx context.Context) error {
	err := eachPullSecret(ctx, h.reader, h.namespace, h.add)
	if !apierrors.IsForbidden(err) {
		return err
	}
	if h.namespace != "" {
		return fmt.Errorf("you may not list Secrets in namespace %s: ask for a role there that allows it, such as edit", h.namespace)
	}
	return h.oneByOne(ctx)
}

func (h *hunt) add(secret *corev1.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finder.Add(secret)
}

// oneByOne tries each namespace, where Secrets may not be listed in all of them together.
func (h *hunt) oneByOne(ctx context.Context) error {
	var names []string
	err := each(ctx, h.reader, &corev1.NamespaceList{}, othersAtOnce, func(object client.Object) { names = append(names, object.GetName()) })
	if apierrors.IsForbidden(err) {
		return errors.New("you may not list Secrets in all namespaces, nor namespaces: name one of yours with -n")
	}
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	refused := 0
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, name := range names {
		group.Go(func() error {
			err := eachPullSecret(within, h.reader, name, h.add)
			if apierrors.IsForbidden(err) {
				h.mu.Lock()
				defer h.mu.Unlock()
				refused++
				return nil
			}
			return err
		})
	}
	err = group.Wait()
	if refused > 0 {
		h.note(fmt.Sprintf("You may not list Secrets in %d of %d namespaces: what is there is not known.", refused, len(names)))
	}
	return err
}

// inUse learns from the RegistryCredentials which value is in use.
func (h *hunt) inUse(ctx context.Context) error {
	err := each(ctx, h.reader, &v1alpha1.RegistryCredentialList{}, othersAtOnce, func(object client.Object) {
		if credential, ok := object.(*v1alpha1.RegistryCredential); ok {
			h.finder.InUse(credential)
		}
	})
	for _, dispute := range h.finder.Disputes() {
		h.note(disputed(dispute))
	}
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		h.note("The cluster does not know RegistryCredentials: which password is in use is not known. Name a Secret that has it with --current.")
		return nil
	}
	return h.unless(err, "RegistryCredentials", "which password is in use is not known. Name a Secret that has it with --current")
}

// disputed says which passwords Secrets of a RegistryCredential have, and lets a person choose.
func disputed(d adoption.Dispute) string {
	var values []string
	for _, one := range d.Values[:min(len(d.Values), namesShown)] {
		values = append(values, fmt.Sprintf("%s in %s, the first in namespace %s", one.Value, countOf(one.Secrets, "Secret"), one.First))
	}
	if more := len(d.Values) - namesShown; more > 0 {
		values = append(values, countOf(more, "more value"))
	}
	return fmt.Sprintf("Secrets of RegistryCredential %s have different passwords under the revision in use: %s. regcred writes one of them, so somebody else wrote the others, "+
		"and how many have it tells nothing. Name a Secret that has the one in use with --current.", d.RegistryCredential, strings.Join(values, "; "))
}
