package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
