package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
	"regcred.dev/regcred/internal/pullsecret"
)

const (
	// managedAtOnce is how many Secrets of regcred are asked for at once: their annotations are in memory.
	managedAtOnce = 250
	// placesShown is how many namespaces a line names. JSON has more.
	placesShown = 10
)

// revisions reads which revision of a RegistryCredential each pull Secret holds, by what the operator noted on it. The API server sends the
// metadata alone. The note says what could not be read.
func (s *status) revisions(ctx context.Context, object *v1alpha1.RegistryCredential, inUse string) (found []overview.Revision, note string, err error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	var held []overview.Held
	err = each(ctx, s.client, list, managedAtOnce, func(secret client.Object) {
		marks := metav1.ObjectMeta{Labels: secret.GetLabels(), Annotations: secret.GetAnnotations()}
		if !pullsecret.OwnerOf(&corev1.Secret{ObjectMeta: marks}).Ours {
			return // a tool's copy, whose record is that of the original
		}
		if source, ok := pullsecret.SourcesOf(secret.GetAnnotations())[object.Name]; ok {
			held = append(held, overview.Held{Namespace: secret.GetNamespace(), Secret: secret.GetName(), Revision: foreign.Name(source.Revision)})
		}
	}, client.MatchingLabels{v1alpha1.ManagedLabel: "true"})
	switch {
	case apierrors.IsForbidden(err):
		return nil, "You may not list Secrets in all namespaces: which revision each namespace has is not known.", nil
	case err != nil:
		return nil, "", fmt.Errorf("list the Secrets of regcred: %w", err)
	}
	found, more := overview.RevisionsOf(held, inUse, object.Spec.Target.Name())
	if more > 0 {
		note = fmt.Sprintf("Revisions in the pull Secrets that are not shown: %d, each in no more namespaces than those that are.", more)
	}
	return found, note, nil
}

func (w *writer) revisions(revisions []overview.Revision) {
	if len(revisions) == 0 {
		return
	}
	w.line("\nRevisions in the pull Secrets")
	rows := [][]cell{}
	for _, r := range revisions {
		use := cell{text: "in use", colour: green}
		if !r.InUse {
			use = cell{text: "older", colour: yellow}
		}
		first := r.First[:min(len(r.First), placesShown)]
		places := strings.Join(first, ", ")
		if more := r.Secrets - len(first); more > 0 {
			places += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, []cell{{text: r.Revision}, use, {text: counted(r.Secrets, "Secret")}, {text: places}})
	}
	w.table("  ", rows)
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
