package target

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Metadata is what a target wants on its pull Secrets.
type Metadata struct {
	Labels, Annotations map[string]string
}

// MetadataOf gives the labels and annotations of a target that regcred writes. The others are told by [CheckMetadata].
func MetadataOf(t *v1alpha1.Target) Metadata {
	return Metadata{Labels: admitted(t.SecretLabels), Annotations: admitted(t.SecretAnnotations)}
}

// CheckMetadata says which keys of a target's labels and annotations are not written, and why.
func CheckMetadata(t *v1alpha1.Target) error {
	var faults []error
	for _, set := range []struct {
		field string
		keys  []string
	}{{"secretLabels", slices.Sorted(maps.Keys(t.SecretLabels))}, {"secretAnnotations", slices.Sorted(maps.Keys(t.SecretAnnotations))}} {
		for _, key := range set.keys {
			if why := fault(key); why != "" {
				faults = append(faults, fmt.Errorf("spec.target.%s: %s %s", set.field, foreign.Name(key), why))
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New(foreign.Message(errors.Join(faults...).Error()))
}

func admitted[V ~string](wanted map[string]V) map[string]string {
	given := map[string]string{}
	for key, value := range wanted {
		if fault(key) == "" {
			given[key] = string(value)
		}
	}
	return given
}

func fault(key string) string {
	if len(validation.IsQualifiedName(key)) > 0 {
		return "is no key of a label or annotation: write NAME or DOMAIN/NAME"
	}
	if Reserved(key) {
		return "is how Kubernetes, regcred or a tool knows what it manages or copies, and is never written: take it out"
	}
	return ""
}

// reserved are the domains, with all below them, by which Kubernetes, regcred and tools know what they manage, or what they copy to other
// namespaces: who writes them on a Secret gives it away. The admission policy has the same list.
var reserved = []string{
	"kubernetes.io", "k8s.io", "regcred.dev", "helm.sh", "toolkit.fluxcd.io", "argoproj.io", "k14s.io", "cattle.io", "operators.coreos.com",
	"openshift.io", "crossplane.io", "pulumi.com", "external-secrets.io", "secrets.hashicorp.com", "kyverno.io", "clustersecret.io",
	"x-k8s.io", "gke.io", "appscode.com", "emberstack.com", "mittwald.de",
}

// found is the label by which Argo CD finds its repositories. It is no mark of what it manages
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#repositories).
const found = "argocd.argoproj.io/secret-type"

// Reserved reports whether a label or annotation is never written.
func Reserved(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	if key == found {
		return false
	}
	return slices.ContainsFunc(reserved, func(known string) bool {
		return domain == known || strings.HasSuffix(domain, "."+known)
	})
}
