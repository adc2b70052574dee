package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/preview"
)

// concerned are the namespaces that an object selects or selected, with what is in them.
func (l *look) concerned(ctx context.Context, object *v1alpha1.RegistryCredential, selectors preview.Selectors) ([]preview.Namespace, error) {
	var namespaces []preview.Namespace
	present := map[string]bool{}
	err := each(ctx, l.reader, &corev1.NamespaceList{}, othersAtOnce, func(n client.Object) {
		present[n.GetName()] = true
		if n.GetDeletionTimestamp() == nil && selectors.Concerns(n.GetName(), n.GetLabels()) {
			namespaces = append(namespaces, preview.Namespace{Name: n.GetName(), Labels: n.GetLabels(), OptedOut: n.GetAnnotations()[v1alpha1.AttachAnnotation] == v1alpha1.AttachDisabled})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	for _, name := range object.Spec.Target.Namespaces {
		if !present[string(name)] {
			namespaces = append(namespaces, preview.Namespace{Name: string(name), Missing: true})
		}
	}
	return namespaces, l.fill(ctx, object, namespaces)
}

// fill reads the Secret and the ServiceAccounts of each namespace that is there.
func (l *look) fill(ctx context.Context, object *v1alpha1.RegistryCredential, namespaces []preview.Namespace) error {
	secret, accounts := object.Spec.Target.Name(), object.Spec.Target.Accounts()
	places := map[string]*surroundings{}
	for i := range namespaces {
		if n := &namespaces[i]; !n.Missing {
			places[n.Name] = newSurroundings(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.Name}})
		}
	}
	if err := l.prelist(ctx, places, secret, accounts); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range namespaces {
		n := &namespaces[i]
		s := places[n.Name]
		if s == nil {
			continue
		}
		group.Go(func() error {
			secrets, err := l.secrets(ctx, s, []string{secret})
			if err != nil {
				return fmt.Errorf("namespace %s: %w", n.Name, err)
			}
			n.Secret = secrets[secret]
			for _, name := range accounts {
				account, err := l.account(ctx, s, name)
				if err != nil {
					return fmt.Errorf("namespace %s: %w", n.Name, err)
				}
				n.Accounts = append(n.Accounts, account)
			}
			return nil
		})
	}
	return group.Wait()
}

// prelist reads by lists what is in many namespaces under the same names, so that the number of requests does not grow with namespaces. What may
// not be listed is read one by one afterwards.
func (l *look) prelist(ctx context.Context, places map[string]*surroundings, secret string, accounts []string) error {
	if len(places) <= fewNamespaces {
		return nil
	}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return l.listSecrets(within, places, secret) })
	for _, name := range accounts {
		group.Go(func() error { return l.listAccountsNamed(within, places, name) })
	}
	return group.Wait()
}

var effectColours = map[preview.Effect]string{
	preview.Remove: red, preview.Refuse: yellow, preview.Unknown: yellow, preview.Adopt: yellow, preview.Create: green,
}

func printPlans(out io.Writer, plans []planned) error {
	w := newWriter(out)
	for i, one := range plans {
		if i > 0 {
			w.line("")
		}
		verb := map[bool]string{true: "would be changed", false: "would be created"}[one.Exists]
		if one.Unchanged {
			verb = "is the same already, and its spec would not be changed"
		}
		w.line("RegistryCredential %s %s: %s", one.Name, verb, preview.Sum(one.Rows))
		rows := [][]cell{}
		for _, row := range one.Rows {
			attach := strings.Join(row.Attach, ",")
			if row.Pods {
				attach = "new pods"
			}
			rows = append(rows, []cell{{text: row.Namespace}, {text: string(row.Secret), colour: effectColours[row.Secret]}, {text: cmp.Or(attach, "-")}, {text: row.Note}})
		}
		if len(rows) > 0 {
			w.table("  ", slices.Insert(rows, 0, cells("NAMESPACE", "SECRET", "ATTACH TO", "NOTE")))
		}
		for _, stall := range one.Stalls {
			w.line("Stalled: nothing would be delivered, because %s", stall)
		}
		for _, loss := range one.Losses {
			w.line("Loss: %s", loss)
		}
		for _, note := range one.Notes {
			w.line("Note: %s", note)
		}
	}
	return w.err
}
