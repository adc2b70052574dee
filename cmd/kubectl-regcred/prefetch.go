package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

const (
	// fewNamespaces are read one by one. For more, lists of all namespaces are cheaper than requests for each.
	fewNamespaces = 5
	// secretNamesListed is for how many names of Secrets a list is worth while.
	secretNamesListed = 10
)

// prefetch reads what the pods of many namespaces have in common by lists, so that the number of requests does not grow with namespaces. What
// may not be listed is read one by one afterwards, and noted then.
func (l *look) prefetch(ctx context.Context, pods []corev1.Pod) error {
	places := map[string]*surroundings{}
	for i := range pods {
		places[pods[i].Namespace] = newSurroundings(&corev1.Namespace{})
	}
	if len(places) <= fewNamespaces {
		return nil
	}
	names := l.mostNeeded(pods, len(places))
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return l.listNamespaces(within, places) })
	group.Go(func() error { return l.listAccounts(within, places) })
	for _, name := range names[:min(len(names), secretNamesListed)] {
		group.Go(func() error { return l.listSecrets(within, places, name) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places = places
	return nil
}

// mostNeeded are the names that Secrets can have, those first that are needed in most namespaces: the people of one do not choose which are
// listed. What regcred writes is looked up in all.
func (l *look) mostNeeded(pods []corev1.Pod, namespaces int) []string {
	type need struct{ name, namespace string }
	needs, needed := map[need]bool{}, map[string]int{}
	for i := range pods {
		for _, ref := range pods[i].Spec.ImagePullSecrets {
			if one := (need{ref.Name, pods[i].Namespace}); !needs[one] && possible(ref.Name) {
				needs[one] = true
				needed[ref.Name]++
			}
		}
	}
	for _, name := range l.written() {
		needed[name] = namespaces
	}
	return slices.SortedFunc(maps.Keys(needed), func(a, b string) int { return cmp.Or(cmp.Compare(needed[b], needed[a]), cmp.Compare(a, b)) })
}

// unlessForbidden leaves what may not be listed to whoever reads it one by one.
func unlessForbidden(err error, what string) error {
	if err == nil || apierrors.IsForbidden(err) {
		return nil
	}
	return fmt.Errorf("list %s: %w", what, err)
}

func (l *look) listNamespaces(ctx context.Context, places map[string]*surroundings) error {
	err := each(ctx, l.reader, &corev1.NamespaceList{}, othersAtOnce, func(object client.Object) {
		namespace, ok := object.(*corev1.Namespace)
		if s := places[object.GetName()]; ok && s != nil {
			s.once.Do(func() { *s.namespace = *namespace })
		}
	})
	return unlessForbidden(err, "namespaces")
}

func (l *look) listAccounts(ctx context.Context, places map[string]*surroundings) error {
	err := each(ctx, l.reader, &corev1.ServiceAccountList{}, othersAtOnce, func(object client.Object) {
		account, ok := object.(*corev1.ServiceAccount)
		if s := places[object.GetNamespace()]; ok && s != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.accounts[account.Name] = diagnosis.NewAccount(account)
		}
	})
	return unlessForbidden(err, "ServiceAccounts")
}

// listAccountsNamed reads the ServiceAccounts of one name.
func (l *look) listAccountsNamed(ctx context.Context, places map[string]*surroundings, name string) error {
	found := map[string]diagnosis.Account{}
	err := each(ctx, l.reader, &corev1.ServiceAccountList{}, othersAtOnce, func(object client.Object) {
		if account, ok := object.(*corev1.ServiceAccount); ok {
			found[account.Namespace] = diagnosis.NewAccount(account)
		}
	}, client.MatchingFields{"metadata.name": name})
	if err != nil {
		return unlessForbidden(err, "ServiceAccounts")
	}
	for namespace, s := range places {
		account, there := found[namespace]
		s.mu.Lock()
		s.accounts[name] = account
		if !there {
			s.accounts[name] = diagnosis.Account{Name: name, Missing: true}
		}
		s.mu.Unlock()
	}
	return nil
}

// listSecrets reads the Secrets of one name, whatever their type.
func (l *look) listSecrets(ctx context.Context, places map[string]*surroundings, name string) error {
	found := map[string]diagnosis.Secret{}
	err := each(ctx, l.reader, &corev1.SecretList{}, secretsAtOnce, func(object client.Object) {
		if secret, ok := object.(*corev1.Secret); ok {
			found[secret.Namespace] = diagnosis.NewSecret(secret)
		}
	}, client.MatchingFields{"metadata.name": name})
	if err != nil {
		return unlessForbidden(err, "Secrets")
	}
	for namespace, s := range places {
		secret, there := found[namespace]
		s.mu.Lock()
		s.secrets[name] = secret
		if !there {
			s.secrets[name] = diagnosis.Secret{Missing: true}
		}
		s.mu.Unlock()
	}
	return nil
}
