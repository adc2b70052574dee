package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// asked notes for which kinds informers are asked for, and fails with an error where it has one.
type asked struct {
	cache.Informers
	kinds map[string]bool
	fails error
}

func (a *asked) GetInformer(_ context.Context, kind client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	wanted := cache.InformerGetOptions{}
	for _, option := range options {
		option(&wanted)
	}
	if wanted.BlockUntilSynced == nil || *wanted.BlockUntilSynced {
		return nil, errors.New("this waits for a cache that has not started")
	}
	a.kinds[nameOf(kind)] = true
	return nil, a.fails
}

// nameOf tells kinds of which only the metadata is kept from each other.
func nameOf(kind client.Object) string {
	if own := kind.GetObjectKind().GroupVersionKind().Kind; own != "" {
		return own
	}
	return strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", kind), "*v1alpha1."), "*v1.")
}

func TestAllKindsAreFilledBeforeAControllerStarts(t *testing.T) {
	informers := &asked{kinds: map[string]bool{}}
	if err := addInformers(t.Context(), informers, "regcred-system"); err != nil {
		t.Fatal(err)
	}
	kinds := CacheOptions("regcred-system").ByObject
	if len(informers.kinds) != len(kinds) {
		t.Errorf("of %d kinds informers are made for %v", len(kinds), informers.kinds)
	}
	for _, kind := range []string{"RegistryCredential", "VaultConnection", "Namespace", "Secret", "ConfigMap", "ReplicaSet"} {
		if !informers.kinds[kind] {
			t.Errorf("a handler of events may read %s before it is there: informers are made for %v", kind, informers.kinds)
		}
	}
}

func TestAnOperatorWithoutItsCRDsSaysWhatToInstall(t *testing.T) {
	for _, c := range []struct {
		fails error
		says  string
	}{
		{&meta.NoKindMatchError{}, "install its CRDs first"},
		{errors.New("connection refused"), "connection refused"},
	} {
		err := addInformers(t.Context(), &asked{kinds: map[string]bool{}, fails: c.fails}, "regcred-system")
		if !errors.Is(err, c.fails) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

// Whatever else is in the cache costs memory that others decide about, and Secrets of other namespaces are nobody's business here.
func TestOfNamespacesOnlyIsKeptWhatIsReadAndSecretsAreTheOperatorsOwn(t *testing.T) {
	options := CacheOptions("regcred-system")
	transforms := map[string]func(any) (any, error){}
	for kind, of := range options.ByObject {
		if name := nameOf(kind); name == "Secret" || name == "ConfigMap" {
			if _, own := of.Namespaces["regcred-system"]; !own || len(of.Namespaces) != 1 {
				t.Errorf("%ss of these namespaces are cached: %v", name, of.Namespaces)
			}
		}
		transforms[nameOf(kind)] = of.Transform
	}
	gone := metav1.Now()
	meta := metav1.ObjectMeta{
		Name: "shop", UID: "u", ResourceVersion: "7", Labels: map[string]string{"team": "shop"}, DeletionTimestamp: &gone, CreationTimestamp: gone,
		Annotations: map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled, v1alpha1.PodRecoveryAnnotation: "disabled"},
	}
	full := corev1.Namespace{ObjectMeta: *meta.DeepCopy(), Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}}, Status: corev1.NamespaceStatus{Phase: "Active"}}
	full.Annotations["kubectl.kubernetes.io/last-applied-configuration"], full.ManagedFields = "{}", []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	left, err := transforms["Namespace"](&full)
	if diff := cmp.Diff(&corev1.Namespace{ObjectMeta: meta}, left); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	if same, err := transforms["Namespace"]("another"); err != nil || same != "another" {
		t.Errorf("of what is no namespace %v is left: %v", same, err)
	}
}
